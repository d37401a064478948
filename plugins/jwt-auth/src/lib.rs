//! Tells who a client is by a JSON Web Token (RFC 7519) that it presents when it connects.
//!
//! `config` reads what the operator wants, `source` finds the token, `token` checks its form and its signature,
//! `claims` what it says, `rooms` fills in the names of rooms, and `refusal` names everything that can be wrong.
//! Neither the token nor the secret ever appears in an answer or in the log.

mod claims;
mod config;
mod refusal;
mod rooms;
mod source;
#[cfg(test)]
mod tests;
mod token;

use hmac::Hmac;
use serde::Deserialize;
use sha2::Sha256;
use sluice_plugin_sdk::prelude::*;

use claims::{Claims, Rules};
use config::Config;
use refusal::{Messages, Refusal};
use rooms::Template;
use source::Source;

/// The policy. It has no `Debug`, so that no log line can hold its secret.
#[derive(Deserialize)]
#[serde(try_from = "Config")]
pub struct JwtAuth {
    /// Keyed with the secret.
    mac: Hmac<Sha256>,
    source: Source,
    /// Whether a client without a token is let through as nobody in particular.
    optional: bool,
    rules: Rules,
    /// The first that a token has names the user.
    user_claims: Vec<String>,
    /// Claims, and the attributes that they become.
    attributes: Vec<(String, String)>,
    rooms: Vec<Template>,
    rooms_claim: Option<String>,
    messages: Messages,
}

impl Policy for JwtAuth {
    const HOOKS: Hooks = Hooks::CONNECT;

    fn on_connect(&mut self, call: &ConnectCall<'_>) -> Admission {
        match self.identify(call.auth_text()) {
            Ok(identity) => identity.into(),
            Err(Refusal::Missing) if self.optional => Admission::Pass,
            Err(refusal) => self.messages.denial(refusal).into(),
        }
    }
}

impl JwtAuth {
    fn identify(&self, auth: &str) -> Result<Identity, Refusal> {
        let token = self.source.token(auth)?;
        let payload = token::verify(&token, &self.mac)?;
        let claims = Claims::parse(&payload)?;
        self.rules.check(&claims, current::now_ms())?;
        self.identity(&claims)
    }

    fn identity(&self, claims: &Claims<'_>) -> Result<Identity, Refusal> {
        let user = claims.user(&self.user_claims)?;
        let mut rooms = Vec::new();
        for template in &self.rooms {
            rooms.extend(template.fill(&user, claims)?);
        }
        if let Some(claim) = &self.rooms_claim {
            rooms.extend(claims.list(claim)?);
        }
        let mut attributes = Vec::new();
        for (claim, attribute) in &self.attributes {
            if let Some(value) = claims.text(claim)? {
                attributes.push((attribute.clone(), value));
            }
        }
        Ok(Identity {
            user: Some(user),
            attributes,
            rooms,
        })
    }
}

export!(JwtAuth);
