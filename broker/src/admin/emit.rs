//! `POST /api/v1/emit`: events from back ends, one or a batch.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;

use super::api::{accept_json, mistaken, unreadable};
use super::audit::Did;
use super::node::Node;
use super::problem::Problem;
use crate::backend::{self, Emit, EmitBody, EmitError, Emitted, Mistake, Request};
use crate::telemetry::trace::{self, Kind, Parent, TRACEPARENT};

/// The key of a request that may be sent again. A field of the body says the same.
const KEY: &str = "idempotency-key";

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EmitResults")]
pub(super) struct Results {
    /// In the order of the request.
    results: Vec<Outcome>,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "EmitOutcome")]
enum Outcome {
    Emitted(Emitted),
    Problem(Problem),
}

/// What a request is, for the schemas.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "a shape, of which there is none")]
pub(super) enum EmitRequest {
    One(EmitBody<'static>),
    Batch(Vec<EmitBody<'static>>),
}

/// What is answered to it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "a shape, of which there is none")]
pub(super) enum EmitAnswer {
    One(Emitted),
    Batch(Results),
}

pub(super) async fn emit(
    State(node): State<Arc<dyn Node>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let parent = headers.get(TRACEPARENT).and_then(|it| it.to_str().ok());
    let recording = trace::follow(Parent::of(parent), "POST /api/v1/emit", Kind::Server);
    let answered = async {
        let response = answer(&*node, &headers, body).await;
        let status = response.status().as_u16();
        trace::say("http.response.status_code", || status);
        response
    };
    trace::scope(recording, answered).await
}

async fn answer(
    node: &dyn Node,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let request = accept_json(headers)
        .and_then(|()| body.map_err(unreadable))
        .and_then(|body| backend::read(&body, None).map_err(mistaken))
        .and_then(|request| with_key(request, headers));
    match request {
        Err(problem) => problem.into_response(),
        Ok(Request::One(emit)) => {
            let event = emit.event.clone();
            match node.emit(emit).await {
                Ok(emitted) => {
                    let did = format!("event {event}: {} deliveries", emitted.deliveries);
                    (Extension(Did(did)), Json(emitted)).into_response()
                }
                Err(error) => refused(&error).into_response(),
            }
        }
        Ok(Request::Batch(items)) => {
            let did = Did(format!("{} events", items.len()));
            let mut results = Vec::with_capacity(items.len());
            // One after the other: their order is kept.
            for item in items {
                results.push(outcome(node, item).await);
            }
            (Extension(did), Json(Results { results })).into_response()
        }
    }
}

async fn outcome(node: &dyn Node, item: Result<Emit, Mistake>) -> Outcome {
    let emit = match item {
        Ok(emit) => emit,
        Err(mistake) => return Outcome::Problem(mistaken(mistake)),
    };
    match node.emit(emit).await {
        Ok(emitted) => Outcome::Emitted(emitted),
        Err(error) => Outcome::Problem(refused(&error)),
    }
}

fn with_key(mut request: Request, headers: &HeaderMap) -> Result<Request, Problem> {
    if let Some(key) = headers.get(KEY) {
        let known = request.is_known_as(key.to_str().unwrap_or_default());
        known.map_err(|()| mistaken(Mistake::id("Idempotency-Key")))?;
    }
    Ok(request)
}

fn refused(error: &EmitError) -> Problem {
    let (code, detail) = (error.code(), error.to_string());
    match error {
        EmitError::UnknownNamespace => {
            Problem::new(StatusCode::NOT_FOUND, code, detail).at("namespace")
        }
        EmitError::Draining => Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail),
        EmitError::Overloaded => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).again_after(1)
        }
        EmitError::OtherRequest => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).at("id")
        }
        EmitError::Failed => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, code, detail),
    }
}
