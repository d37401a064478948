//! `POST /api/v1/record`: what clients do from now on, a line each, in the format that `sluice policy test` plays.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use schemars::JsonSchema;
use serde::Deserialize;

use super::api::{accept_json, parse, unreadable, wrong};
use super::node::Node;
use super::problem::Problem;
use crate::glob::Glob;
use crate::record::Wanted;
use crate::redact::Redact;
use crate::telemetry::metrics::Hook;

/// The longest recording, and the most lines of one.
const MAX_SECONDS: u64 = 300;
const MAX_LINES: usize = 100_000;
const MAX_BYTES: usize = 1 << 30;

/// Globs and headers that a request names: each is looked at for every event.
const MAX_NAMES: usize = 64;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RecordBody {
    /// How long at most: up to 300.
    seconds: u64,
    /// How many lines at most: up to 100000.
    limit: usize,
    /// How long they are together at most: up to 1 GiB.
    max_bytes: usize,
    /// Only what clients of this namespace do.
    namespace: Option<String>,
    /// Only events of these names; `*` stands for any characters.
    events: Vec<String>,
    /// Only these; all without this.
    hooks: Vec<Hook>,
    redact: Redact,
    /// Headers of the handshake that are recorded.
    headers: Vec<String>,
    /// What clients authenticate with is recorded.
    auth: bool,
}

impl Default for RecordBody {
    fn default() -> Self {
        Self {
            seconds: 60,
            limit: 10_000,
            max_bytes: 64 << 20,
            namespace: None,
            events: Vec::new(),
            hooks: Vec::new(),
            redact: Redact::default(),
            headers: Vec::new(),
            auth: false,
        }
    }
}

pub(super) async fn record(
    State(node): State<Arc<dyn Node>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let recording = accept_json(&headers)
        .and_then(|()| body.map_err(unreadable))
        .and_then(|body| parse(&body))
        .and_then(wanted)
        .and_then(|wanted| node.record(wanted).map_err(|_| busy()));
    match recording {
        Ok(recording) => {
            let lines = stream::unfold(recording, async |mut recording| {
                let line = recording.next().await?;
                Some((Ok::<_, Infallible>(Bytes::from(line)), recording))
            });
            let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
            (kind, Body::from_stream(lines)).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "recording",
        "somebody else records already, and one recording is made at a time",
    )
}

fn wanted(body: RecordBody) -> Result<Wanted, Problem> {
    let bounds = [
        ("seconds", body.seconds as usize, MAX_SECONDS as usize),
        ("limit", body.limit, MAX_LINES),
        ("max_bytes", body.max_bytes, MAX_BYTES),
    ];
    for (field, value, most) in bounds {
        if !(1..=most).contains(&value) {
            let detail = format!("expected a number from 1 to {most}");
            return Err(wrong("bad_field", detail).at(field));
        }
    }
    for (field, names) in [("events", &body.events), ("headers", &body.headers)] {
        if names.len() > MAX_NAMES {
            return Err(wrong("bad_field", format!("expected at most {MAX_NAMES}")).at(field));
        }
    }
    let headers = body.headers.iter().map(|name| {
        let name = name.parse::<HeaderName>();
        name.map(|name| name.as_str().to_owned())
            .map_err(|_| wrong("bad_field", "expected names of headers").at("headers"))
    });
    Ok(Wanted {
        time: Duration::from_secs(body.seconds),
        lines: body.limit,
        bytes: body.max_bytes,
        namespace: body.namespace,
        events: body.events.iter().map(|glob| Glob::new(glob)).collect(),
        hooks: body.hooks,
        redact: body.redact,
        headers: headers.collect::<Result<_, _>>()?,
        auth: body.auth,
    })
}
