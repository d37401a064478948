//! The form of a token (RFC 7515, RFC 7519), before anything that it claims is looked at.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::key::{Algorithm, Key};
use crate::refusal::Refusal;

/// More than any token needs, and little enough that checking it costs nothing to speak of.
const MAX_LEN: usize = 16 * 1024;

/// A token that is signed by nobody knows whom yet.
pub struct Token<'a> {
    /// Header and payload as they were signed.
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: Option<String>,
    kid: Option<String>,
    /// Extensions that have to be understood; none of them is.
    crit: Option<IgnoredAny>,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    ///
    /// [`Refusal::Algorithm`] when it is signed by an algorithm that is not among these; what is malformed otherwise.
    pub(crate) fn parse(text: &'a str, allowed: &[Algorithm]) -> Result<Self, Refusal> {
        if text.len() > MAX_LEN {
            return Err(Refusal::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        if payload.contains('.') {
            return Err(Refusal::Malformed);
        }
        let header: Header =
            serde_json::from_str(&self::text(header)?).map_err(|_| Refusal::Malformed)?;
        let algorithm = header.alg.as_deref().ok_or(Refusal::Malformed)?;
        let algorithm = Algorithm::parse(algorithm)
            .filter(|one| allowed.contains(one))
            .ok_or(Refusal::Algorithm)?;
        if header.crit.is_some() {
            return Err(Refusal::Malformed);
        }
        // What is no base64 is no signature of ours, just as one with a changed letter.
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| Refusal::Invalid)?;
        Ok(Self {
            signed,
            payload,
            signature,
            algorithm,
            kid: header.kid,
        })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What the token calls the key that has signed it.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(crate) fn is_signed_by(&self, key: &Key) -> bool {
        key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature)
    }

    /// The text of what it claims, which counts for nothing before the signature has been checked.
    pub(crate) fn payload(&self) -> Result<String, Refusal> {
        text(self.payload)
    }
}

fn text(part: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Refusal::Malformed)?;
    String::from_utf8(bytes).map_err(|_| Refusal::Malformed)
}
