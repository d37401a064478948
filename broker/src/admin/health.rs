//! The probes: whether the process serves at all, and whether it should get new clients.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::node::{Node, Reason};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

#[derive(Serialize, JsonSchema)]
pub(super) struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Reason>,
    /// Keys of the configuration that keep their values until a restart, which makes nobody unready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    restart_needed: Vec<String>,
}

/// The status, content type and body of a probe, for the public listener; `None` for any other path. What a reason
/// says beyond its code is left out: it names files of this machine, and here anyone may ask.
pub(crate) fn probe(path: &str, node: &dyn Node) -> Option<(u16, &'static str, String)> {
    match path {
        "/healthz" => {
            let (status, body) = health(node);
            Some((status.as_u16(), TEXT, body))
        }
        "/readyz" => {
            let mut reasons = node.not_ready();
            for reason in &mut reasons {
                reason.message.clear();
            }
            let (status, body) = readiness(reasons, Vec::new());
            Some((status.as_u16(), JSON, body))
        }
        _ => None,
    }
}

pub(super) async fn healthz(State(node): State<Arc<dyn Node>>) -> Response {
    let (status, body) = health(&*node);
    (status, [(header::CONTENT_TYPE, TEXT)], body).into_response()
}

/// A process that answers may still have clients that nobody serves.
fn health(node: &dyn Node) -> (StatusCode, String) {
    let silent = node.silent_reactors();
    if silent.is_empty() {
        return (StatusCode::OK, "ok".to_owned());
    }
    let silent: Vec<_> = silent.iter().map(ToString::to_string).collect();
    let body = format!("reactors that do not answer: {}", silent.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, body)
}

pub(super) async fn readyz(State(node): State<Arc<dyn Node>>) -> Response {
    let waiting = node.restart_needed();
    let keys = waiting.into_iter().map(|change| change.key).collect();
    let (status, body) = readiness(node.not_ready(), keys);
    (status, [(header::CONTENT_TYPE, JSON)], body).into_response()
}

fn readiness(reasons: Vec<Reason>, restart_needed: Vec<String>) -> (StatusCode, String) {
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let readiness = Readiness {
        ready: reasons.is_empty(),
        reasons,
        restart_needed,
    };
    // Plain data always serializes.
    let body = serde_json::to_string(&readiness).unwrap_or_default();
    (status, body)
}
