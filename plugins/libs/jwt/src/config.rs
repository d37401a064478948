//! The configuration as it is written, and its way to a `Gate` and its keys.

mod keys;

use std::collections::BTreeMap;

use serde::Deserialize;
use sluice_plugin_sdk::config::Period;

use crate::claims::Rules;
use crate::gate::Gate;
use crate::key::{Algorithm, Key};
use crate::keys::{Keys, MAX_TRIES, NamedKey};
use crate::refusal::Messages;
use crate::rooms::Template;
use crate::source::Source;
pub use keys::JwksConfig;
use keys::{AlgorithmName, KeyConfig, Secret};

/// The keys of every policy that reads tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    secret: Option<Secret>,
    #[serde(default)]
    keys: Vec<KeyConfig>,
    jwks: Option<JwksConfig>,
    algorithms: Option<Vec<AlgorithmName>>,
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

/// What a configuration comes to.
pub struct Parts {
    /// What is asked of tokens.
    pub gate: Gate,
    /// The keys that are in the configuration itself.
    pub keys: Keys,
    /// Where there are more.
    pub jwks: Option<JwksConfig>,
}

/// As many keys as anyone changes over between.
const MAX_KEYS: usize = 16;

impl Config {
    /// # Errors
    ///
    /// What is wrong, with the key that it is about.
    pub fn resolve(self) -> Result<Parts, String> {
        let source = self.source()?;
        let keys = self.keys()?;
        let algorithms = self.algorithms(&keys)?;
        if self.user_claims.is_empty() {
            return Err("`user_claims` is empty".to_owned());
        }
        let rooms = self.rooms.iter().map(|room| Template::parse(room));
        let rooms = rooms.collect::<Result<_, _>>();
        let gate = Gate {
            source,
            algorithms,
            optional: self.optional,
            rules: Rules {
                leeway: self.leeway.into(),
                require_exp: self.require_exp,
                audience: self.audience.into(),
                issuer: self.issuer.into(),
            },
            user_claims: self.user_claims,
            attributes: self.attributes.into(),
            rooms: rooms.map_err(|error| format!("`rooms`: {error}"))?,
            rooms_claim: self.rooms_claim,
            messages: Messages::new(self.messages)?,
        };
        Ok(Parts {
            gate,
            keys,
            jwks: self.jwks,
        })
    }

    fn keys(&self) -> Result<Keys, String> {
        let mut keys = Vec::new();
        if let Some(secret) = &self.secret {
            let key = Key::secret(secret.text()).map_err(|error| format!("`secret`: {error}"))?;
            keys.push(NamedKey::new(None, None, key)?);
        }
        if self.keys.len() > MAX_KEYS {
            return Err(format!("`keys`: there can be {MAX_KEYS}"));
        }
        keys.extend(self.keys.iter().map(KeyConfig::key));
        let keys = Keys::new(keys);
        if keys.most_nameless() > MAX_TRIES {
            return Err(format!(
                "`keys`: {MAX_TRIES} keys for one algorithm can be without a `kid`, the others would never be tried"
            ));
        }
        Ok(keys)
    }

    /// Those that are listed, or else all that there is a key for.
    fn algorithms(&self, keys: &Keys) -> Result<Vec<Algorithm>, String> {
        let mut possible = keys.algorithms();
        if self.jwks.is_some() {
            let more = Algorithm::of_public_keys();
            possible.extend(more.filter(|one| !keys.algorithms().contains(one)));
        }
        let Some(listed) = &self.algorithms else {
            return Ok(possible);
        };
        for (number, AlgorithmName(algorithm)) in listed.iter().enumerate() {
            if !possible.contains(algorithm) {
                return Err(format!(
                    "`algorithms[{number}]`: no key is for {}",
                    algorithm.name()
                ));
            }
        }
        if listed.is_empty() {
            return Err("`algorithms` is empty, so no token would be good".to_owned());
        }
        Ok(listed.iter().map(|AlgorithmName(one)| *one).collect())
    }

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
