//! `/api/v1/reload`: the configuration, and everything else on disk, is followed now.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;

use super::audit::Did;
use super::node::Node;
use super::policies::{Who, refused};
use crate::config::Change;
use crate::telemetry::events;
use crate::telemetry::metrics::{ChangeResult, Changed};

/// What following the files came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Reloaded {
    /// Whether anything is different from before.
    pub changed: bool,
    /// Keys of the configuration that have other values now.
    pub changes: Vec<Change>,
    /// Keys that differ from what runs, and keep their values until a restart.
    pub restart_needed: Vec<Change>,
    /// Policies that do not load, and stay as they were.
    pub failed: Vec<String>,
}

pub(super) async fn reload(State(node): State<Arc<dyn Node>>, who: Who) -> Response {
    let done = node.reload().await;
    let (result, reason) = match &done {
        Ok(done) if done.changed => (ChangeResult::Changed, None),
        Ok(_) => (ChangeResult::Unchanged, None),
        Err(refusal) => (ChangeResult::Refused, Some(&*refusal.detail)),
    };
    events::PolicyChanged {
        action: Changed::Reload,
        result,
        policy: None,
        address: who.map(|Extension(address)| address.0),
        generation: None,
        reason,
    }
    .emit();
    match done {
        Ok(done) => {
            let did = format!("{} keys changed", done.changes.len());
            (Extension(Did(did)), Json(done)).into_response()
        }
        Err(refusal) => refused(refusal),
    }
}
