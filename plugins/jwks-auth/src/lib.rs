//! Tells who a client is by a JSON Web Token (RFC 7519) that it presents when it connects, signed with a key that the
//! issuer publishes (JWKS, RFC 7517) and changes when it likes.
//!
//! What tokens are asked for is in `policy-jwt`, which `jwt-auth` shares. Here is where the keys come from: `set` reads
//! them, `source` fetches them, keeps them for all instances, and goes on with old ones when nobody answers.

mod set;
mod source;
#[cfg(test)]
mod tests;

use policy_jwt::{Config, Gate, Keys, Refusal, Token};
use serde::Deserialize;
use sluice_plugin_sdk::prelude::*;

use source::Source;

/// The policy. It has no `Debug`, so that no log line can hold a secret.
#[derive(Deserialize)]
#[serde(try_from = "Config")]
pub struct JwksAuth {
    gate: Gate,
    /// Those that stand in the configuration.
    own: Keys,
    published: Source,
}

impl Policy for JwksAuth {
    const HOOKS: Hooks = Hooks::CONNECT;
    const CAPABILITIES: Capabilities = Capabilities::HTTP;

    fn on_connect(&mut self, call: &ConnectCall<'_>) -> Admission {
        let Self {
            gate,
            own,
            published,
        } = self;
        gate.admit(call, |token| verify(own, published, token))
    }
}

/// Nobody is asked for the key of a token that a key at hand has signed.
fn verify(own: &Keys, published: &mut Source, token: &Token<'_>) -> Result<(), Refusal> {
    match own.verify(token) {
        Ok(()) => Ok(()),
        Err(_) => published.verify(token),
    }
}

impl TryFrom<Config> for JwksAuth {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        let parts = config.resolve()?;
        let jwks = parts.jwks.ok_or("`jwks` is missing")?;
        Ok(Self {
            gate: parts.gate,
            own: parts.keys,
            published: Source::new(jwks)?,
        })
    }
}

export!(JwksAuth);
