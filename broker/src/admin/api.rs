//! `/api/v1/node`: what the node is; and what all requests with a body have in common.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::node::{Node, NodeInfo};
use super::problem::Problem;
use crate::backend::{self, Mistake};

pub(super) async fn node(State(node): State<Arc<dyn Node>>) -> Json<NodeInfo> {
    Json(node.info())
}

pub(super) async fn config(State(node): State<Arc<dyn Node>>) -> Json<Arc<serde_json::Value>> {
    Json(node.effective())
}

/// A page of another site can post a form, but not JSON, without asking first.
pub(super) fn accept_json(headers: &HeaderMap) -> Result<(), Problem> {
    let essence = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(str::trim);
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not_json",
        "the body is sent as `Content-Type: application/json`",
    ))
}

pub(super) fn unreadable(rejection: BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("a body has at most {} bytes", super::router::MAX_BODY),
        ),
        _ => Problem::new(
            StatusCode::BAD_REQUEST,
            "unreadable",
            "the body broke off before its end",
        ),
    }
}

/// A body, or which of its fields is at fault.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    backend::parse(body).map_err(mistaken)
}

pub(super) fn mistaken(mistake: Mistake) -> Problem {
    let status = match mistake.is_malformed() {
        true => StatusCode::BAD_REQUEST,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let problem = Problem::new(status, mistake.code, mistake.detail);
    match mistake.field {
        Some(field) => problem.at(field),
        None => problem,
    }
}

pub(super) fn wrong(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
}
