//! The way of a client through a policy that reads tokens.

use sluice_plugin_sdk::prelude::*;

use crate::claims::{Claims, Rules};
use crate::key::Algorithm;
use crate::refusal::{Messages, Refusal};
use crate::rooms::Template;
use crate::source::Source;
use crate::token::Token;

/// What is asked of tokens, and what they make of a client.
#[derive(Debug)]
pub struct Gate {
    pub(crate) source: Source,
    /// No others are looked at.
    pub(crate) algorithms: Vec<Algorithm>,
    /// Whether a client without a token is let through as nobody in particular.
    pub(crate) optional: bool,
    pub(crate) rules: Rules,
    /// The first that a token has names the user.
    pub(crate) user_claims: Vec<String>,
    /// Claims, and the attributes that they become.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) rooms: Vec<Template>,
    pub(crate) rooms_claim: Option<String>,
    pub(crate) messages: Messages,
}

impl Gate {
    /// Admits a client whose token is good; `verify` checks the signature, before anything that the token claims is
    /// looked at.
    pub fn admit(
        &self,
        call: &ConnectCall<'_>,
        verify: impl FnOnce(&Token<'_>) -> Result<(), Refusal>,
    ) -> Admission {
        match self.identify(call.auth_text(), verify) {
            Ok(identity) => identity.into(),
            Err(Refusal::Missing) if self.optional => Admission::Pass,
            Err(refusal) => self.messages.denial(refusal, &self.algorithms).into(),
        }
    }

    fn identify(
        &self,
        auth: &str,
        verify: impl FnOnce(&Token<'_>) -> Result<(), Refusal>,
    ) -> Result<Identity, Refusal> {
        let text = self.source.token(auth)?;
        let token = Token::parse(&text, &self.algorithms)?;
        verify(&token)?;
        let payload = token.payload()?;
        let claims = Claims::parse(&payload)?;
        self.rules.check(&claims, current::now_ms())?;
        self.identity(&claims)
    }

    /// When the token would be refused. The leeway is for clocks that differ, and theirs differ then as well.
    fn expires_ms(&self, claims: &Claims<'_>) -> Result<Option<u64>, Refusal> {
        let leeway = u64::try_from(self.rules.leeway.as_millis()).unwrap_or(u64::MAX);
        let expires = claims.date_ms("exp")?;
        Ok(expires.map(|at| at.saturating_add(leeway)))
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
            expires_ms: self.expires_ms(claims)?,
            token_id: token_id(claims)?,
            // Only ever looked at where the user is revoked: one that is no date is not known.
            issued_ms: claims.date_ms("iat").unwrap_or_default(),
        })
    }
}

/// The name by which the token can be revoked, if it has one. A token with a name that is too long for that is refused:
/// let in, it could not be taken back by what it says that it is called.
fn token_id(claims: &Claims<'_>) -> Result<Option<String>, Refusal> {
    match claims.scalar("jti")? {
        Some(id) if id.len() > Identity::MAX_TOKEN_ID => Err(Refusal::Malformed),
        id => Ok(id.filter(|id| !id.is_empty())),
    }
}
