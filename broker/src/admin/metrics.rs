//! `GET /metrics`: Prometheus in its two text forms, or a few numbers as JSON.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::breaker::BreakerWord;
use super::node::{Iso, Node, iso};
use crate::telemetry::metrics::{ShownPolicy, metrics};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Form {
    /// What Prometheus has always read.
    Classic,
    OpenMetrics,
    Json,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Numbers {
    connections: u64,
    rooms: u64,
    #[serde(serialize_with = "iso")]
    #[schemars(with = "Iso")]
    timestamp: SystemTime,
    uptime_seconds: u64,
    events_received: u64,
    deliveries: u64,
}

pub(super) async fn get(State(node): State<Arc<dyn Node>>, headers: HeaderMap) -> Response {
    let open_metrics = match form(&headers) {
        Form::Json => return Json(numbers(&*node)).into_response(),
        form => form == Form::OpenMetrics,
    };
    metrics().show(policies(&*node));
    let content_type = if open_metrics {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        "text/plain; version=0.0.4; charset=utf-8"
    };
    let body = metrics().render(open_metrics);
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

fn numbers(node: &dyn Node) -> Numbers {
    let info = node.info();
    Numbers {
        connections: info.connections,
        rooms: info.rooms,
        timestamp: SystemTime::now(),
        uptime_seconds: info.uptime_seconds,
        events_received: metrics().events_received.get(),
        deliveries: metrics().deliveries.get(),
    }
}

/// Those that are loaded, and those that cannot be.
fn policies(node: &dyn Node) -> Vec<ShownPolicy> {
    let mut shown: BTreeMap<String, ShownPolicy> = BTreeMap::new();
    for policy in node.policies() {
        let breaker = policy.loaded.as_ref().map(|loaded| loaded.breaker.state);
        let entry = ShownPolicy {
            usage: policy
                .loaded
                .as_ref()
                .map(|loaded| (loaded.instances, loaded.memory_bytes)),
            breaker_open: breaker.map(|state| state != BreakerWord::Closed),
            generation: policy.loaded.map(|loaded| loaded.generation),
            failed: policy.failed.is_some(),
            name: policy.name,
        };
        shown.insert(entry.name.clone(), entry);
    }
    shown.into_values().collect()
}

/// The first form that the client lists and that there is. Scrapers list what they like best first.
fn form(headers: &HeaderMap) -> Form {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|range| match range.split(';').next()?.trim() {
            "application/openmetrics-text" => Some(Form::OpenMetrics),
            "application/json" => Some(Form::Json),
            "text/plain" => Some(Form::Classic),
            _ => None,
        })
        .unwrap_or(Form::Classic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_known_is_taken() {
        let of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            form(&headers)
        };
        assert_eq!(form(&HeaderMap::new()), Form::Classic);
        assert_eq!(of("*/*"), Form::Classic);
        assert_eq!(
            of("text/html,application/xhtml+xml,*/*;q=0.8"),
            Form::Classic
        );
        assert_eq!(of("application/json"), Form::Json);
        assert_eq!(of("application/json, text/plain, */*"), Form::Json);
        let prometheus = "application/vnd.google.protobuf;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,\
                          text/plain;version=0.0.4;q=0.4,*/*;q=0.2";
        assert_eq!(of(prometheus), Form::OpenMetrics);
        assert_eq!(of("text/plain;version=0.0.4"), Form::Classic);
    }
}
