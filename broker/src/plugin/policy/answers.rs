//! What a guest answers, checked and in the broker's own words. Answers are as little trusted as what clients send.

use std::time::Duration;

use serde_json::value::RawValue;

use super::{Admission, Policy};
use crate::event::{Coalescing, Denial, Effect, Event, Grant, Identity, Verdict, hidden};
use crate::packet;
use crate::plugin::bindings::types;

/// Bytes and rooms of an identity that one policy may give.
pub(in crate::plugin) const MAX_IDENTITY: usize = 64 << 10;
const MAX_IDENTITY_ROOMS: usize = 1024;

/// Bytes of a coalescing key, and the longest window: what waits in it keeps its pipeline.
const LONGEST_KEY: usize = 256;
const LONGEST_WINDOW: u32 = 60_000;

impl Policy {
    /// `Err` says what is wrong with the answer.
    pub(super) fn verdict(
        &self,
        event: &Event,
        verdict: types::Verdict,
    ) -> Result<Verdict, String> {
        Ok(match verdict {
            types::Verdict::Pass => Verdict::Pass(None),
            types::Verdict::Replace(args) => {
                // A placeholder out of range would make every recipient close its connection.
                packet::check_args(&args, event.attachments.len()).map_err(|denial| {
                    format!("its replacement cannot be delivered: {}", denial.message)
                })?;
                Verdict::Pass(Some(args.into()))
            }
            types::Verdict::Deny(denial) => Verdict::Deny(self.denial(denial)),
            types::Verdict::Drop => Verdict::Drop,
            types::Verdict::Coalesce(coalescing) => Verdict::Coalesce(checked(coalescing)?),
            types::Verdict::Reply(args) => {
                packet::check_args(&args, 0)
                    .map_err(|denial| format!("its reply cannot be sent: {}", denial.message))?;
                Verdict::Reply(args.into())
            }
        })
    }

    pub(super) fn admission(&self, admission: types::Admission) -> Result<Admission, String> {
        Ok(match admission {
            types::Admission::Pass => Admission::Pass,
            types::Admission::Accept(identity) => Admission::Accept(known(identity)?),
            types::Admission::Deny(denial) => Admission::Deny(self.denial(denial)),
        })
    }

    pub(super) fn denial(&self, denial: types::Denial) -> Denial {
        Denial {
            code: denial.code,
            message: denial.message,
            policy: Some(self.name.clone()),
            // Data that is not JSON would break the client's decoder.
            data: denial
                .data
                .and_then(|data| RawValue::from_string(data).ok()),
            retry_after_ms: denial.retry_after_ms,
            disconnect: denial.disconnect,
        }
    }
}

/// What a call has said that its identity rests on, taken out of what it wants done: it is the last of that.
pub(super) fn vouched(effects: &mut Vec<Effect>, from: usize) -> Option<Box<Grant>> {
    let is_new = effects.len() > from;
    match effects.pop_if(|last| is_new && matches!(last, Effect::Vouch(_))) {
        Some(Effect::Vouch(grant)) => Some(grant),
        _ => None,
    }
}

/// An identity is kept for as long as its client is connected, so it has a bound.
fn known(identity: types::Identity) -> Result<Identity, String> {
    let attributes = identity
        .attributes
        .iter()
        .map(|(name, value)| name.len() + value.len());
    let rooms = identity.rooms.iter().map(String::len);
    let user = identity.user.iter().map(String::len);
    let bytes: usize = attributes.chain(rooms).chain(user).sum();
    if bytes > MAX_IDENTITY || identity.rooms.len() > MAX_IDENTITY_ROOMS {
        return Err(format!(
            "its identity has more than {MAX_IDENTITY} bytes or {MAX_IDENTITY_ROOMS} rooms"
        ));
    }
    if identity.rooms.iter().any(|room| hidden::is(room)) {
        return Err("names of rooms that begin with U+0000 are the broker's own".to_owned());
    }
    Ok(Identity {
        user: identity.user.map(Into::into),
        attributes: identity.attributes.into(),
        rooms: identity.rooms.into(),
        grant: None,
    })
}

pub(in crate::plugin) fn checked(coalescing: types::Coalescing) -> Result<Coalescing, String> {
    if coalescing.key.len() > LONGEST_KEY {
        return Err(format!(
            "its coalescing key has more than {LONGEST_KEY} bytes"
        ));
    }
    if !(1..=LONGEST_WINDOW).contains(&coalescing.window_ms) {
        return Err(format!(
            "its coalescing window is {} ms and has to be 1 to {LONGEST_WINDOW}",
            coalescing.window_ms
        ));
    }
    Ok(Coalescing {
        key: coalescing.key,
        window: Duration::from_millis(coalescing.window_ms.into()),
        leading: coalescing.leading,
    })
}
