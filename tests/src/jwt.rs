//! Tokens, honest and forged, made by hand: the policy under test must not be judged by its own library.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// Seconds since the epoch.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_secs()
}

/// An HS256 token with these claims.
pub fn sign(claims: &Value, secret: &str) -> String {
    with_header(&json!({"alg": "HS256", "typ": "JWT"}), claims, secret)
}

/// An HS256 token of this user that is valid for an hour.
pub fn user(name: &str, secret: &str) -> String {
    sign(&json!({"sub": name, "exp": now() + 3600}), secret)
}

/// A token signed with HMAC-SHA256 whatever its header claims.
pub fn with_header(header: &Value, claims: &Value, secret: &str) -> String {
    let signed = format!(
        "{}.{}",
        part(header.to_string().as_bytes()),
        part(claims.to_string().as_bytes())
    );
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length will do");
    mac.update(signed.as_bytes());
    let signature = part(&mac.finalize().into_bytes());
    format!("{signed}.{signature}")
}

/// A token without a signature.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}.",
        part(header.to_string().as_bytes()),
        part(claims.to_string().as_bytes())
    )
}

fn part(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python's `hmac`.
    #[test]
    fn signatures_are_those_of_others() {
        assert_eq!(
            sign(&json!({"sub": "1234567890"}), "secret"),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.Rq8IxqeX7eA6GgYxlcHdPFVRNFFZc5rEI3MQTZZbK3I",
        );
    }
}
