//! The one who publishes: in the order in which messages were handed over, as soon as there is a connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::client::PublishErrorKind;
use async_nats::header::NATS_MESSAGE_ID;
use tokio::time::timeout_at;

use super::queue::Queue;
use super::replies::{Expected, Replies};
use super::stream::Stream;
use super::{Awaited, Outgoing};
use crate::config::{self, Encoding};
use crate::event::{Code, Denial};
use crate::nats::Nats;
use crate::telemetry::events::{BackendLost, BackendPublished};
use crate::telemetry::metrics::BackendLoss;
use crate::telemetry::trace::{self, Kind, Opened, TRACEPARENT, Value};

/// The client library has room for 2048 messages, and is emptied in microseconds. What takes longer has no connection.
const GRACE: Duration = Duration::from_secs(1);

/// What clients are told to wait. NATS is looked for every two seconds at the longest.
const RETRY_AFTER_MS: u32 = 2000;

pub(super) struct Sender {
    nats: Arc<Nats>,
    queue: Arc<Queue>,
    replies: Arc<Replies>,
    stream: Stream,
    /// How long a message waits for a connection.
    hold: Duration,
}

impl Sender {
    pub(super) fn new(
        nats: Arc<Nats>,
        queue: Arc<Queue>,
        replies: Arc<Replies>,
        config: &config::Cluster,
    ) -> Self {
        Self {
            stream: Stream::new(&nats, &config.name),
            nats,
            queue,
            replies,
            hold: config.hold,
        }
    }

    /// Ends with the queue.
    pub(super) async fn run(mut self) {
        let Some(mut receiver) = self.queue.receiver() else {
            return;
        };
        while let Some(outgoing) = receiver.recv().await {
            let size = outgoing.size();
            self.send(outgoing).await;
            self.queue.left(size);
        }
    }

    async fn send(&mut self, outgoing: Outgoing) {
        let deadline = outgoing.since + self.hold;
        let span = trace::apart(outgoing.trace.as_ref(), "publish", Kind::Producer);
        let span = span.map(|span| {
            span.with("messaging.system", "nats")
                .with("messaging.destination.name", Value::said(&outgoing.subject))
        });
        if !self.nats.state().is_connected && !self.is_connected_by(deadline).await {
            told(span, false);
            return lose(
                outgoing.awaited,
                &outgoing.subject,
                BackendLoss::Unreachable,
            );
        }
        if matches!(outgoing.awaited, Awaited::Stored(..)) {
            if self.replies.lacks_stream() {
                self.stream.is_gone();
            }
            self.stream.is_there_for(&outgoing.subject).await;
        }
        let kind = outgoing.kind;
        let subject = outgoing.subject.clone();
        match self.publish(outgoing, span, deadline).await {
            Ok(()) => BackendPublished { kind }.emit(),
            Err((awaited, loss)) => lose(awaited, &subject, loss),
        }
    }

    /// Gives back who is to be told if it does not leave.
    async fn publish(
        &self,
        outgoing: Outgoing,
        span: Option<Opened>,
        deadline: Instant,
    ) -> Result<(), (Awaited, BackendLoss)> {
        let Outgoing {
            subject,
            id,
            encoding,
            payload,
            awaited,
            ..
        } = outgoing;
        let client = self.nats.client();
        let mut headers = headers(&id, encoding);
        let context = span.as_ref().map(Opened::context);
        if let Some(context) = &context {
            headers.insert(TRACEPARENT, context.to_string().as_str());
        }
        let deadline = deadline.max(Instant::now() + GRACE).into();
        let Some(timeout) = awaited.timeout() else {
            let publish = client.publish_with_headers(subject, headers, payload);
            let published = timeout_at(deadline, publish).await;
            let published = published
                .map_err(|_| BackendLoss::Unreachable)
                .and_then(|it| it.map_err(loss));
            told(span, published.is_ok());
            return published.map_err(|loss| (Awaited::Nothing, loss));
        };
        let place = self.replies.expect(
            Expected {
                subject: subject.clone(),
                encoding,
                awaited,
                trace: context,
            },
            Instant::now() + timeout,
        );
        let reply = self.replies.subject(place);
        let publish = client.publish_with_reply_and_headers(subject, reply, headers, payload);
        let published = timeout_at(deadline, publish).await;
        let published = published
            .map_err(|_| BackendLoss::Unreachable)
            .and_then(|it| it.map_err(loss));
        told(span, published.is_ok());
        published.map_err(|loss| (self.replies.forget(place), loss))
    }

    async fn is_connected_by(&self, deadline: Instant) -> bool {
        let mut state = self.nats.watch();
        let connected = state.wait_for(|state| state.is_connected);
        matches!(timeout_at(deadline.into(), connected).await, Ok(Ok(_)))
    }
}

fn told(span: Option<Opened>, has_left: bool) {
    match span {
        Some(span) if has_left => span.close(),
        Some(span) => span.failed().close(),
        None => {}
    }
}

fn headers(id: &str, encoding: Encoding) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, id);
    headers.insert(
        "Content-Type",
        match encoding {
            Encoding::Json => "application/json",
            Encoding::Msgpack => "application/msgpack",
        },
    );
    headers
}

fn loss(error: async_nats::PublishError) -> BackendLoss {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => BackendLoss::TooLarge,
        PublishErrorKind::InvalidSubject | PublishErrorKind::Send => BackendLoss::Unreachable,
    }
}

/// A message does not leave: whoever waits is told, and it is counted.
fn lose(awaited: Awaited, subject: &str, loss: BackendLoss) {
    BackendLost { subject, loss }.emit();
    let denial = match loss {
        BackendLoss::TooLarge => Denial::broker(Code::TooLarge, "larger than NATS takes"),
        BackendLoss::Overloaded | BackendLoss::Unreachable => {
            let mut denial =
                Denial::broker(Code::BackendUnreachable, "the back ends cannot be reached");
            denial.retry_after_ms = Some(RETRY_AFTER_MS);
            denial
        }
    };
    awaited.denied(&denial);
}
