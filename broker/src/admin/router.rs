//! The routes, and what surrounds them: the token, headers that every answer has.

mod node;
mod policies;
mod sockets;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use bytes::Bytes;

use super::auth::{self, Auth, Guard};
use super::node::Node;
use super::policies::Uploads;
use super::problem::Problem;
use super::routes::{Routes, Table};
use super::{live, page};

/// An event as large as a client may send by default.
pub(super) const MAX_BODY: usize = 1 << 20;

/// The OpenAPI document.
#[derive(Clone)]
struct Described(Bytes);

pub(super) fn router(node: Arc<dyn Node>, auth: Arc<Auth>) -> Router {
    let Table {
        guarded,
        open,
        names,
        document,
    } = table();
    let guard = Guard {
        auth,
        names: Arc::new(names),
    };
    let guarded = guarded
        .layer(Extension(Uploads::new()))
        .layer(Extension(live::Live::new()))
        .layer(Extension(Described(document.into())))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(guard, auth::require));
    open.merge(page::routes())
        .method_not_allowed_fallback(wrong_method)
        .merge(guarded)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(surround))
        .with_state(node)
}

/// Everything there is.
pub(super) fn table() -> Table {
    let routes = node::routes(Routes::new());
    let routes = sockets::routes(routes);
    let routes = super::revocations::routes(routes);
    let routes = policies::routes(routes);
    policies::of_cluster(routes).finish()
}

async fn openapi(Extension(Described(document)): Extension<Described>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document)
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
