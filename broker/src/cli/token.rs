//! `sluice token`: a signed token for trying a policy, so that no other tool is needed.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::Exit;

/// A JSON Web Token with `iat` and `exp` (RFC 7519).
#[derive(clap::Args)]
pub(super) struct Token {
    /// The key to sign with
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, value_name = "TEXT")]
    secret: String,
    /// The user: claim `sub`
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Another claim; VALUE is JSON, or else a text (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = claim)]
    claim: Vec<(String, Value)>,
    /// How long the token is valid
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    expires: Duration,
    /// Whom the token is for: claim `aud`
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// Who made the token: claim `iss`
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
}

/// The secret stays out of it, and claims may be as private.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

impl Token {
    pub(super) fn sign(&self) -> Result<String, Exit> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.sign_at(now).map_err(Exit::Failed)
    }

    fn sign_at(&self, now: Duration) -> anyhow::Result<String> {
        anyhow::ensure!(!self.secret.is_empty(), "the secret is empty");
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
        let claims = URL_SAFE_NO_PAD.encode(Value::Object(self.claims(now)).to_string());
        let mut signature = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes())?;
        signature.update(format!("{header}.{claims}").as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.finalize().into_bytes());
        Ok(format!("{header}.{claims}.{signature}"))
    }

    /// What `--claim` says comes last, so that a token can be made wrong on purpose.
    fn claims(&self, now: Duration) -> Map<String, Value> {
        let named = [
            ("sub", &self.user),
            ("aud", &self.audience),
            ("iss", &self.issuer),
        ];
        let named = named.into_iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some((name.to_owned(), Value::from(value.as_str())))
        });
        let expires = now.saturating_add(self.expires).as_secs();
        [("iat", now.as_secs()), ("exp", expires)]
            .map(|(name, seconds)| (name.to_owned(), Value::from(seconds)))
            .into_iter()
            .chain(named)
            .chain(self.claim.iter().cloned())
            .collect()
    }
}

fn claim(text: &str) -> Result<(String, Value), &'static str> {
    let (name, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        token: Token,
    }

    fn token(arguments: &[&str]) -> Token {
        Cli::parse_from([&["token"], arguments].concat()).token
    }

    fn claims(token: &str) -> Value {
        let claims = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    }

    /// The example of RFC 7515, appendix A.1, cannot be used: its header has a line break. This one was made with
    /// Python's hmac and hashlib.
    #[test]
    fn is_what_others_make() {
        let token = token(&["--secret", "test", "--user", "ann"]);
        assert_eq!(
            token.sign_at(Duration::from_secs(1_000_000)).unwrap(),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjEwMDM2MDAsImlhdCI6MTAwMDAwMCwic3ViIjoiYW5uIn0.\
             S4klsgUxkn7oLHV-kVEbGT-utytuJREcIGHfAI6MC-0"
        );
    }

    #[test]
    fn carries_the_claims() {
        let token = token(&[
            "--secret=x",
            "--user=ann",
            "--audience=chat",
            "--issuer=me",
            "--expires=2m",
            "--claim=role=admin",
            "--claim=rooms=[\"a\",\"b\"]",
            "--claim=n=5",
            "--claim=text=a=b",
            "--claim=iat=1",
        ]);
        let token = token.sign_at(Duration::from_secs(100)).unwrap();
        let expected = json!({
            "iat": 1, "exp": 220, "sub": "ann", "aud": "chat", "iss": "me",
            "role": "admin", "rooms": ["a", "b"], "n": 5, "text": "a=b",
        });
        assert_eq!(claims(&token), expected);
    }

    #[test]
    fn shows_no_secret() {
        let token = token(&["--secret=hunter2"]);
        assert!(!format!("{token:?}").contains("hunter2"));
        let empty = Cli::parse_from(["token", "--secret="]).token;
        assert!(empty.sign_at(Duration::ZERO).is_err());
        let wrong = Cli::try_parse_from(["token", "--secret=hunter2", "--expires=x"]);
        assert!(!wrong.unwrap_err().to_string().contains("hunter2"));
    }
}
