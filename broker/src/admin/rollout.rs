//! `/api/v1/cluster/policies`: modules that all nodes of the cluster serve.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;

use super::audit::Did;
use super::node::Node;
use super::policies::{Uploads, Who, busy, signature, unreadable};
use super::problem::Problem;
use crate::rollout::{Report, Shown};

/// The cluster's modules, as the admin listener sees them.
pub(crate) trait Rollouts: Send + Sync {
    /// Has every node serve a module, or none. It goes on when whoever asked has gone: there is no half of it.
    fn push(
        self: Arc<Self>,
        policy: String,
        module: Bytes,
        signature: Option<String>,
        by: Option<String>,
    ) -> BoxFuture<'static, Result<Report, RollOutRefusal>>;

    /// Has nodes that come later serve nothing of it, and leaves what serves. Says the revision of that.
    fn withdraw(&self, policy: String) -> BoxFuture<'_, Result<u64, RollOutRefusal>>;

    /// What every node is to serve.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Shown>, RollOutRefusal>>;
}

/// Why a module does not serve everywhere. It serves nowhere then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RollOutRefusal {
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("the cluster does not ask for a policy `{0}`")]
    Unknown(String),
    #[error("{}", reasons(.0))]
    Incomplete(Report),
}

pub(super) async fn list(State(node): State<Arc<dyn Node>>) -> Response {
    let Some(rollouts) = node.rollouts() else {
        return alone().into_response();
    };
    match rollouts.list().await {
        Ok(shown) => Json(shown).into_response(),
        Err(refusal) => refused(refusal),
    }
}

pub(super) async fn push(
    State(node): State<Arc<dyn Node>>,
    Path(policy): Path<String>,
    Extension(uploads): Extension<Uploads>,
    who: Who,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let Some(rollouts) = node.rollouts() else {
        return alone().into_response();
    };
    let Ok(_place) = uploads.0.try_acquire() else {
        return busy("as many modules as may be taken at once are on their way already")
            .into_response();
    };
    let signature = match signature(&headers) {
        Ok(signature) => signature,
        Err(problem) => return problem.into_response(),
    };
    let module = match Bytes::from_request(request, &()).await {
        Ok(module) => module,
        Err(rejection) => return unreadable(rejection).into_response(),
    };
    let by = who.map(|Extension(address)| address.0.to_string());
    match rollouts.push(policy, module, signature, by).await {
        Ok(report) => {
            let did = Did(format!("{} on {} nodes", report.digest, report.nodes.len()));
            (Extension(did), Json(report)).into_response()
        }
        Err(refusal) => refused(refusal),
    }
}

/// What the cluster asks for no more.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Withdrawn {
    policy: String,
    /// Of what is wanted.
    revision: u64,
}

pub(super) async fn withdraw(
    State(node): State<Arc<dyn Node>>,
    Path(policy): Path<String>,
) -> Response {
    let Some(rollouts) = node.rollouts() else {
        return alone().into_response();
    };
    match rollouts.withdraw(policy.clone()).await {
        Ok(revision) => Json(Withdrawn { policy, revision }).into_response(),
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: RollOutRefusal) -> Response {
    let detail = refusal.to_string();
    let problem = match refusal {
        RollOutRefusal::Conflict(_) => Problem::new(StatusCode::CONFLICT, "conflict", detail),
        RollOutRefusal::Unknown(_) => Problem::new(StatusCode::NOT_FOUND, "unknown_policy", detail),
        RollOutRefusal::Unavailable(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "nats_unavailable", detail)
        }
        RollOutRefusal::Incomplete(report) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "rolled_back", detail).on(report.nodes)
        }
    };
    problem.into_response()
}

fn alone() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_cluster",
        "the node is alone: `cluster.nats_url` is not set",
    )
}

/// The nodes that failed, with their reasons.
fn reasons(report: &Report) -> String {
    let failed = report.nodes.iter().filter(|node| !node.ok);
    let reason = |reason: &Option<String>| reason.clone().unwrap_or_default();
    let each: Vec<_> = failed
        .map(|it| format!("node {}: {}", it.node, reason(&it.reason)))
        .collect();
    each.join("; ")
}
