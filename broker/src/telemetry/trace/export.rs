//! Recordings on their way to whoever collects them: OTLP over HTTP, in batches, from the control runtime.
//!
//! Nobody waits for it. What finds no room, and what the collector does not take in time, is dropped and counted.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry_proto::tonic::resource::v1::Resource;
use rustls::RootCertStore;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::span::Span;
use super::{ON, proto, reconfigure};
use crate::authorities;
use crate::config;
use crate::telemetry::events::TracesFailed;
use crate::telemetry::metrics::{SpanOutcome, metrics};
use std::sync::atomic::Ordering;

/// Recordings that wait. One is a few kilobytes at the most.
const QUEUE: usize = 2048;

/// Spans of one request.
const BATCH: usize = 512;

/// How long the first of a batch waits for others.
const LINGER: Duration = Duration::from_secs(1);

/// After how long a collector that has no time for it is asked again, once.
const AGAIN: Duration = Duration::from_secs(1);

/// What an answer may have. It says little.
const MAX_ANSWER: usize = 64 << 10;

const IDLE_FOR: Duration = Duration::from_secs(4);

static SENDER: OnceLock<mpsc::Sender<Item>> = OnceLock::new();

enum Item {
    Spans(Vec<Span>),
    /// Told when all that came before has been sent.
    Flush(oneshot::Sender<()>),
}

struct Exporter {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    otlp: config::Otlp,
    resource: Resource,
}

/// Records from now on, if there is somebody who collects it. Once a process, on the control runtime.
pub(crate) fn start(settings: &config::Traces, node: &str) -> Result<(), String> {
    let Some(otlp) = &settings.otlp else {
        return Ok(());
    };
    let exporter = Exporter {
        client: client(otlp)?,
        resource: proto::resource(&otlp.service, node),
        otlp: otlp.clone(),
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    if SENDER.set(sender).is_ok() {
        reconfigure(settings);
        tokio::spawn(exporter.run(receiver));
        ON.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// From any thread, without waiting.
pub(super) fn hand_over(spans: Vec<Span>) {
    let Some(sender) = SENDER.get() else {
        return;
    };
    if let Err(refused) = sender.try_send(Item::Spans(spans)) {
        let Item::Spans(spans) = refused.into_inner() else {
            return;
        };
        metrics().traces.spans(SpanOutcome::QueueFull, spans.len());
    }
}

/// Waits until what has been recorded is sent, no longer than so long.
pub(crate) async fn flush(patience: Duration) {
    let Some(sender) = SENDER.get() else {
        return;
    };
    let (done, is_done) = oneshot::channel();
    let flushed = async {
        if sender.send(Item::Flush(done)).await.is_ok() {
            let _ = is_done.await;
        }
    };
    // What is left is lost with the process.
    let _ = timeout(patience, flushed).await;
}

fn client(
    otlp: &config::Otlp,
) -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>, String> {
    let is_https = otlp.endpoint.scheme_str() == Some("https");
    let roots = match is_https {
        true => authorities::of_system(),
        false => RootCertStore::empty(),
    };
    if is_https && roots.is_empty() {
        return Err("this system has no certificates of authorities, which telemetry.otlp_endpoint needs for https".to_owned());
    }
    let tls = authorities::client(roots).map_err(|error| error.to_string())?;
    let tls = tls.with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(otlp.timeout));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_FOR)
        .pool_max_idle_per_host(1)
        .build(connector))
}

impl Exporter {
    /// Ends with the process.
    async fn run(self, mut receiver: mpsc::Receiver<Item>) {
        while let Some(first) = receiver.recv().await {
            let mut spans = Vec::new();
            let mut told = None;
            let until = Instant::now() + LINGER;
            let mut next = Some(first);
            while let Some(item) = next.take() {
                match item {
                    Item::Spans(more) => spans.extend(more),
                    Item::Flush(done) => {
                        told = Some(done);
                        break;
                    }
                }
                if spans.len() >= BATCH {
                    break;
                }
                next = timeout_at(until, receiver.recv()).await.ok().flatten();
            }
            if !spans.is_empty() {
                self.export(spans).await;
            }
            if let Some(told) = told {
                let _ = told.send(());
            }
        }
    }

    async fn export(&self, spans: Vec<Span>) {
        let count = spans.len();
        let body = Bytes::from(proto::request(&self.resource, spans));
        let mut sent = self.send(body.clone()).await;
        if let Err(Refused::Later(_)) = sent {
            tokio::time::sleep(AGAIN).await;
            sent = self.send(body).await;
        }
        match sent {
            Ok(()) => metrics().traces.spans(SpanOutcome::Sent, count),
            Err(Refused::Later(reason) | Refused::Never(reason)) => TracesFailed {
                spans: count,
                reason: &reason,
            }
            .emit(),
        }
    }

    async fn send(&self, body: Bytes) -> Result<(), Refused> {
        let answer = timeout(self.otlp.timeout, self.post(body)).await;
        let status = match answer {
            Ok(Ok(status)) => status,
            Ok(Err(reason)) => return Err(Refused::Never(reason)),
            Err(_) => return Err(Refused::Never("no answer in time".to_owned())),
        };
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(Refused::Later(status.to_string())),
            status => Err(Refused::Never(status.to_string())),
        }
    }

    async fn post(&self, body: Bytes) -> Result<StatusCode, String> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.otlp.endpoint.clone();
        let headers = request.headers_mut();
        for (name, value) in &self.otlp.headers {
            headers.insert(name.clone(), value.clone());
        }
        let kind = header::HeaderValue::from_static("application/x-protobuf");
        headers.insert(header::CONTENT_TYPE, kind);
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| words(&error))?;
        let (head, body) = answer.into_parts();
        // Read to its end, so that the connection can be used again.
        let _ = Limited::new(body, MAX_ANSWER).collect().await;
        Ok(head.status)
    }
}

enum Refused {
    /// It may be taken if it is sent again.
    Later(String),
    Never(String),
}

/// An error with its causes.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
