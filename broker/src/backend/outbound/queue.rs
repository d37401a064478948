//! What waits for the way to NATS: one queue, in the order of handing over, bounded in messages and bytes.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Outgoing;
use crate::telemetry::metrics::metrics;

pub(super) struct Queue {
    sender: UnboundedSender<Outgoing>,
    /// Taken by the one who sends.
    receiver: Mutex<Option<UnboundedReceiver<Outgoing>>>,
    /// What has not left yet, the message that is being sent included.
    messages: AtomicUsize,
    bytes: AtomicUsize,
    max_messages: usize,
    max_bytes: usize,
    emptied: Notify,
}

impl Queue {
    pub(super) fn new(max_messages: usize, max_bytes: usize) -> Self {
        let (sender, receiver) = unbounded_channel();
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
            messages: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            max_messages,
            max_bytes,
            emptied: Notify::new(),
        }
    }

    /// Takes a message, or gives it back: there is no room for it.
    pub(super) fn push(&self, outgoing: Outgoing) -> Result<(), Box<Outgoing>> {
        let size = outgoing.size();
        if !added(&self.messages, 1, self.max_messages) {
            return Err(outgoing.into());
        }
        if !added(&self.bytes, size, self.max_bytes) {
            self.messages.fetch_sub(1, Ordering::AcqRel);
            return Err(outgoing.into());
        }
        metrics().backend.queued.inc();
        self.sender.send(outgoing).map_err(|refused| {
            self.left(size);
            refused.0.into()
        })
    }

    /// Once.
    pub(super) fn receiver(&self) -> Option<UnboundedReceiver<Outgoing>> {
        self.receiver.lock().take()
    }

    /// A message has been sent, or given up.
    pub(super) fn left(&self, size: usize) {
        metrics().backend.queued.dec();
        self.bytes.fetch_sub(size, Ordering::AcqRel);
        if self.messages.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.emptied.notify_waiters();
        }
    }

    /// Waits until nothing is left.
    pub(super) async fn is_empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.messages.load(Ordering::Acquire) == 0 {
                return;
            }
            emptied.await;
        }
    }
}

fn added(count: &AtomicUsize, by: usize, max: usize) -> bool {
    let more = |now: usize| now.checked_add(by).filter(|sum| *sum <= max);
    count
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
        .is_ok()
}
