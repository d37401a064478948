//! Where a client presents its token.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sluice_plugin_sdk::current;

use crate::refusal::Refusal;

/// One place to look, with the name to look for.
#[derive(Debug)]
pub(crate) enum Source {
    /// A field of what the client sends with its CONNECT: `io(url, { auth: { token } })`.
    Auth(String),
    /// A header of the handshake, with or without `Bearer` before the token.
    Header(String),
    /// A parameter of the handshake's query.
    Query(String),
}

impl Source {
    pub(crate) fn token(&self, auth: &str) -> Result<String, Refusal> {
        let token = match self {
            Self::Auth(field) => field_of(auth, field)?,
            Self::Header(name) => current::header(name).map(without_scheme),
            Self::Query(name) => current::query(name),
        };
        token
            .filter(|token| !token.is_empty())
            .ok_or(Refusal::Missing)
    }
}

fn field_of(auth: &str, field: &str) -> Result<Option<String>, Refusal> {
    // Whatever is no object has no such field.
    let Ok(mut fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(auth) else {
        return Ok(None);
    };
    fields
        .remove(field)
        .map_or(Ok(None), |value| serde_json::from_str(value.get()))
        .map_err(|_| Refusal::Malformed)
}

/// RFC 6750; the name of a scheme is case-insensitive.
fn without_scheme(header: String) -> String {
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim().to_owned(),
        _ if header.eq_ignore_ascii_case("bearer") => String::new(),
        _ => header,
    }
}
