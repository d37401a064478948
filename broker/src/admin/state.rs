//! `/api/v1/policies/{name}/state`: what a policy has counted and stored, and how to be rid of it.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;

use super::audit::Did;
use super::node::Node;
use super::problem::Problem;
use crate::state::{Filter, Shown};

/// Buckets, and entries, that an answer lists where the request does not say how many.
const LIMIT: usize = 100;

const MAX_LIMIT: usize = 10_000;

#[derive(Serialize, JsonSchema)]
pub(super) struct Cleared {
    /// Buckets and entries that are no more.
    removed: usize,
}

/// What the query of a request says.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    filter: Filter,
    limit: Option<usize>,
    /// A parameter is there that narrows what is meant, whether it says anything or not.
    narrows: bool,
}

pub(super) async fn show(
    State(node): State<Arc<dyn Node>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Json<Shown>, Problem> {
    let name = name.map_err(|_| unknown())?;
    let asked = Asked::read(query.as_deref())?;
    let limit = asked.limit.unwrap_or(LIMIT);
    node.state(&name, &asked.filter, limit)
        .map(Json)
        .ok_or_else(unknown)
}

pub(super) async fn clear(
    State(node): State<Arc<dyn Node>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<(Extension<Did>, Json<Cleared>), Problem> {
    let name = name.map_err(|_| unknown())?;
    let asked = Asked::read(query.as_deref())?;
    if asked.limit.is_some() {
        return Err(wrong("a part of what is meant is not cleared").at("limit"));
    }
    if asked.narrows && asked.filter == Filter::default() {
        // A prefix that came out empty by mistake must not clear everything.
        return Err(wrong("it is empty; leave it out to clear everything").at("prefix"));
    }
    node.clear_state(&name, &asked.filter)
        .map(|removed| {
            let did = Did(format!("{removed} buckets and entries"));
            (Extension(did), Json(Cleared { removed }))
        })
        .ok_or_else(unknown)
}

// === impl Asked ===

impl Asked {
    fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut asked = Self::default();
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if seen.contains(&name) {
                return Err(wrong("it is there twice").at(name));
            }
            asked.take(&name, &value)?;
            seen.push(name);
        }
        Ok(asked)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        match name {
            "prefix" => {
                value.clone_into(&mut self.filter.prefix);
                self.narrows = true;
            }
            "subject" => {
                let subject = value.parse().map_err(|error| wrong(error).at(name))?;
                self.filter.subject = Some(subject);
                self.narrows = true;
            }
            "limit" => match value.parse() {
                Ok(limit @ 1..=MAX_LIMIT) => self.limit = Some(limit),
                _ => {
                    let expected = format!("expected a number from 1 to {MAX_LIMIT}");
                    return Err(wrong(expected).at(name));
                }
            },
            _ => return Err(wrong("expected `prefix`, `subject` or `limit`").at(name)),
        }
        Ok(())
    }
}

fn wrong(detail: impl ToString) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_parameter", detail.to_string())
}

fn unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown_policy",
        "no policy of this name serves, or has served since the start",
    )
}
