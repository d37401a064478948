//! Client events, and what happens to sockets, on their way to back ends over NATS, and what is replied.
//!
//! Nothing here waits on an event's path: a session hands over a message that is written already, the `queue` takes it or
//! says that it is full, and the `sender` publishes in that order. Whoever is to be answered has a place in `replies`.

mod answer;
mod batch;
mod envelope;
mod lifecycle;
mod queue;
mod replies;
mod sender;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::config::{self, Batch, Encoding, Outbound, Want};
use crate::event::{Client, Code, Denial, Event};
use crate::nats::Nats;
use crate::session::Later;
use crate::telemetry::events::BackendLost;
use crate::telemetry::metrics::{BackendKind, BackendLoss};
use crate::telemetry::trace::{self, Context};
use batch::Messages;
use envelope::{Envelope, Writer};
pub(crate) use lifecycle::Happened;
use queue::Queue;
use replies::Replies;
use sender::Sender;

/// The broker's way to back ends.
pub(crate) struct Backend {
    queue: Arc<Queue>,
    writer: Writer,
    /// Events that leave together.
    gathered: Arc<Messages>,
}

/// A message on its way to NATS.
struct Outgoing {
    subject: String,
    /// By which streams know one that comes again.
    id: String,
    encoding: Encoding,
    payload: Bytes,
    kind: BackendKind,
    awaited: Awaited,
    since: Instant,
    /// What it is a part of.
    trace: Option<Context>,
}

/// Who is told what becomes of a message.
enum Awaited {
    Nothing,
    /// Once it is stored.
    Stored(Vec<Later>, Duration),
    /// What is replied.
    Reply(Later, Duration),
}

// === impl Backend ===

impl Backend {
    /// Begins to publish, and goes on until the process ends. On the control runtime.
    pub(crate) fn start(nats: &Arc<Nats>, config: &config::Cluster, node: &str) -> Arc<Self> {
        let queue = Arc::new(Queue::new(
            config.max_queued_messages,
            config.max_queued_bytes,
        ));
        let replies = Arc::new(Replies::new(nats.client().new_inbox()));
        tokio::spawn(replies.clone().serve(nats.client().clone()));
        let sender = Sender::new(nats.clone(), queue.clone(), replies, config);
        tokio::spawn(sender.run());
        let gathered = Arc::new(batch::messages(queue.clone()));
        tokio::spawn(gathered.clone().serve());
        Arc::new(Self {
            queue,
            gathered,
            writer: Writer::new(node),
        })
    }

    /// Hands an event over. `later` is given where somebody is to be told what comes of it, by then or at once.
    pub(crate) fn publish(
        &self,
        client: &Client,
        event: &Event,
        to: &Outbound,
        batch: Option<Batch>,
        later: Option<Later>,
    ) -> Result<(), Denial> {
        let subject = to.subject.fill(&client.namespace, &event.name);
        let subject = match subject {
            Ok(subject) => subject,
            Err(error) => {
                return refuse(later, Denial::broker(Code::TooLarge, error.to_string()));
            }
        };
        let envelope = Envelope::new();
        let payload = self.writer.event(&envelope, client, event, to.encoding);
        if let Some(batch) = batch {
            let key = batch::To {
                subject,
                encoding: to.encoding,
                want: to.want,
            };
            let item = batch::Item {
                envelope,
                payload,
                later,
            };
            self.gathered.add(key, item, batch);
            return Ok(());
        }
        let awaited = match (to.want, later) {
            (Want::Stored(timeout), Some(later)) => Awaited::Stored(vec![later], timeout),
            (Want::Reply(timeout), Some(later)) => Awaited::Reply(later, timeout),
            _ => Awaited::Nothing,
        };
        self.hand_over(Outgoing {
            subject,
            id: envelope.id,
            encoding: to.encoding,
            payload,
            kind: awaited.kind(),
            awaited,
            since: Instant::now(),
            trace: trace::here(),
        })
    }

    fn hand_over(&self, outgoing: Outgoing) -> Result<(), Denial> {
        hand_over(&self.queue, outgoing)
    }

    /// Hands over what has been gathered.
    pub(crate) fn flush(&self) {
        self.gathered.flush();
    }

    /// Hands over what has been gathered; from here on every event leaves at once.
    pub(crate) fn close(&self) {
        self.gathered.close();
    }

    /// Waits until all that was handed over has left, at most for so long.
    pub(crate) async fn drain(&self, patience: Duration) {
        // What is left is counted by whoever asks for it: the process ends.
        let _ = tokio::time::timeout(patience, self.queue.is_empty()).await;
    }
}

fn hand_over(queue: &Queue, outgoing: Outgoing) -> Result<(), Denial> {
    match queue.push(outgoing) {
        Ok(()) => Ok(()),
        Err(refused) => {
            BackendLost {
                subject: &refused.subject,
                loss: BackendLoss::Overloaded,
            }
            .emit();
            let denial = Denial::broker(
                Code::Overloaded,
                "too much waits for the way to the back ends",
            );
            match refused.awaited {
                Awaited::Nothing => Err(denial),
                awaited => {
                    awaited.denied(&denial);
                    Ok(())
                }
            }
        }
    }
}

fn refuse(later: Option<Later>, denial: Denial) -> Result<(), Denial> {
    match later {
        Some(later) => {
            later.denied(&denial);
            Ok(())
        }
        None => Err(denial),
    }
}

// === impl Outgoing ===

impl Outgoing {
    fn size(&self) -> usize {
        self.payload.len() + self.subject.len()
    }
}

// === impl Awaited ===

impl Awaited {
    /// What an event of a client is published as.
    fn kind(&self) -> BackendKind {
        match self {
            Self::Nothing => BackendKind::Publish,
            Self::Stored(..) => BackendKind::Durable,
            Self::Reply(..) => BackendKind::Request,
        }
    }

    fn denied(self, denial: &Denial) {
        match self {
            Self::Nothing => {}
            Self::Stored(laters, _) => laters.into_iter().for_each(|it| it.denied(denial)),
            Self::Reply(later, _) => later.denied(denial),
        }
    }

    fn timeout(&self) -> Option<Duration> {
        match self {
            Self::Nothing => None,
            Self::Stored(_, timeout) | Self::Reply(_, timeout) => Some(*timeout),
        }
    }
}
