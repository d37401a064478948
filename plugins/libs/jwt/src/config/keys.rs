//! The keys of signatures as they are written.

use std::time::Duration;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use sluice_plugin_sdk::config::Period;

use crate::jwk::Jwk;
use crate::key::Algorithm;
use crate::keys::NamedKey;
use crate::pem;

/// What HS256 is keyed with. It shows itself in no message: not when it has the wrong type either.
pub(super) struct Secret(String);

/// One of `algorithms`.
pub(super) struct AlgorithmName(pub(super) Algorithm);

/// One of `keys`.
#[derive(Deserialize)]
#[serde(try_from = "KeyTable")]
pub(super) struct KeyConfig(NamedKey);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    kid: Option<String>,
    alg: Option<String>,
    pem: Option<String>,
    jwk: Option<TextOrTable>,
}

/// A text can come from the environment as it is.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a JSON Web Key: a table, or its JSON text")]
enum TextOrTable {
    Text(String),
    Table(Box<Jwk>),
}

/// Where keys are fetched from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwksConfig {
    /// What is asked for them.
    pub url: String,
    #[serde(default = "max_age")]
    max_age: Period,
    #[serde(default = "refresh_after")]
    refresh_after: Period,
    #[serde(default = "max_stale")]
    max_stale: Period,
    /// Thumbprints of keys; others do not count. Empty: all count.
    #[serde(default)]
    pub pins: Vec<String>,
}

fn max_age() -> Period {
    Duration::from_secs(600).into()
}

fn refresh_after() -> Period {
    Duration::from_secs(30).into()
}

fn max_stale() -> Period {
    Duration::from_secs(24 * 3600).into()
}

// === impl Secret ===

impl Secret {
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of a tree: serde's own error would quote a number that was meant as the secret.
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) if text.is_empty() => Err(Error::custom("it is empty")),
            serde_json::Value::String(text) => Ok(Self(text)),
            _ => Err(Error::custom("it has to be a text")),
        }
    }
}

// === impl AlgorithmName ===

impl<'de> Deserialize<'de> for AlgorithmName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Algorithm::parse(&name).map(Self).ok_or_else(|| {
            let names = Algorithm::ALL.map(Algorithm::name).join(", ");
            Error::custom(format!("{name:?} is none of {names}"))
        })
    }
}

// === impl KeyConfig ===

impl KeyConfig {
    pub(super) fn key(&self) -> NamedKey {
        self.0.clone()
    }
}

impl TryFrom<KeyTable> for KeyConfig {
    type Error = String;

    fn try_from(table: KeyTable) -> Result<Self, String> {
        let KeyTable { kid, alg, pem, jwk } = table;
        let named = match (pem, jwk) {
            (Some(pem), None) => {
                let key = pem::parse(&pem).map_err(|error| format!("`pem`: {error}"))?;
                return NamedKey::new(kid, alg.as_deref(), key).map(Self);
            }
            (None, Some(jwk)) => jwk
                .read()
                .and_then(|jwk| jwk.key())
                .map_err(|error| format!("`jwk`: {error}"))?,
            _ => return Err("a key is said by `pem` or by `jwk`".to_owned()),
        };
        named.with(kid, alg.as_deref()).map(Self)
    }
}

impl TextOrTable {
    fn read(self) -> Result<Jwk, String> {
        match self {
            Self::Table(jwk) => Ok(*jwk),
            // Not with serde's error, which would quote what it has found.
            Self::Text(text) => parse(&text).ok_or_else(|| "it is no JSON Web Key".to_owned()),
        }
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

// === impl JwksConfig ===

impl JwksConfig {
    /// Fetched keys that are older are asked for again.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        self.max_age.into()
    }

    /// So long after they have been fetched an unknown key makes them be fetched again.
    #[must_use]
    pub fn refresh_after(&self) -> Duration {
        self.refresh_after.into()
    }

    /// So old they still serve when nobody answers.
    #[must_use]
    pub fn max_stale(&self) -> Duration {
        self.max_stale.into()
    }
}
