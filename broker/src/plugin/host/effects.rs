//! What a policy wants done beside its verdict: checked when it asks, done by the session afterwards.

use std::sync::Arc;

use super::Host;
use crate::config::Capability;
use crate::event::{Effect, Event, Grant, RESERVED, Recipients, hidden};
use crate::packet;
use crate::plugin::bindings::effects::{self, Target};
use crate::plugin::policy::MAX_IDENTITY;
use crate::router::LONGEST_ROOM;

/// Effects of one call, and the bytes in them.
const MAX_EFFECTS: usize = 64;
const MAX_BYTES: usize = 1 << 20;

/// Longest name of an event that a policy makes up.
const LONGEST_EVENT: usize = 256;

/// The effects that the call has asked for so far.
#[derive(Default)]
pub(super) struct Wanted {
    effects: Vec<Effect>,
    bytes: usize,
    /// What its identity rests on.
    grant: Option<Box<Grant>>,
}

impl Wanted {
    pub(super) fn take(&mut self) -> Vec<Effect> {
        self.bytes = 0;
        let grant = self.grant.take().map(Effect::Vouch);
        self.effects.extend(grant);
        std::mem::take(&mut self.effects)
    }

    /// However much else the call asks for: an end that is forgotten would be none.
    pub(super) fn vouch(&mut self, grant: Grant) {
        self.grant.get_or_insert_default().merge(grant);
    }

    fn push(&mut self, effect: Effect, bytes: usize) -> Result<(), String> {
        if self.effects.len() >= MAX_EFFECTS {
            return Err(format!("a call has at most {MAX_EFFECTS} effects"));
        }
        if self.bytes + bytes > MAX_BYTES {
            return Err(format!(
                "the effects of a call have at most {MAX_BYTES} bytes"
            ));
        }
        self.bytes += bytes;
        self.effects.push(effect);
        Ok(())
    }
}

impl Host {
    fn want(&mut self, effect: Effect, bytes: usize) -> Result<(), String> {
        if self.current.is_none() {
            return Err("no call is being served".to_owned());
        }
        self.wanted.push(effect, bytes)
    }

    fn needs(&self, capability: Capability) -> Result<(), String> {
        if self.is_granted(capability) {
            return Ok(());
        }
        Err(format!(
            "the capability `{}` is not granted",
            capability.as_str()
        ))
    }
}

impl effects::Host for Host {
    fn emit(&mut self, to: Target, event: String, args: String) -> Result<(), String> {
        self.needs(Capability::Emit)?;
        if RESERVED.contains(&&*event) {
            return Err(format!("the event name `{event}` is reserved"));
        }
        if event.len() > LONGEST_EVENT {
            return Err(format!("an event's name has at most {LONGEST_EVENT} bytes"));
        }
        packet::check_args(&args, 0).map_err(|denial| format!("args: {}", denial.message))?;
        let to = match to {
            Target::Sender => Recipients::Sender,
            Target::Others => Recipients::Others,
            Target::All => Recipients::All,
            Target::Room(name) => Recipients::Room {
                name: room(name)?,
                include_sender: true,
            },
        };
        let bytes = event.len() + args.len();
        let event = Event {
            name: event.into(),
            args: args.into(),
            attachments: Arc::new([]),
            volatile: false,
        };
        self.want(Effect::Emit { to, event }, bytes)
    }

    fn join(&mut self, name: String) -> Result<(), String> {
        self.needs(Capability::Rooms)?;
        let name = room(name)?;
        let bytes = name.len();
        self.want(Effect::Join(name), bytes)
    }

    fn leave(&mut self, name: String) -> Result<(), String> {
        self.needs(Capability::Rooms)?;
        let name = room(name)?;
        let bytes = name.len();
        self.want(Effect::Leave(name), bytes)
    }

    fn disconnect(&mut self) -> Result<(), String> {
        self.needs(Capability::Rooms)?;
        self.want(Effect::Disconnect, 0)
    }

    fn set_attribute(&mut self, name: String, value: String) -> Result<(), String> {
        let bytes = name.len() + value.len();
        let known = self.client().map_or(0, |client| {
            let identity = client.identity.read();
            let attributes = identity.attributes.iter();
            attributes.map(|(n, v)| n.len() + v.len()).sum()
        });
        if known + self.wanted.bytes + bytes > MAX_IDENTITY {
            return Err(format!(
                "the attributes of a client have at most {MAX_IDENTITY} bytes"
            ));
        }
        self.want(Effect::SetAttribute { name, value }, bytes)
    }
}

fn room(name: String) -> Result<String, String> {
    if name.is_empty() || name.len() > LONGEST_ROOM {
        return Err(format!("a room's name has 1 to {LONGEST_ROOM} bytes"));
    }
    if hidden::is(&name) {
        return Err("names of rooms that begin with U+0000 are the broker's own".to_owned());
    }
    Ok(name)
}
