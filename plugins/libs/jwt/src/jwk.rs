//! Public keys as JSON (RFC 7517, RFC 8037), and their thumbprints (RFC 7638).

use std::cell::OnceCell;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::key::{Algorithm, Key};
use crate::keys::{Made, NamedKey};

/// A key as it is published. Members that nothing here needs are ignored, as the standard asks.
#[derive(Debug, Clone, Deserialize)]
pub struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// There where the key is a private one.
    d: Option<serde::de::IgnoredAny>,
}

impl Jwk {
    /// The key, made and checked.
    ///
    /// # Errors
    ///
    /// Why it is no key that could check the signature of a token.
    pub fn key(&self) -> Result<NamedKey, String> {
        self.algorithms()?;
        NamedKey::new(self.kid.clone(), self.alg.as_deref(), self.make()?)
    }

    /// A key that is made when it is first needed, and may turn out to be none then.
    ///
    /// # Errors
    ///
    /// Why it can be no key that could check the signature of a token, whatever its numbers are.
    pub fn into_key(self) -> Result<NamedKey, String> {
        let (kid, alg) = (self.kid.clone(), self.alg.clone());
        let key = NamedKey {
            kid: None,
            algorithms: self.algorithms()?.to_vec(),
            key: Made::Later(Box::new(self), OnceCell::new()),
        };
        key.with(kid, alg.as_deref())
    }

    /// What a key of this kind is for.
    fn algorithms(&self) -> Result<&'static [Algorithm], String> {
        if self.d.is_some() {
            return Err(
                "it is a private key; whoever checks signatures needs the public one only"
                    .to_owned(),
            );
        }
        if self
            .r#use
            .as_deref()
            .is_some_and(|purpose| purpose != "sig")
        {
            return Err("`use`: it is not for signatures".to_owned());
        }
        if let Some(operations) = &self.key_ops
            && !operations.iter().any(|operation| operation == "verify")
        {
            return Err("`key_ops`: `verify` is not among them".to_owned());
        }
        match (&*self.kty, self.crv.as_deref()) {
            ("RSA", _) => Ok(Algorithm::RSA),
            ("EC", Some("P-256")) => Ok(Algorithm::P256),
            ("EC", Some("P-384")) => Ok(Algorithm::P384),
            ("OKP", Some("Ed25519")) => Ok(Algorithm::ED25519),
            ("EC" | "OKP", _) => {
                Err("`crv`: there are \"P-256\", \"P-384\" and \"Ed25519\"".to_owned())
            }
            ("oct", _) => Err("`kty`: a secret is no public key".to_owned()),
            _ => Err("`kty`: there are \"RSA\", \"EC\" and \"OKP\"".to_owned()),
        }
    }

    /// The key of a kind that is known.
    pub(crate) fn make(&self) -> Result<Key, String> {
        match &*self.kty {
            "RSA" => Key::rsa(&bytes("n", &self.n)?, &bytes("e", &self.e)?),
            "EC" => {
                let (x, y) = (bytes("x", &self.x)?, bytes("y", &self.y)?);
                let is_p384 = self.crv.as_deref() == Some("P-384");
                let len = if is_p384 { 48 } else { 32 };
                if x.len() != len || y.len() != len {
                    return Err(format!("`x` and `y` have {len} bytes each"));
                }
                let point = [&[4], &*x, &*y].concat();
                if is_p384 {
                    Key::p384(&point)
                } else {
                    Key::p256(&point)
                }
            }
            _ => Key::ed25519(&bytes("x", &self.x)?),
        }
    }

    /// Names the key by what it is: SHA-256 in base64url of the members that make it, in the order of the alphabet.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let members: &[(&str, Option<&str>)] = &[
            ("crv", self.crv.as_deref()),
            ("e", self.e.as_deref()),
            ("kty", Some(&self.kty)),
            ("n", self.n.as_deref()),
            ("x", self.x.as_deref()),
            ("y", self.y.as_deref()),
        ];
        let wanted: &[&str] = match &*self.kty {
            "RSA" => &["e", "kty", "n"],
            "EC" => &["crv", "kty", "x", "y"],
            _ => &["crv", "kty", "x"],
        };
        let members = members
            .iter()
            .filter(|(name, _)| wanted.contains(name))
            .map(|(name, value)| {
                let value = serde_json::Value::from(value.unwrap_or_default());
                format!("\"{name}\":{value}")
            });
        let json = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        URL_SAFE_NO_PAD.encode(Sha256::digest(json))
    }
}

fn bytes(name: &str, value: &Option<String>) -> Result<Vec<u8>, String> {
    let value = value
        .as_deref()
        .ok_or_else(|| format!("`{name}` is missing"))?;
    URL_SAFE_NO_PAD
        .decode(value)
        .map_err(|_| format!("`{name}` is not base64url"))
}
