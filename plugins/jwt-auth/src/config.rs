//! The configuration as it is written, and its way to the policy.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use sluice_plugin_sdk::config::Period;

use crate::JwtAuth;
use crate::claims::Rules;
use crate::refusal::Messages;
use crate::rooms::Template;
use crate::source::Source;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    secret: Secret,
    #[serde(default)]
    from: Place,
    auth_field: Option<String>,
    header: Option<String>,
    query: Option<String>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    leeway: Period,
    #[serde(default)]
    require_exp: bool,
    #[serde(default)]
    audience: OneOrMany,
    #[serde(default)]
    issuer: OneOrMany,
    #[serde(default = "user_claims")]
    user_claims: Vec<String>,
    #[serde(default)]
    attributes: Attributes,
    #[serde(default)]
    rooms: Vec<String>,
    rooms_claim: Option<String>,
    #[serde(default)]
    messages: BTreeMap<String, String>,
}

fn user_claims() -> Vec<String> {
    vec!["sub".to_owned(), "userId".to_owned()]
}

#[derive(Default, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    #[default]
    Auth,
    Header,
    Query,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a list of claims, or a table of claim = \"attribute\""
)]
enum Attributes {
    Same(Vec<String>),
    Renamed(BTreeMap<String, String>),
}

/// The key of the signature. It shows itself in no message: not when it has the wrong type either.
struct Secret(String);

impl TryFrom<Config> for JwtAuth {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        let source = config.source()?;
        if config.user_claims.is_empty() {
            return Err("`user_claims` is empty".to_owned());
        }
        let rooms = config.rooms.iter().map(|room| Template::parse(room));
        let rooms = rooms.collect::<Result<_, _>>();
        Ok(Self {
            mac: Hmac::new_from_slice(config.secret.0.as_bytes())
                .map_err(|_| "`secret`: cannot be used as a key".to_owned())?,
            source,
            optional: config.optional,
            rules: Rules {
                leeway: config.leeway.into(),
                require_exp: config.require_exp,
                audience: config.audience.into(),
                issuer: config.issuer.into(),
            },
            user_claims: config.user_claims,
            attributes: config.attributes.into(),
            rooms: rooms.map_err(|error| format!("`rooms`: {error}"))?,
            rooms_claim: config.rooms_claim,
            messages: Messages::new(config.messages)?,
        })
    }
}

impl Config {
    /// A name for another place than the one that is looked at is a mistake worth telling.
    fn source(&self) -> Result<Source, String> {
        let place = |from: Place, key: &str, name: &Option<String>, default: &str| match name {
            Some(_) if self.from != from => Err(format!("`{key}`: `from` says to look elsewhere")),
            Some(name) if name.is_empty() => Err(format!("`{key}` is empty")),
            name => Ok(name.clone().unwrap_or_else(|| default.to_owned())),
        };
        let auth = place(Place::Auth, "auth_field", &self.auth_field, "token")?;
        let header = place(Place::Header, "header", &self.header, "authorization")?;
        let query = place(Place::Query, "query", &self.query, "token")?;
        Ok(match self.from {
            Place::Auth => Source::Auth(auth),
            Place::Header => Source::Header(header),
            Place::Query => Source::Query(query),
        })
    }
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl From<OneOrMany> for Vec<String> {
    fn from(texts: OneOrMany) -> Self {
        match texts {
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(texts) => texts,
        }
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Self::Same(Vec::new())
    }
}

impl From<Attributes> for Vec<(String, String)> {
    fn from(attributes: Attributes) -> Self {
        match attributes {
            Attributes::Same(claims) => claims
                .into_iter()
                .map(|claim| (claim.clone(), claim))
                .collect(),
            Attributes::Renamed(names) => names.into_iter().collect(),
        }
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
