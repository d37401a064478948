//! Everything that a policy could do under contract 0.1, built with the SDK of that time.

use serde::Deserialize;
use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Everything {
    /// What `replace` puts in.
    word: String,
}

impl Policy for Everything {
    const HOOKS: Hooks = Hooks::CONNECT.and(Hooks::EVENT).and(Hooks::DISCONNECT);

    fn interests(&self) -> Interests {
        Interests::new()
            .event("take")
            .event_with_args("replace")
            .event("deny")
            .event("drop")
            .event("facts")
            .bucket(Bucket::tokens("takes", 2, 0.0))
    }

    fn on_connect(&mut self, call: &ConnectCall<'_>) -> Admission {
        if call.auth_text().contains("refuse") {
            return Denial::new("refused", "as asked").into();
        }
        Identity {
            user: Some("old-timer".to_owned()),
            attributes: vec![("age".to_owned(), "0.1".to_owned())],
            rooms: vec!["veterans".to_owned()],
        }
        .into()
    }

    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        match call.rule() {
            0 => {
                let decision = take(0, Subject::Socket, 1);
                if decision.allowed {
                    Verdict::Pass
                } else {
                    Denial::new("too_many", "two are enough").into()
                }
            }
            1 => Verdict::replace(&[&self.word]),
            2 => Denial::new("denied", "as asked").into(),
            3 => Verdict::Drop,
            _ => Verdict::replace(&[
                current::event_name(),
                current::namespace(),
                current::user().unwrap_or_default(),
                current::attribute("age").unwrap_or_default(),
                current::in_room("veterans").to_string(),
            ]),
        }
    }

    fn on_disconnect(&mut self, _socket: u64, reason: DisconnectReason) {
        log::info(format!("gone: {reason:?}"));
    }
}

export!(Everything);
