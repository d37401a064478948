//! `/api/v1/drain`: the node is emptied of its clients, and then ends, or stays until it is told to serve again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{accept_json, parse, unreadable, wrong};
use super::audit::Did;
use super::breaker::iso_if_any;
use super::node::{Iso, Node};
use super::problem::Problem;
use crate::drain::Ending;

/// As long as any period of the configuration may be.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// How far the node is emptied of its clients.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub(crate) struct DrainInfo {
    pub state: DrainState,
    /// Whether the process ends when nobody is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<bool>,
    #[serde(serialize_with = "iso_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Iso>")]
    pub started: Option<SystemTime>,
    /// Over which clients are closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_seconds: Option<f64>,
    /// Sockets when it began, those of them that are gone, and those that are not.
    pub total: usize,
    pub closed: usize,
    pub left: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DrainState {
    Serving,
    Draining,
    /// Nobody is left.
    Drained,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DrainBody {
    /// Time over which clients are closed, such as `5m`; `server.drain_period` without this.
    period: Option<String>,
    /// Whether the process ends when nobody is left; `true` without this.
    exit: Option<bool>,
}

pub(super) async fn show(State(node): State<Arc<dyn Node>>) -> Json<DrainInfo> {
    Json(node.drain())
}

pub(super) async fn begin(
    State(node): State<Arc<dyn Node>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Extension<Did>, Json<DrainInfo>), Problem> {
    let body = body.map_err(unreadable)?;
    let body: DrainBody = match body.is_empty() {
        true => DrainBody::default(),
        false => accept_json(&headers).and_then(|()| parse(&body))?,
    };
    let period = body.period.as_deref().map(period).transpose()?;
    let exit = body.exit.unwrap_or(true);
    let info = node.begin_drain(period, exit).map_err(ending)?;
    let did = Did(format!("drain of {} sockets, exit {exit}", info.total));
    Ok((StatusCode::ACCEPTED, Extension(did), Json(info)))
}

pub(super) async fn undo(State(node): State<Arc<dyn Node>>) -> Result<Json<DrainInfo>, Problem> {
    node.undo_drain().map(Json).map_err(ending)
}

fn period(text: &str) -> Result<Duration, Problem> {
    let period = humantime::parse_duration(text).ok();
    period.filter(|it| *it <= LONGEST).ok_or_else(|| {
        let what = "expected a time such as \"30s\" or \"5m\", up to 24 days";
        wrong("bad_field", what).at("period")
    })
}

fn ending(ending: Ending) -> Problem {
    Problem::new(StatusCode::CONFLICT, "ending", ending.to_string())
}
