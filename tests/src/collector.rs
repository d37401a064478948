//! A collector of traces: what OpenTelemetry's own types read of what a broker sends.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::span::Link;
use prost::Message as _;

use crate::{Backend, Setup, eventually};

const PATH: &str = "/v1/traces";

/// Takes traces over HTTP until the test ends.
pub struct Collector(Backend);

/// One span as it came.
#[derive(Debug, Clone)]
pub struct Span {
    /// Identifiers in hexadecimal digits; no parent is an empty text.
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub name: String,
    /// Numbers as text.
    pub attributes: BTreeMap<String, String>,
    /// Others that it goes on with: their traces and identifiers.
    pub links: Vec<(String, String)>,
    pub has_failed: bool,
    pub nanoseconds: (u64, u64),
    /// What is said of who sent it.
    pub resource: BTreeMap<String, String>,
}

impl Collector {
    pub fn start() -> Self {
        let backend = Backend::start();
        backend.answer(PATH, 200, "");
        Self(backend)
    }

    /// The address that `telemetry.otlp_endpoint` is to name.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Has a broker send its traces here, and so large a share of them.
    pub fn of(&self, setup: Setup, sample: &str) -> Setup {
        setup
            .env("SLUICE_TELEMETRY__OTLP_ENDPOINT", &self.url())
            .env("SLUICE_TELEMETRY__TRACE_SAMPLE", sample)
    }

    /// The headers of the requests so far.
    pub fn headers(&self) -> Vec<Vec<(String, String)>> {
        self.0.asked().into_iter().map(|it| it.headers).collect()
    }

    /// What has come so far.
    ///
    /// # Panics
    ///
    /// When it cannot be read.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.0.asked().into_iter();
        requests.flat_map(|request| read(&request.body)).collect()
    }

    /// Waits for a span.
    ///
    /// # Panics
    ///
    /// When it does not come.
    pub fn wait(&self, what: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        eventually(what, || self.spans().into_iter().find(|span| is_it(span)))
    }
}

impl Span {
    pub fn says(&self, key: &str, value: &str) -> bool {
        self.attributes.get(key).is_some_and(|it| it == value)
    }

    pub fn is_child_of(&self, parent: &Span) -> bool {
        (&self.trace, &self.parent) == (&parent.trace, &parent.id)
    }

    pub fn is_linked_with(&self, other: &Span) -> bool {
        self.links
            .contains(&(other.trace.clone(), other.id.clone()))
    }

    /// The node that sent it.
    pub fn node(&self) -> &str {
        self.resource
            .get("service.instance.id")
            .map_or("", String::as_str)
    }
}

fn read(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).expect("a request of OTLP");
    let mut spans = Vec::new();
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.expect("who sends it").attributes;
        let resource = texts(resource);
        for span in of_resource.scope_spans.into_iter().flat_map(|it| it.spans) {
            spans.push(Span {
                trace: hexadecimal(&span.trace_id),
                id: hexadecimal(&span.span_id),
                parent: hexadecimal(&span.parent_span_id),
                name: span.name,
                attributes: texts(span.attributes),
                links: links(&span.links),
                has_failed: span.status.is_some_and(|status| status.code == 2),
                nanoseconds: (span.start_time_unix_nano, span.end_time_unix_nano),
                resource: resource.clone(),
            });
        }
    }
    spans
}

fn links(links: &[Link]) -> Vec<(String, String)> {
    let names = |link: &Link| (hexadecimal(&link.trace_id), hexadecimal(&link.span_id));
    links.iter().map(names).collect()
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let pairs = attributes.into_iter().map(|pair| {
        let value = match pair.value.and_then(|it| it.value) {
            Some(any_value::Value::StringValue(text)) => text,
            Some(any_value::Value::IntValue(number)) => number.to_string(),
            other => panic!("{}: {other:?}", pair.key),
        };
        (pair.key, value)
    });
    pairs.collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
