//! `/api/v1`: what the node is, and events from back ends.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::node::{Emit, EmitError, Node, NodeInfo};
use super::problem::Problem;
use crate::event::RESERVED;
use crate::packet;

/// What a request asks for in its body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmitBody<'a> {
    namespace: Option<String>,
    rooms: Option<Vec<String>>,
    except: Option<Vec<String>>,
    event: String,
    /// Passed on byte for byte.
    #[serde(borrow)]
    args: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "is_there")]
    ack: bool,
}

#[derive(Serialize)]
struct Emitted {
    /// To how many clients of this node the event was handed.
    deliveries: u64,
}

pub(super) async fn node(State(node): State<Arc<dyn Node>>) -> Json<NodeInfo> {
    Json(node.info())
}

pub(super) async fn emit(
    State(node): State<Arc<dyn Node>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let emit = accept_json(&headers)
        .and_then(|()| body.map_err(unreadable))
        .and_then(|body| read(&body));
    let emitted = match emit {
        Ok(emit) => node.emit(emit).await.map_err(refused),
        Err(problem) => Err(problem),
    };
    match emitted {
        Ok(deliveries) => Json(Emitted { deliveries }).into_response(),
        Err(problem) => problem.into_response(),
    }
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

fn read(body: &[u8]) -> Result<Emit, Problem> {
    let read: EmitBody<'_> = parse(body)?;
    if read.ack {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "not_implemented",
            "`ack` is not part of this version",
        )
        .at("ack"));
    }
    if RESERVED.contains(&&*read.event) {
        return Err(wrong("reserved_event", "the protocol keeps this name for itself").at("event"));
    }
    if read.rooms.as_ref().is_some_and(Vec::is_empty) {
        // A list that came out empty by mistake must not reach everyone.
        return Err(wrong(
            "no_rooms",
            "no room is named; leave `rooms` out to reach everyone",
        )
        .at("rooms"));
    }
    let args = read.args.map_or("[]", RawValue::get);
    packet::check_args(args, 0).map_err(|denial| wrong("bad_args", denial.message).at("args"))?;
    Ok(Emit {
        namespace: read.namespace.unwrap_or_else(|| "/".to_owned()),
        rooms: read.rooms.unwrap_or_default(),
        except: read.except.unwrap_or_default(),
        event: read.event.into(),
        args: args.into(),
    })
}

/// A body, or which of its fields is at fault.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| malformed(&error))?;
    json.end().map_err(|error| not_json(&error))?;
    Ok(read)
}

fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

fn malformed(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = error.inner();
    if inner.classify() != Category::Data {
        return not_json(inner);
    }
    let detail = inner.to_string();
    // A field that is missing or unknown is in the words, not in the path.
    let named = detail
        .strip_prefix("missing field `")
        .or_else(|| detail.strip_prefix("unknown field `"))
        .and_then(|rest| rest.split('`').next())
        .map(str::to_owned);
    let path = error.path().to_string();
    match named.or_else(|| (path != ".").then_some(path)) {
        Some(field) => wrong("bad_field", detail).at(field),
        None => wrong("bad_field", detail),
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed_json",
        format!("the body is not JSON: {error}"),
    )
}

pub(super) fn wrong(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
}

fn refused(error: EmitError) -> Problem {
    let detail = error.to_string();
    match error {
        EmitError::UnknownNamespace => {
            Problem::new(StatusCode::NOT_FOUND, "unknown_namespace", detail).at("namespace")
        }
        EmitError::Draining => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining", detail),
    }
}
