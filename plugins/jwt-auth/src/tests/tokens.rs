//! Makes tokens, good and bad ones, for the tests of the policy.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

pub(super) const SECRET: &str = "a-secret-of-thirty-two-bytes-or-more";

/// Signed as it should be.
pub(super) fn token(claims: &Value) -> String {
    signed(
        &json!({"alg": "HS256", "typ": "JWT"}),
        &claims.to_string(),
        SECRET,
    )
}

/// Signed with HS256 whatever the header says.
pub(super) fn signed(header: &Value, payload: &str, secret: &str) -> String {
    let signed = unsigned(header, payload);
    let mac: Hmac<Sha256> = Hmac::new_from_slice(secret.as_bytes()).unwrap();
    let signature = mac.chain_update(&signed).finalize().into_bytes();
    format!("{signed}.{}", encode(&signature))
}

/// The part that is signed.
pub(super) fn unsigned(header: &Value, payload: &str) -> String {
    format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(payload.as_bytes())
    )
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
