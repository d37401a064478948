//! What back ends publish to clients over NATS: `sluice.<cluster>.emit.<namespace>`.
//!
//! The nodes of a cluster share the work: one of them takes each message and delivers it as if it had come over HTTP. What
//! one connection publishes is handed over in the order in which it comes; only what waits for clients' answers is
//! waited for aside.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, Message};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use serde::Serialize;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::{Emit, EmitError, Emitted, Mistake, Request, read, read_packed};
use crate::nats::{Nats, subject};
use crate::telemetry::events::{BackendEmitRefused, BackendEmitted, NatsFailed};
use crate::telemetry::trace::{self, Kind, Parent, TRACEPARENT, Value};

/// Delivers an event.
pub(crate) type Deliver =
    Arc<dyn Fn(Emit) -> BoxFuture<'static, Result<Emitted, EmitError>> + Send + Sync>;

/// Nodes that subscribe under this name share the messages.
const GROUP: &str = "emit";

/// Messages that are being delivered, or wait for answers.
const MAX_AT_WORK: usize = 1024;

/// How long it may take to hand over what has come.
const PATIENCE: Duration = Duration::from_secs(1);

/// By which a message is known that comes again.
const ID: &str = "Nats-Msg-Id";

/// What is replied.
#[derive(Serialize)]
#[serde(untagged)]
enum Reply {
    Done {
        ok: bool,
        #[serde(flatten)]
        emitted: Emitted,
    },
    Batch {
        ok: bool,
        /// In the order of the request.
        results: Vec<Reply>,
    },
    Refused {
        error: Mistake,
    },
}

/// Takes what back ends publish, until it is stopped or the process ends.
pub(crate) struct Inbound {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Inbound {
    pub(crate) fn start(nats: &Nats, deliver: Deliver) -> Self {
        let (stop, stopped) = oneshot::channel();
        let client = nats.client().clone();
        let task = tokio::spawn(serve(client, nats.subjects.emits(), deliver, stopped));
        Self { stop, task }
    }

    /// Leaves what comes from now on to other nodes. Returns when what has come is handed over.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        // What is not done by then will be told that this node is shutting down.
        let _ = tokio::time::timeout(PATIENCE, self.task).await;
    }
}

async fn serve(
    client: Client,
    subject: String,
    deliver: Deliver,
    mut stopped: oneshot::Receiver<()>,
) {
    let subscribed = client.queue_subscribe(subject, GROUP.to_owned());
    let mut messages = match subscribed.await {
        Ok(messages) => messages,
        Err(error) => {
            let reason = error.to_string();
            return NatsFailed { reason: &reason }.emit();
        }
    };
    let at_work = Arc::new(Semaphore::new(MAX_AT_WORK));
    loop {
        let message = tokio::select! {
            message = messages.next() => message,
            Ok(()) = &mut stopped => {
                // What has come before is still handed out.
                let _ = messages.unsubscribe().await;
                messages.next().await
            }
        };
        let (Some(message), Ok(permit)) = (message, at_work.clone().acquire_owned().await) else {
            return;
        };
        let work = take(client.clone(), deliver.clone(), message);
        let mut work = Box::pin(async move {
            work.await;
            drop(permit);
        });
        // Handed over before the next one is looked at.
        if (&mut work).now_or_never().is_none() {
            tokio::spawn(work);
        }
    }
}

async fn take(client: Client, deliver: Deliver, message: Message) {
    let parent = message.headers.as_ref().and_then(|it| it.get(TRACEPARENT));
    let parent = Parent::of(parent.map(|it| it.as_str()));
    let recording = trace::follow(parent, "emit", Kind::Consumer);
    trace::scope(recording, take_one(client, deliver, message)).await;
}

async fn take_one(client: Client, deliver: Deliver, message: Message) {
    trace::say("messaging.system", || "nats");
    trace::say("messaging.destination.name", || {
        Value::said(&message.subject)
    });
    let reply = match request(&message) {
        Ok(Request::One(emit)) => one(&deliver, Ok(emit)).await,
        Ok(Request::Batch(items)) => {
            let mut results = Vec::with_capacity(items.len());
            // One after the other: their order is kept.
            for item in items {
                results.push(one(&deliver, item).await);
            }
            Reply::Batch { ok: true, results }
        }
        Err(error) => Reply::Refused { error },
    };
    reply.tell(&message.subject);
    if let Some(to) = message.reply {
        // Texts and numbers always serialize. Whoever asked and gets no answer asks again.
        let text = serde_json::to_vec(&reply).unwrap_or_default();
        let _ = client.publish(to, text.into()).await;
    }
}

async fn one(deliver: &Deliver, item: Result<Emit, Mistake>) -> Reply {
    let delivered = match item {
        Ok(emit) => deliver(emit)
            .await
            .map_err(|error| Mistake::new(error.code(), error.to_string())),
        Err(mistake) => Err(mistake),
    };
    match delivered {
        Ok(emitted) => Reply::Done { ok: true, emitted },
        Err(error) => Reply::Refused { error },
    }
}

fn request(message: &Message) -> Result<Request, Mistake> {
    let token = message.subject.rsplit('.').next().unwrap_or_default();
    let namespace = subject::name(token).ok_or_else(|| {
        let what = format!("`{token}` is no namespace: `/` is written `=2F`");
        Mistake::new("bad_subject", what)
    })?;
    let header = |name: &str| {
        let value = message.headers.as_ref()?.get(name)?;
        Some(value.as_str())
    };
    let is_packed = match header("Content-Type") {
        Some("application/json") => false,
        Some("application/msgpack" | "application/x-msgpack") => true,
        _ => looks_packed(&message.payload),
    };
    let mut request = match is_packed {
        true => read_packed(&message.payload, Some(&namespace))?,
        false => read(&message.payload, Some(&namespace))?,
    };
    if let Some(id) = header(ID) {
        request.is_known_as(id).map_err(|()| Mistake::id(ID))?;
    }
    Ok(request)
}

/// A map or an array of msgpack begins with no character of JSON.
fn looks_packed(payload: &Bytes) -> bool {
    payload.first().is_some_and(|first| *first >= 0x80)
}

impl Reply {
    /// Counts each event, and logs those that are refused: without a reply, nobody else hears of it.
    fn tell(&self, subject: &str) {
        match self {
            Self::Done { .. } => BackendEmitted.emit(),
            Self::Batch { results, .. } => results.iter().for_each(|it| it.tell(subject)),
            Self::Refused { error } => BackendEmitRefused {
                subject,
                code: error.code,
                field: error.field.as_deref(),
                reason: &error.detail,
            }
            .emit(),
        }
    }
}
