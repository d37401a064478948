//! Believes whatever a client says about itself, and denies or drops the events that its configuration names.

use std::collections::BTreeMap;

use sluice_plugin_sdk::prelude::*;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Gate {
    deny: Vec<Denied>,
    /// Globs.
    drop: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Denied {
    /// A glob.
    event: String,
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    disconnect: bool,
}

/// What a client says about itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    deny: bool,
    user: Option<String>,
    attributes: BTreeMap<String, String>,
    rooms: Vec<String>,
    expires_ms: Option<u64>,
    token_id: Option<String>,
    issued_ms: Option<u64>,
}

impl Policy for Gate {
    const HOOKS: Hooks = Hooks::CONNECT.and(Hooks::EVENT);

    fn interests(&self) -> Interests {
        let denied = self.deny.iter().map(|denied| &denied.event);
        denied
            .chain(&self.drop)
            .fold(Interests::new(), Interests::event)
    }

    fn on_connect(&mut self, call: &ConnectCall<'_>) -> Admission {
        match call.auth::<Auth>() {
            Ok(auth) if auth.deny => Denial::new("closed", "The gate is closed").into(),
            Ok(auth) => Admission::Accept(Identity {
                user: auth.user,
                attributes: auth.attributes.into_iter().collect(),
                rooms: auth.rooms,
                expires_ms: auth.expires_ms,
                token_id: auth.token_id,
                issued_ms: auth.issued_ms,
            }),
            Err(error) => error.into(),
        }
    }

    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        match self.deny.get(call.rule()) {
            Some(denied) => {
                let denial = Denial::new(&*denied.code, &*denied.message);
                if denied.disconnect {
                    denial.disconnect()
                } else {
                    denial
                }
                .into()
            }
            None => Verdict::Drop,
        }
    }
}

export!(Gate);
