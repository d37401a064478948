//! What a connect hook says of the identity that it is about to answer: until when it counts, and by which name it can be
//! revoked.

use super::Host;
use crate::event::{Client, Grant};
use crate::plugin::bindings::session;

/// Bytes of a token's name; whoever revokes it has to write it.
pub(crate) const LONGEST_TOKEN: usize = 1024;

impl session::Host for Host {
    fn expires(&mut self, at_ms: u64) {
        let grant = Grant {
            expires_ms: Some(at_ms).into(),
            ..Grant::default()
        };
        self.vouch(grant);
    }

    fn token(&mut self, id: Option<String>, issued_ms: Option<u64>) -> Result<(), String> {
        let bytes = id.as_ref().map_or(0, String::len);
        if id.is_some() && !(1..=LONGEST_TOKEN).contains(&bytes) {
            return Err(format!("a token's id has 1 to {LONGEST_TOKEN} bytes"));
        }
        let grant = Grant {
            token: id.map(Into::into),
            issued_ms: issued_ms.into(),
            ..Grant::default()
        };
        self.vouch(grant);
        Ok(())
    }

    fn is_refresh(&mut self) -> bool {
        let is_in = |client: &Client| {
            let identity = client.identity.read();
            identity.grant.as_ref().is_some_and(|it| it.is_refresh)
        };
        self.client().is_some_and(|client| is_in(client))
    }
}

impl Host {
    /// Where it means nothing it is forgotten: it is no effect of any other hook.
    fn vouch(&mut self, grant: Grant) {
        let is_event = |current: &super::Current| current.event.is_some();
        if !self.current.as_ref().is_none_or(is_event) {
            self.wanted.vouch(grant);
        }
    }
}
