//! What one peer tells another: an event, and by name who is to get it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::event::Event;
use crate::telemetry::trace::{self, Context};

/// One event for all members that a peer has. The peers share it.
pub(crate) struct Message {
    pub namespace: Arc<str>,
    /// `None`: everyone in the namespace. Who is in several of them gets the event once.
    pub rooms: Option<Vec<Box<str>>>,
    /// Whoever is in one of these does not get it.
    pub except: Vec<Box<str>>,
    pub event: Event,
    /// What it is a part of.
    pub trace: Option<Context>,
    /// Where somebody waits for its delivery.
    receipt: Option<Arc<Receipt>>,
}

/// How many sockets an event has gone to, and whether that is all.
pub(crate) struct Receipt {
    deliveries: AtomicUsize,
    /// Peers that have not delivered it yet.
    outstanding: AtomicUsize,
    changed: Notify,
}

// === impl Message ===

impl Message {
    pub(super) fn new<S: AsRef<str>>(
        namespace: &Arc<str>,
        rooms: Option<&[S]>,
        except: &[String],
        event: &Event,
        receipt: Option<Arc<Receipt>>,
    ) -> Self {
        let rooms = rooms.map(|rooms| rooms.iter().map(|room| room.as_ref().into()).collect());
        Self {
            namespace: namespace.clone(),
            rooms,
            except: except.iter().map(|room| room.as_str().into()).collect(),
            event: event.clone(),
            trace: trace::here(),
            receipt,
        }
    }

    /// As another node has sent it.
    pub(super) fn from_node(
        namespace: Arc<str>,
        rooms: Option<Vec<Box<str>>>,
        except: Vec<Box<str>>,
        event: Event,
    ) -> Self {
        Self {
            namespace,
            rooms,
            except,
            event,
            trace: None,
            receipt: None,
        }
    }

    /// Bytes that it takes up, nearly.
    pub(super) fn size(&self) -> usize {
        let names = self.rooms.iter().flatten().chain(&self.except);
        let names = names.map(|name| size_of_val(name) + name.len());
        size_of::<Self>() + self.event.name.len() + self.event.size() + names.sum::<usize>()
    }

    /// A peer has delivered it to so many sockets.
    pub(super) fn delivered(&self, sockets: usize) {
        if let Some(receipt) = &self.receipt {
            receipt.deliveries.fetch_add(sockets, Ordering::Relaxed);
            if receipt.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
                receipt.changed.notify_waiters();
            }
        }
    }
}

// === impl Receipt ===

impl Receipt {
    /// For an event that so many peers are to deliver.
    pub(super) fn new(peers: usize) -> Self {
        Self {
            deliveries: AtomicUsize::new(0),
            outstanding: AtomicUsize::new(peers),
            changed: Notify::new(),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.outstanding.load(Ordering::Acquire) == 0
    }

    pub(super) async fn complete(&self) {
        let mut changed = std::pin::pin!(self.changed.notified());
        // From here on the change is not missed.
        changed.as_mut().enable();
        if !self.is_complete() {
            changed.await;
        }
    }

    pub(super) fn deliveries(&self) -> usize {
        self.deliveries.load(Ordering::Relaxed)
    }
}
