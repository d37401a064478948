//! The query of a request.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::describe::{Parameter, number, text};
use super::problem::Problem;

/// What an answer lists where the request does not say how much.
const LIMIT: usize = 100;
const MAX_LIMIT: usize = 10_000;

/// What is said of the parameter that [`limit`] reads.
pub(super) const LISTED: Parameter = number(
    "limit",
    1,
    MAX_LIMIT as u64,
    "How many are listed; 100 without this.",
);

/// What is said of the parameter that [`after`] reads.
pub(super) const AFTER: Parameter = text(
    "after",
    "Where the list goes on: what `next` was in the answer before.",
);

/// A parameter that should not be there.
pub(super) enum Odd {
    Unknown(String),
    Twice(String),
}

/// The values of these parameters: each once, and no others.
pub(super) fn each_once<const N: usize>(
    query: Option<&str>,
    known: [&str; N],
) -> Result<[Option<String>; N], Odd> {
    let mut values = [const { None }; N];
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let place = known.iter().zip(&mut values).find(|(it, _)| **it == name);
        let Some((_, place)) = place else {
            return Err(Odd::Unknown(name.into_owned()));
        };
        if place.replace(value.into_owned()).is_some() {
            return Err(Odd::Twice(name.into_owned()));
        }
    }
    Ok(values)
}

/// The same, or what the client is told.
pub(super) fn parameters<const N: usize>(
    query: Option<&str>,
    known: [&str; N],
) -> Result<[Option<String>; N], Problem> {
    each_once(query, known).map_err(|odd| match odd {
        Odd::Unknown(name) => bad_parameter(&name, format!("expected one of {}", known.join(", "))),
        Odd::Twice(name) => bad_parameter(&name, "it is there twice"),
    })
}

/// How much is listed at most.
pub(super) fn limit(value: Option<String>) -> Result<usize, Problem> {
    match value.map(|it| it.parse()) {
        None => Ok(LIMIT),
        Some(Ok(limit @ 1..=MAX_LIMIT)) => Ok(limit),
        Some(_) => {
            let what = format!("expected a number from 1 to {MAX_LIMIT}");
            Err(bad_parameter("limit", what))
        }
    }
}

/// Where a list goes on, from what an earlier answer of the same kind ended with. Opaque to whoever hands it back, so that a
/// later version may put something else into it.
pub(super) fn after<K: DeserializeOwned>(
    value: Option<String>,
    list: &str,
) -> Result<Option<K>, Problem> {
    let Some(value) = value else {
        return Ok(None);
    };
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(value.as_bytes()).ok();
    let read = bytes.and_then(|bytes| serde_json::from_slice::<(String, K)>(&bytes).ok());
    match read {
        Some((of, key)) if of == list => Ok(Some(key)),
        _ => {
            let what = format!("expected what `next` was in an earlier answer to a list of {list}");
            Err(bad_parameter("after", what))
        }
    }
}

/// What the answer says where the list goes on behind its last item, if there is more.
pub(super) fn next<K: Serialize>(truncated: bool, last: Option<K>, list: &str) -> Option<String> {
    let last = last.filter(|_| truncated)?;
    let json = serde_json::to_vec(&(list, last)).ok()?;
    Some(BASE64_URL_SAFE_NO_PAD.encode(json))
}

pub(super) fn bad_parameter(name: &str, what: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_parameter", what).at(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_back_is_where_it_goes_on() {
        let key = ("a\0ü".to_owned(), 7_u64);
        assert_eq!(next(false, Some(&key), "rooms"), None);
        let cursor = next(true, Some(&key), "rooms").expect("there is more");
        let read = |value: &str, list| after::<(String, u64)>(Some(value.to_owned()), list);
        assert_eq!(read(&cursor, "rooms").ok().flatten(), Some(key));
        let half = cursor.get(..cursor.len() / 2).unwrap_or_default();
        let other = next(true, Some("x"), "rooms").expect("there is more");
        for (bad, list) in [
            (&*cursor, "sockets"),
            (half, "rooms"),
            (&other, "rooms"),
            ("", "rooms"),
            ("%", "rooms"),
        ] {
            assert!(read(bad, list).is_err(), "{bad} of {list}");
        }
    }
}
