//! Errors as RFC 9457 has them: `application/problem+json`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::audit::Refusal;
use crate::rollout::OnNode;

/// What went wrong with a request. The type is `about:blank`: the status and `code` say all there is to look up.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "number")]
    #[schemars(with = "u16")]
    status: StatusCode,
    /// For programs: one word a cause.
    code: &'static str,
    /// For people.
    detail: String,
    /// The field of the request's body that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// What became of it on each node.
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<Box<Nodes>>,
    /// Seconds after which the same request may succeed.
    #[serde(skip)]
    retry_after: Option<u32>,
}

/// A pointer away: few problems have any, and all of them are passed around.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ProblemNodes")]
struct Nodes(Vec<OnNode>);

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            code,
            detail: detail.into(),
            field: None,
            nodes: None,
            retry_after: None,
        }
    }

    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn again_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(super) fn on(mut self, nodes: Vec<OnNode>) -> Self {
        self.nodes = Some(Box::new(Nodes(nodes)));
        self
    }

    pub(super) fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (retry_after, refusal) = (self.retry_after, Refusal(self.code));
        let mut response = (self.status, Json(self)).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        response.extensions_mut().insert(refusal);
        if let Some(seconds) = retry_after {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}
