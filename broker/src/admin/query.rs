//! The query of a request.

use axum::http::StatusCode;

use super::describe::{Parameter, number};
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

pub(super) fn bad_parameter(name: &str, what: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_parameter", what).at(name)
}
