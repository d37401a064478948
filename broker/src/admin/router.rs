//! Paths and what surrounds them: the token, the time a request may take, headers that every answer has.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::auth::{self, Auth};
use super::node::Node;
use super::problem::Problem;
use super::{api, health, metrics, state};

/// An event as large as a client may send by default.
pub(super) const MAX_BODY: usize = 1 << 20;

/// Answers are made at once; what takes longer is a client that does not send its body.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn router(node: Arc<dyn Node>, auth: Auth) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(metrics::get))
        .route("/api/v1/node", get(api::node))
        .route("/api/v1/policies", get(api::policies))
        .route(
            "/api/v1/policies/{name}/state",
            get(state::show).delete(state::clear),
        )
        .route("/api/v1/emit", post(api::emit))
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

async fn surround(request: Request, next: Next) -> Response {
    let mut response = match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            format!(
                "the request was not complete within {} s",
                TIMEOUT.as_secs()
            ),
        )
        .into_response(),
    };
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
