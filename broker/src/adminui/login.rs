//! Who may enter: whoever knows the name and the password, or has been given a session for that before.
//!
//! A session is a text that says until when it is good, with a code over that by a key made of name and hash. So every node
//! with the same configuration knows every other's, across restarts, and nothing is kept; another password ends all.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::{Digest as _, Sha256, Sha512};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::config::{self, Secret};
use crate::event::{Code, Denial};
use crate::moment::unix_millis;

/// Passwords that are checked at a time: each costs a processor some tenths of a second, and anyone may try.
const AT_ONCE: usize = 1;

/// How long somebody may wait for that.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a session is good for.
const SESSION: Duration = Duration::from_hours(12);

/// Longest password that is looked at: bcrypt reads 72 bytes.
const LONGEST: usize = 72;

pub(super) struct Login {
    username: String,
    hash: Secret,
    key: [u8; 64],
    checking: Arc<Semaphore>,
    control: Handle,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Auth {
    username: Option<String>,
    password: Option<String>,
    session_id: Option<String>,
}

impl Login {
    pub(super) fn new(config: &config::AdminUi, control: Handle) -> Self {
        let mut key = Sha512::new();
        key.update(b"sluice admin ui session\0");
        key.update(config.username.as_bytes());
        key.update(b"\0");
        key.update(config.password.expose());
        Self {
            username: config.username.clone(),
            hash: config.password.clone(),
            key: key.finalize().into(),
            checking: Arc::new(Semaphore::new(AT_ONCE)),
            control,
        }
    }

    /// Whether a client may enter; by its password it is given a session for the next time.
    pub(super) async fn check(&self, auth: &str) -> Result<Option<String>, Denial> {
        let wrong = || Denial::broker(Code::InvalidCredentials, "invalid credentials");
        let auth: Auth = serde_json::from_str(auth).map_err(|_| wrong())?;
        if let Some(session) = &auth.session_id
            && self.is_session(session, unix_millis())
        {
            return Ok(None);
        }
        let (Some(username), Some(password)) = (auth.username, auth.password) else {
            return Err(wrong());
        };
        if password.len() > LONGEST {
            return Err(wrong());
        }
        // Both are looked at, whichever is wrong, so that how long it takes says nothing about the name.
        let is_password = self.is_password(password).await?;
        let is_name = Sha256::digest(username) == Sha256::digest(&self.username);
        match is_password && is_name {
            true => Ok(Some(self.session(unix_millis()))),
            false => Err(wrong()),
        }
    }

    async fn is_password(&self, password: String) -> Result<bool, Denial> {
        let busy = |_| Denial::broker(Code::Overloaded, "too many passwords are tried at once");
        let turn = tokio::time::timeout(PATIENCE, self.checking.clone().acquire_owned());
        let turn = turn.await.map_err(busy)?;
        let hash = self.hash.clone();
        let checked = self.control.spawn_blocking(move || {
            let _turn = turn;
            bcrypt::verify(password, hash.expose()).unwrap_or(false)
        });
        Ok(checked.await.unwrap_or(false))
    }

    fn session(&self, now: u64) -> String {
        let end = now + SESSION.as_millis() as u64;
        let mut session = end.to_be_bytes().to_vec();
        session.extend(rand::random::<[u8; 8]>());
        let code = self.code(&session).finalize().into_bytes();
        session.extend(code);
        BASE64_URL_SAFE_NO_PAD.encode(session)
    }

    fn is_session(&self, session: &str, now: u64) -> bool {
        let Ok(bytes) = BASE64_URL_SAFE_NO_PAD.decode(session) else {
            return false;
        };
        let Some((said, code)) = bytes.split_at_checked(16) else {
            return false;
        };
        let end = said.first_chunk().map_or(0, |end| u64::from_be_bytes(*end));
        // The code is compared in constant time.
        self.code(said).verify_slice(code).is_ok() && now < end
    }

    fn code(&self, said: &[u8]) -> Hmac<Sha256> {
        let mut code = Hmac::<Sha256>::new(&self.key.into());
        code.update(said);
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(username: &str) -> Login {
        let config = config::AdminUi {
            path: "/admin".to_owned(),
            username: username.to_owned(),
            // As cheap as they come.
            password: Secret::new(bcrypt::hash("changeit", 4).unwrap()),
            mode: config::UiMode::Production,
            readonly: false,
        };
        Login::new(&config, Handle::current())
    }

    #[tokio::test]
    async fn a_password_gives_a_session_and_both_open() {
        let login = login("ann");
        let auth = r#"{"username":"ann","password":"changeit"}"#;
        let session = login.check(auth).await.unwrap().expect("a session");
        let again = format!(r#"{{"sessionId":"{session}"}}"#);
        assert_eq!(login.check(&again).await.unwrap(), None);
        for wrong in [
            "{}",
            "[]",
            "null",
            r#"{"username":"ann"}"#,
            r#"{"username":"ann","password":"changeit "}"#,
            r#"{"username":"bob","password":"changeit"}"#,
            r#"{"username":"ann","password":7}"#,
            r#"{"sessionId":""}"#,
            r#"{"sessionId":"AAAAAAAAAAAAAAAAAAAAAA"}"#,
        ] {
            let denial = login.check(wrong).await.unwrap_err();
            assert_eq!(denial.code, "invalid_credentials", "{wrong}");
            assert_eq!(denial.message, "invalid credentials");
        }
    }

    #[tokio::test]
    async fn a_session_ends_and_is_nobody_elses() {
        let login = login("ann");
        let session = login.session(1_000);
        let end = 1_000 + 12 * 3_600 * 1_000;
        assert!(login.is_session(&session, end - 1));
        assert!(!login.is_session(&session, end));
        assert!(!super::tests::login("bob").is_session(&session, 1_000));
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&session).unwrap();
        bytes[0] = 0xff;
        assert!(!login.is_session(&BASE64_URL_SAFE_NO_PAD.encode(bytes), 1_000));
    }
}
