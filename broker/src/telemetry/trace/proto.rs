//! Spans as the OpenTelemetry protocol has them.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Sent, Status};
use prost::Message as _;

use super::Context;
use super::span::{Kind, Span, Value};

/// The flag of a trace that is recorded.
const SAMPLED: u32 = 1;

/// Who says it: the service, its version, and which of its instances.
pub(super) fn resource(service: &str, node: &str) -> Resource {
    let attributes = [
        ("service.name", service),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", node),
    ];
    Resource {
        attributes: attributes
            .into_iter()
            .map(|(key, value)| pair(key, Value::said(value)))
            .collect(),
        ..Resource::default()
    }
}

/// The body of a request.
pub(super) fn request(resource: &Resource, spans: Vec<Span>) -> Vec<u8> {
    let scope = InstrumentationScope {
        name: "sluice".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let spans = ScopeSpans {
        scope: Some(scope),
        spans: spans.into_iter().map(sent).collect(),
        ..ScopeSpans::default()
    };
    let spans = ResourceSpans {
        resource: Some(resource.clone()),
        scope_spans: vec![spans],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![spans],
    }
    .encode_to_vec()
}

fn sent(span: Span) -> Sent {
    let kind = match span.kind {
        Kind::Internal => SpanKind::Internal,
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
        Kind::Producer => SpanKind::Producer,
        Kind::Consumer => SpanKind::Consumer,
    };
    let status = span.has_failed.then(|| Status {
        code: StatusCode::Error.into(),
        ..Status::default()
    });
    let parent = span
        .parent
        .map(|parent| parent.get().to_be_bytes().to_vec());
    Sent {
        trace_id: trace_id(span.context),
        span_id: span_id(span.context),
        parent_span_id: parent.unwrap_or_default(),
        flags: SAMPLED,
        name: span.name.into_owned(),
        kind: kind.into(),
        start_time_unix_nano: nanos(span.start),
        end_time_unix_nano: nanos(span.end.max(span.start)),
        attributes: span
            .attributes
            .into_iter()
            .map(|(key, value)| pair(key, value))
            .collect(),
        links: span.links.into_iter().map(link).collect(),
        status,
        ..Sent::default()
    }
}

fn link(context: Context) -> Link {
    Link {
        trace_id: trace_id(context),
        span_id: span_id(context),
        flags: SAMPLED,
        ..Link::default()
    }
}

fn trace_id(context: Context) -> Vec<u8> {
    context.trace.get().to_be_bytes().to_vec()
}

fn span_id(context: Context) -> Vec<u8> {
    context.span.get().to_be_bytes().to_vec()
}

fn pair(key: &str, value: Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => any_value::Value::StringValue(text.into_owned()),
        Value::Number(number) => any_value::Value::IntValue(number),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
