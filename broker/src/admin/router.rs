//! Paths and what surrounds them: the token, the time a request may take, headers that every answer has.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};

use super::auth::{self, Auth};
use super::node::Node;
use super::policies::{self, Uploads};
use super::problem::Problem;
use super::{api, cluster, emit, health, metrics, record, rollout, sockets, state};

/// An event as large as a client may send by default.
pub(super) const MAX_BODY: usize = 1 << 20;

/// Answers are made at once; what takes longer is a client that does not send its body.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Modules are received, compiled and tried out; clients are waited for.
const LONG_TIMEOUT: Duration = Duration::from_secs(75);

pub(super) fn router(node: Arc<dyn Node>, auth: Auth) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(metrics::get))
        .route("/api/v1/node", get(api::node))
        .route("/api/v1/cluster", get(cluster::show))
        .route("/api/v1/policies", get(policies::list))
        .route(
            "/api/v1/policies/{name}/state",
            get(state::show).delete(state::clear),
        )
        .route("/api/v1/sockets", get(sockets::list))
        .route("/api/v1/sockets/{id}", get(sockets::show))
        .route("/api/v1/sockets/join", post(sockets::join))
        .route("/api/v1/sockets/leave", post(sockets::leave))
        .route("/api/v1/sockets/disconnect", post(sockets::disconnect))
        .route("/api/v1/presence", get(sockets::presence))
        .route("/api/v1/rooms", get(sockets::rooms))
        .route("/api/v1/namespaces", get(sockets::namespaces))
        .route("/api/v1/record", post(record::record))
        .route_layer(middleware::from_fn(quickly))
        .merge(changes())
        .merge(emits())
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(auth, auth::require));
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .method_not_allowed_fallback(wrong_method)
        .merge(guarded)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(surround))
        .with_state(node)
}

/// What changes policies, which takes its time.
fn changes() -> Router<Arc<dyn Node>> {
    let modules = get(policies::show)
        .put(policies::upload)
        .layer(DefaultBodyLimit::max(policies::MAX_MODULE));
    Router::new()
        .route("/api/v1/cluster/policies", get(rollout::list))
        .route(
            "/api/v1/cluster/policies/{name}",
            post(rollout::push).layer(DefaultBodyLimit::max(policies::MAX_MODULE)),
        )
        .route("/api/v1/policies/reload", post(policies::reload_all))
        .route("/api/v1/policies/{name}", modules)
        .route("/api/v1/policies/{name}/reload", post(policies::reload))
        .route("/api/v1/policies/{name}/promote", post(policies::promote))
        .route(
            "/api/v1/policies/{name}/candidate",
            post(policies::set_percent),
        )
        .route(
            "/api/v1/policies/{name}/rollback",
            post(policies::roll_back),
        )
        .layer(Extension(Uploads::new()))
        .route_layer(middleware::from_fn(patiently))
}

/// What may wait for clients.
fn emits() -> Router<Arc<dyn Node>> {
    Router::new()
        .route("/api/v1/emit", post(emit::emit))
        .route_layer(middleware::from_fn(patiently))
}

async fn quickly(request: Request, next: Next) -> Response {
    within(TIMEOUT, request, next).await
}

async fn patiently(request: Request, next: Next) -> Response {
    within(LONG_TIMEOUT, request, next).await
}

async fn within(limit: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            format!("the request was not complete within {} s", limit.as_secs()),
        )
        .into_response(),
    }
}

/// Headers that every answer has.
async fn surround(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn not_found(request: Request) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown_path",
        format!("there is nothing at {}", request.uri().path()),
    )
}

async fn wrong_method(request: Request) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "wrong_method",
        format!("{} is not what this path takes", request.method()),
    )
}
