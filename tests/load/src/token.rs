//! JSON Web Tokens signed with HS256: what clients present, and what the native twin checks.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;

const HOUR: u64 = 3600;

#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Claims {
    pub sub: String,
    pub exp: u64,
}

/// A token of this user that is valid for an hour.
pub fn sign(user: &str, secret: &str) -> String {
    let exp = seconds() + HOUR;
    let mut token = BASE64_URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(format!(r#"{{"sub":"{user}","exp":{exp}}}"#), &mut token);
    let signature = mac(secret, &token).finalize().into_bytes();
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// What a token claims, if this secret signed it and it has not expired.
pub fn verify(token: &str, secret: &str) -> Option<Claims> {
    #[derive(Deserialize)]
    struct Header {
        alg: String,
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Header = part(header)?;
    if header.alg != "HS256" {
        return None;
    }
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    mac(secret, signed).verify_slice(&signature).ok()?;
    part(claims).filter(|claims: &Claims| claims.exp > seconds())
}

fn part<T: for<'a> Deserialize<'a>>(text: &str) -> Option<T> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn mac(secret: &str, signed: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length will do");
    mac.update(signed.as_bytes());
    mac
}

fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_valid_for_its_secret_only() {
        let token = sign("user-1", "secret");
        assert_eq!(verify(&token, "secret").unwrap().sub, "user-1");
        assert_eq!(verify(&token, "other"), None);
        assert_eq!(verify(&token[..token.len() - 1], "secret"), None);
        assert_eq!(verify("", "secret"), None);
    }
}
