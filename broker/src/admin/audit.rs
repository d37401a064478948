//! The record of a request that changes something: who asked, from where, for what, and what came of it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::response::Response;

use super::routes::Names;
use crate::telemetry::events::{AdminOutcome, AdminWrite};

/// What was done, in a few words: part of an answer that no client sees. Nothing in it is secret.
#[derive(Debug, Clone)]
pub(super) struct Did(pub String);

/// The word for a refusal, likewise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal(pub &'static str);

/// A request under way. Dropped, because the client has gone and nobody waits for the answer, it is told all the same.
pub(super) struct Audit {
    token: Arc<str>,
    address: Option<IpAddr>,
    method: axum::http::Method,
    path: String,
    operation: &'static str,
    is_told: bool,
}

impl Audit {
    pub(super) fn begin(
        token: Arc<str>,
        address: Option<IpAddr>,
        request: &Request,
        names: &Names,
    ) -> Self {
        let method = request.method().clone();
        let matched = request.extensions().get::<MatchedPath>();
        let operation = matched.and_then(|path| names.of(&method, path.as_str()));
        let target = request.uri().path_and_query();
        Self {
            token,
            address,
            method,
            path: target.map(ToString::to_string).unwrap_or_default(),
            operation: operation.unwrap_or("none"),
            is_told: false,
        }
    }

    pub(super) fn end(mut self, response: Response) -> Response {
        let status = response.status();
        let outcome = match status {
            status if status.is_server_error() => AdminOutcome::Failed,
            status if status.is_client_error() => AdminOutcome::Refused,
            _ => AdminOutcome::Done,
        };
        let refusal = response.extensions().get::<Refusal>();
        let did = response.extensions().get::<Did>();
        self.tell(
            outcome,
            Some(status.as_u16()),
            refusal.map(|it| it.0),
            did.map(|it| &*it.0),
        );
        response
    }

    fn tell(
        &mut self,
        outcome: AdminOutcome,
        status: Option<u16>,
        code: Option<&str>,
        did: Option<&str>,
    ) {
        self.is_told = true;
        AdminWrite {
            token: &self.token,
            address: self.address,
            method: self.method.as_str(),
            path: &self.path,
            operation: self.operation,
            outcome,
            status,
            code,
            did,
        }
        .emit();
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(AdminOutcome::Abandoned, None, None, None);
        }
    }
}
