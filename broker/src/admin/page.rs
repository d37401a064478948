//! `GET /`: the status page. What it shows it asks the API for, with the token that its reader gives it; the page itself
//! is the same for everyone and says nothing.

use std::sync::Arc;

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};

use super::node::Node;

/// Nothing but what this listener serves, nothing inline, and in no other page.
const CONTENT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                       base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(super) fn routes() -> Router<Arc<dyn Node>> {
    Router::new()
        .route(
            "/",
            file("text/html; charset=utf-8", include_str!("page/index.html")),
        )
        .route(
            "/page/page.css",
            file("text/css; charset=utf-8", include_str!("page/page.css")),
        )
        .route(
            "/page/icon.svg",
            file("image/svg+xml", include_str!("page/icon.svg")),
        )
        .route("/page/main.js", file(SCRIPT, include_str!("page/main.js")))
        .route("/page/api.js", file(SCRIPT, include_str!("page/api.js")))
        .route("/page/dom.js", file(SCRIPT, include_str!("page/dom.js")))
        .route(
            "/page/chart.js",
            file(SCRIPT, include_str!("page/chart.js")),
        )
        .route(
            "/page/charts.js",
            file(SCRIPT, include_str!("page/charts.js")),
        )
        .route(
            "/page/tables.js",
            file(SCRIPT, include_str!("page/tables.js")),
        )
        .route(
            "/page/watch.js",
            file(SCRIPT, include_str!("page/watch.js")),
        )
        .route(
            "/page/actions.js",
            file(SCRIPT, include_str!("page/actions.js")),
        )
}

fn file(kind: &'static str, text: &'static str) -> MethodRouter<Arc<dyn Node>> {
    get(move || async move {
        let headers = [
            (CONTENT_TYPE, kind),
            (CONTENT_SECURITY_POLICY, CONTENT),
            (REFERRER_POLICY, "no-referrer"),
            (X_FRAME_OPTIONS, "DENY"),
        ];
        (headers, text).into_response()
    })
}
