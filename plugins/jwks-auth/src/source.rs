//! Where keys come from, and how long they count.
//!
//! Every instance of the policy keeps what it has fetched; the store keeps it for the others, and for the time when
//! nobody answers. Keys that are older than `max_age` are fetched again; so are those among which a token's key is not,
//! when they are older than `refresh_after`: a new key is accepted at once, and tokens that name keys at random cost the
//! issuer one request in that time.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policy_jwt::{JwksConfig, Keys, Refusal, Token};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use sluice_plugin_sdk::{current, http, log, store};

use crate::set;

/// An issuer that does not answer is not asked again sooner: each try makes a client wait.
const PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct Source {
    config: JwksConfig,
    /// What the store calls them: keys of another address are others.
    entry: String,
    known: Option<Known>,
    /// No try before.
    paused_until: u64,
}

/// Keys that have been fetched.
struct Known {
    keys: Keys,
    /// In milliseconds since the Unix epoch.
    at: u64,
}

/// As the store has them.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    at: u64,
    #[serde(borrow)]
    set: &'a RawValue,
}

impl Source {
    pub(crate) fn new(config: JwksConfig) -> Result<Self, String> {
        if !config.url.starts_with("https://") && !config.url.starts_with("http://") {
            return Err("`jwks.url` has to begin with https:// or http://".to_owned());
        }
        for (number, pin) in config.pins.iter().enumerate() {
            if !URL_SAFE_NO_PAD
                .decode(pin)
                .is_ok_and(|hash| hash.len() == 32)
            {
                return Err(format!(
                    "`jwks.pins[{number}]`: {pin:?} is no thumbprint (RFC 7638): SHA-256 in base64url, 43 characters"
                ));
            }
        }
        if config.refresh_after() < Duration::from_secs(1) {
            return Err("`jwks.refresh_after` has to be at least 1s".to_owned());
        }
        if config.max_age() < config.refresh_after() {
            return Err("`jwks.max_age` is less than `jwks.refresh_after`".to_owned());
        }
        if config.max_stale() < config.max_age() {
            return Err("`jwks.max_stale` is less than `jwks.max_age`".to_owned());
        }
        let entry = format!(
            "keys:{}",
            URL_SAFE_NO_PAD.encode(Sha256::digest(&config.url))
        );
        Ok(Self {
            config,
            entry,
            known: None,
            paused_until: 0,
        })
    }

    /// Whether one of the published keys has signed the token.
    pub(crate) fn verify(&mut self, token: &Token<'_>) -> Result<(), Refusal> {
        let now = current::now_ms();
        if self.is_older(self.config.max_age(), now) {
            self.load(now);
        }
        if self.is_older(self.config.max_age(), now) {
            self.fetch(now);
        }
        let refusal = match self.check(token, now) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        // A token that names no key may be of one that is new.
        let may_be_new = match refusal {
            Refusal::Key => true,
            Refusal::Invalid => token.kid().is_none(),
            _ => false,
        };
        if may_be_new && self.is_older(self.config.refresh_after(), now) {
            self.load(now);
            if self.is_older(self.config.refresh_after(), now) {
                self.fetch(now);
            }
            return match self.check(token, now) {
                // Nobody could say whether there is such a key.
                Err(Refusal::Key) if now < self.paused_until => Err(self.unavailable(now)),
                result => result,
            };
        }
        Err(refusal)
    }

    fn check(&self, token: &Token<'_>, now: u64) -> Result<(), Refusal> {
        match &self.known {
            Some(known) if !self.is_older(self.config.max_stale(), now) => known.keys.verify(token),
            _ => Err(self.unavailable(now)),
        }
    }

    fn unavailable(&self, now: u64) -> Refusal {
        let wait = self.paused_until.saturating_sub(now);
        Refusal::Unavailable {
            retry_after_ms: u32::try_from(wait).unwrap_or(u32::MAX),
        }
    }

    /// Keys that are not there are older than any; those of a clock that was wrong are as old as it was wrong.
    fn is_older(&self, than: Duration, now: u64) -> bool {
        let known = self.known.as_ref();
        known.is_none_or(|known| now.abs_diff(known.at) > ms(than))
    }

    /// Takes what another instance has fetched, if it is newer.
    fn load(&mut self, now: u64) {
        let stored = store::node().get_bytes(&self.entry);
        let Ok(Some(bytes)) = stored else {
            return;
        };
        let Ok(stored) = serde_json::from_slice::<Stored<'_>>(&bytes) else {
            return;
        };
        let is_newer = |known: &Known| stored.at.abs_diff(now) < known.at.abs_diff(now);
        if self.known.as_ref().is_none_or(is_newer)
            && let Ok(keys) = set::read(stored.set.get().as_bytes(), &self.config.pins)
        {
            self.known = Some(Known {
                keys,
                at: stored.at,
            });
        }
    }

    /// Asks the issuer. What is known stays when it does not answer.
    fn fetch(&mut self, now: u64) {
        if now < self.paused_until {
            return;
        }
        match self.ask() {
            Ok((keys, body)) => {
                self.paused_until = 0;
                self.keep(now, &body);
                self.known = Some(Known { keys, at: now });
            }
            Err(why) => {
                self.paused_until = now.saturating_add(ms(PAUSE));
                let then = match &self.known {
                    Some(_) => "those from before go on serving",
                    None => "nobody whose token they would check comes in",
                };
                log::warn(format!("the keys could not be fetched, {then}: {why}"));
            }
        }
    }

    fn ask(&self) -> Result<(Keys, Vec<u8>), String> {
        let response = http::get(&*self.config.url)
            .header("accept", "application/jwk-set+json, application/json")
            // Several instances that want the same at the same time are served by one request.
            .max_age(self.config.refresh_after())
            .fetch()
            .map_err(|error| error.to_string())?;
        if response.status != 200 {
            return Err(format!("the answer has the status {}", response.status));
        }
        let keys = set::read(&response.body, &self.config.pins)?;
        if keys.is_empty() {
            // Not a failure: an issuer takes its keys back like this.
            log::warn("none of the published keys is of use");
        }
        Ok((keys, response.body))
    }

    fn keep(&self, now: u64, body: &[u8]) {
        let Ok(set) = serde_json::from_slice::<&RawValue>(body) else {
            return;
        };
        let Ok(bytes) = serde_json::to_vec(&Stored { at: now, set }) else {
            return;
        };
        let ttl = self.config.max_stale();
        if let Err(error) = store::node().set_bytes(&self.entry, &bytes, ttl) {
            log::warn(format!("the keys could not be kept for others: {error}"));
        }
    }
}

/// Saturates.
fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
