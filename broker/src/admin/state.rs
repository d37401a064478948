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
use super::query::{self, bad_parameter, parameters};
use crate::state::{Filter, Shown, SubjectKey};

/// What the list is of, for what is handed in where it goes on.
const STATE: &str = "state";

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PolicyStatePage")]
pub(super) struct StatePage {
    #[serde(flatten)]
    shown: Shown,
    /// What to hand in as `after` for what is behind it, if there is more of buckets or of entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Cleared")]
pub(crate) struct Cleared {
    /// Buckets and entries that are no more, those of all nodes added up.
    pub removed: u64,
    /// Nodes that did not answer, and may still have theirs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
}

/// What the query of a request says.
struct Asked {
    filter: Filter,
    limit: Option<String>,
    after: Option<String>,
    /// A parameter is there that narrows what is meant, whether it says anything or not.
    narrows: bool,
}

pub(super) async fn show(
    State(node): State<Arc<dyn Node>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Json<StatePage>, Problem> {
    let name = name.map_err(|_| unknown())?;
    let asked = Asked::read(query.as_deref())?;
    let limit = query::limit(asked.limit)?;
    let after = query::after(asked.after, STATE)?.unwrap_or_default();
    let shown = node.state(&name, &asked.filter, &after, limit);
    let mut shown = shown.ok_or_else(unknown)?;
    let next = shown.next.take();
    Ok(Json(StatePage {
        next: query::next(next.is_some(), next, STATE),
        shown,
    }))
}

pub(super) async fn clear(
    State(node): State<Arc<dyn Node>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<(Extension<Did>, Json<Cleared>), Problem> {
    let name = name.map_err(|_| unknown())?;
    let asked = Asked::read(query.as_deref())?;
    let part = [("limit", asked.limit), ("after", asked.after)];
    if let Some((name, _)) = part.into_iter().find(|(_, value)| value.is_some()) {
        let what = "a part of what is meant is not cleared";
        return Err(bad_parameter(name, what));
    }
    if asked.narrows && asked.filter == Filter::default() {
        // A prefix that came out empty by mistake must not clear everything.
        let what = "it is empty; leave it out to clear everything";
        return Err(bad_parameter("prefix", what));
    }
    let cleared = node.clear_state(name.0, asked.filter).await;
    let cleared = cleared.ok_or_else(unknown)?;
    let did = Did(format!("{} buckets and entries", cleared.removed));
    Ok((Extension(did), Json(cleared)))
}

// === impl Asked ===

impl Asked {
    fn read(query: Option<&str>) -> Result<Self, Problem> {
        let known = ["prefix", "subject", "limit", "after"];
        let [prefix, subject, limit, after] = parameters(query, known)?;
        let narrows = prefix.is_some() || subject.is_some();
        let subject = subject.map(|it| it.parse::<SubjectKey>()).transpose();
        let subject = subject.map_err(|error| bad_parameter("subject", error.to_string()))?;
        Ok(Self {
            filter: Filter {
                prefix: prefix.unwrap_or_default(),
                subject,
            },
            limit,
            after,
            narrows,
        })
    }
}

fn unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown_policy",
        "no policy of this name serves, or has served since the start",
    )
}
