//! `GET /api/v1/watch`: what happens to one socket, to a user's sockets or in a room of this node, a line each.
//!
//! Texts of arguments are taken out as in a recording: whoever may read the API may see who does what, not what is said.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::node::Node;
use super::problem::Problem;
use crate::feed::{Lines, Subject, Wanted};
use crate::redact::Redact;

/// An empty line is sent after so long a silence, so that a connection that is gone is noticed.
const SILENCE: Duration = Duration::from_secs(10);

pub(super) async fn watch(
    State(node): State<Arc<dyn Node>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let wanted = wanted(query.as_deref().unwrap_or_default())?;
    let following = node.follow(wanted).map_err(|_| {
        let what = "as many look already as may";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_watchers", what).again_after(10)
    })?;
    let lines = Lines::new(following, Redact::Strings);
    // At once, so that whoever asks knows that nothing is missed from then on.
    let first = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"\n")) });
    let rest = stream::unfold(lines, async |mut lines| {
        let line = match tokio::time::timeout(SILENCE, lines.next()).await {
            Ok(line) => line?,
            Err(_) => "\n".to_owned(),
        };
        Some((Ok::<_, Infallible>(Bytes::from(line)), lines))
    });
    let lines = futures_util::StreamExt::chain(first, rest);
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

/// One of `socket`, `user` and `room`, and a `namespace` if only that is meant.
fn wanted(query: &str) -> Result<Wanted, Problem> {
    let mut subject = None;
    let mut namespace = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = value.into_owned();
        let one = match &*name {
            "namespace" if namespace.is_none() => {
                namespace = Some(value);
                continue;
            }
            "socket" => Subject::Socket(value),
            "user" => Subject::User(value),
            "room" => Subject::Room(value),
            "namespace" => return Err(wrong("it is there twice").at(name)),
            _ => return Err(wrong("expected one of socket, user, room, namespace").at(name)),
        };
        if subject.replace(one).is_some() {
            return Err(wrong("expected only one of socket, user and room").at(name));
        }
    }
    let subject = subject.ok_or_else(|| wrong("expected one of socket, user and room"))?;
    Ok(Wanted {
        subject,
        namespace,
        beside: None,
    })
}

fn wrong(what: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_parameter", what)
}
