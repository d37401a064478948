//! The table of routes: a route is added with its description or not at all, so the router and `GET /openapi.json` are the
//! same list.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};

use super::describe::{About, Document, Pace};
use super::node::Node;
use super::policies;
use super::problem::Problem;

/// Answers are made at once; what takes longer is a client that does not send its body.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Modules are received, compiled and tried out; clients are waited for.
const LONG_TIMEOUT: Duration = Duration::from_secs(75);

/// What a route does with what it is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// What operations are called, by method and path.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<(Method, &'static str), &'static str>);

/// Routes so far, and what is said of them.
pub(super) struct Routes {
    /// Those that ask for a token, and the probes.
    guarded: Router<Arc<dyn Node>>,
    open: Router<Arc<dyn Node>>,
    names: Names,
    document: Document,
}

/// All routes.
pub(super) struct Table {
    pub guarded: Router<Arc<dyn Node>>,
    pub open: Router<Arc<dyn Node>>,
    pub names: Names,
    /// The text of the OpenAPI document.
    pub document: String,
}

// === impl Routes ===

impl Routes {
    pub(super) fn new() -> Self {
        Self {
            guarded: Router::new(),
            open: Router::new(),
            names: Names::default(),
            document: Document::new(),
        }
    }

    /// Adds what is done at a path: `{…}` in it is one piece of it.
    pub(super) fn add<H, T>(
        mut self,
        verb: Verb,
        path: &'static str,
        handler: H,
        about: About,
    ) -> Self
    where
        H: Handler<T, Arc<dyn Node>>,
        T: 'static,
    {
        let route = on(verb.filter(), handler);
        let route = match about.pace {
            Pace::Quick => route.layer(middleware::from_fn(quickly)),
            Pace::Patient => route.layer(middleware::from_fn(patiently)),
        };
        let route = match about.takes_module() {
            true => route.layer(DefaultBodyLimit::max(policies::MAX_MODULE)),
            false => route,
        };
        let to = match about.is_open {
            true => &mut self.open,
            false => &mut self.guarded,
        };
        *to = std::mem::take(to).route(path, route);
        self.names.0.insert((verb.method(), path), about.name);
        self.document.add(verb, path, about);
        self
    }

    pub(super) fn get<H, T>(self, path: &'static str, handler: H, about: About) -> Self
    where
        H: Handler<T, Arc<dyn Node>>,
        T: 'static,
    {
        self.add(Verb::Get, path, handler, about)
    }

    pub(super) fn post<H, T>(self, path: &'static str, handler: H, about: About) -> Self
    where
        H: Handler<T, Arc<dyn Node>>,
        T: 'static,
    {
        self.add(Verb::Post, path, handler, about)
    }

    pub(super) fn finish(self) -> Table {
        Table {
            guarded: self.guarded,
            open: self.open,
            names: self.names,
            document: self.document.finish(),
        }
    }
}

// === impl Names ===

impl Names {
    /// `path` as the route has it.
    pub(super) fn of(&self, method: &Method, path: &str) -> Option<&'static str> {
        // Paths are few, and their lifetimes would differ.
        let found = self
            .0
            .iter()
            .find(|((verb, at), _)| verb == method && *at == path);
        found.map(|(_, name)| *name)
    }
}

// === impl Verb ===

impl Verb {
    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Delete => Method::DELETE,
        }
    }

    /// As OpenAPI has it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }
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
