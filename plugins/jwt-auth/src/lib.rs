//! Tells who a client is by a JSON Web Token (RFC 7519) that it presents when it connects, signed with a key that
//! stands in the configuration.
//!
//! All but the keys is in `policy-jwt`, which `jwks-auth` shares: that one fetches its keys, and therefore asks for a
//! capability that this one does without.

#[cfg(test)]
mod tests;

use policy_jwt::{Config, Gate, Keys};
use serde::Deserialize;
use sluice_plugin_sdk::prelude::*;

/// The policy. It has no `Debug`, so that no log line can hold its secret.
#[derive(Deserialize)]
#[serde(try_from = "Config")]
pub struct JwtAuth {
    gate: Gate,
    keys: Keys,
}

impl Policy for JwtAuth {
    const HOOKS: Hooks = Hooks::CONNECT;

    fn on_connect(&mut self, call: &ConnectCall<'_>) -> Admission {
        self.gate.admit(call, |token| self.keys.verify(token))
    }
}

impl TryFrom<Config> for JwtAuth {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        let parts = config.resolve()?;
        if parts.jwks.is_some() {
            return Err(
                "`jwks`: the policy `jwks-auth` fetches keys, this one does not".to_owned(),
            );
        }
        if parts.keys.is_empty() {
            return Err("`secret` or `keys` is missing".to_owned());
        }
        Ok(Self {
            gate: parts.gate,
            keys: parts.keys,
        })
    }
}

export!(JwtAuth);
