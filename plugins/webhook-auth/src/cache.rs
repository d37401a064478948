//! Whom the back end has admitted, for as long as the operator lets it count. Denials are asked for anew each time: who
//! has just got a right should not have to wait for it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sluice_plugin_sdk::{Identity, current, log, store};

/// Kept in the store, so that all instances share it, under a hash of all that the answer depends on: nobody learns from
/// the store what a client has authenticated with.
pub(crate) struct Cache {
    /// What is asked how, before the question itself.
    seed: Sha256,
    time: Duration,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    user: Option<String>,
    attributes: Vec<(String, String)>,
    rooms: Vec<String>,
    #[serde(default)]
    expires_ms: Option<u64>,
    #[serde(default)]
    token_id: Option<String>,
    #[serde(default)]
    issued_ms: Option<u64>,
}

impl Cache {
    pub(crate) fn new(time: Duration, url: &str, request_headers: &[(String, String)]) -> Self {
        let mut seed = Sha256::new();
        for part in [url].into_iter().chain(
            request_headers
                .iter()
                .flat_map(|(name, value)| [&**name, &**value]),
        ) {
            // Its length first, so that no two lists of parts are the same bytes.
            seed.update(part.len().to_le_bytes());
            seed.update(part);
        }
        Self { seed, time }
    }

    pub(crate) fn find(&self, body: &str) -> Option<Identity> {
        let bytes = store::node().get_bytes(&self.key(body)).ok()??;
        let stored: Stored = serde_json::from_slice(&bytes).ok()?;
        // Who comes after the end may have been given a new one.
        let is_over = |at: u64| at <= current::now_ms();
        if stored.expires_ms.is_some_and(is_over) {
            return None;
        }
        Some(Identity {
            user: stored.user,
            attributes: stored.attributes,
            rooms: stored.rooms,
            expires_ms: stored.expires_ms,
            token_id: stored.token_id,
            issued_ms: stored.issued_ms,
        })
    }

    pub(crate) fn keep(&self, body: &str, identity: &Identity) {
        let stored = Stored {
            user: identity.user.clone(),
            attributes: identity.attributes.clone(),
            rooms: identity.rooms.clone(),
            expires_ms: identity.expires_ms,
            token_id: identity.token_id.clone(),
            issued_ms: identity.issued_ms,
        };
        let kept = store::node().set(&self.key(body), &stored, self.time);
        if let Err(error) = kept {
            log::warn(format!("an answer could not be remembered: {error}"));
        }
    }

    fn key(&self, body: &str) -> String {
        let hash = self.seed.clone().chain_update(body).finalize();
        format!("admitted:{}", URL_SAFE_NO_PAD.encode(hash))
    }
}
