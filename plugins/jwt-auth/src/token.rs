//! The form and the signature of a token (RFC 7515, RFC 7519), before anything that it claims is looked at.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::Sha256;

use crate::refusal::Refusal;

/// More than any token needs, and little enough that checking it costs nothing to speak of.
const MAX_LEN: usize = 16 * 1024;

#[derive(Deserialize)]
struct Header {
    alg: Option<String>,
    /// Extensions that have to be understood; none of them is.
    crit: Option<IgnoredAny>,
}

/// The text of the claims of a token that this secret has signed.
///
/// The algorithm is fixed here, never taken from the token: what its header says can only lead to a refusal.
pub(crate) fn verify(token: &str, mac: &Hmac<Sha256>) -> Result<String, Refusal> {
    if token.len() > MAX_LEN {
        return Err(Refusal::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
    if payload.contains('.') {
        return Err(Refusal::Malformed);
    }
    let header: Header = serde_json::from_str(&text(header)?).map_err(|_| Refusal::Malformed)?;
    match header.alg.as_deref() {
        Some("HS256") => {}
        Some(_) => return Err(Refusal::Algorithm),
        None => return Err(Refusal::Malformed),
    }
    if header.crit.is_some() {
        return Err(Refusal::Malformed);
    }
    // What is no base64 is no signature of ours, just as one with a changed letter.
    let signature = URL_SAFE_NO_PAD
        .decode(signature)
        .map_err(|_| Refusal::Invalid)?;
    mac.clone()
        .chain_update(signed)
        // In constant time.
        .verify_slice(&signature)
        .map_err(|_| Refusal::Invalid)?;
    text(payload)
}

fn text(part: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Refusal::Malformed)?;
    String::from_utf8(bytes).map_err(|_| Refusal::Malformed)
}
