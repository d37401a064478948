//! The one way out of a WebSocket: everything for its client is appended here, frame by frame, and leaves in that order.
//!
//! What is appended while a reactor's tasks run is written by one system call at the end of their turn. While a
//! client does not take what is written, its frames wait here, bounded by whoever appends; a task that lives only as
//! long as that goes on with the writing, and ends the connection when nothing is taken for too long.

mod flusher;
mod frames;
mod log;
mod queue;
mod spare;

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::deflate::{self, Outbound, Settings};
use super::link::Link;
use super::pace::Pace;
use crate::telemetry::metrics::{DropReason, metrics};
use crate::tls::WriteHalf;
use flusher::Flusher;
use frames::{Frames, SMALL};
use log::Log;
use queue::{Flushed, Queue, Stage};

pub(super) use log::Shared;

pub(super) struct Lane {
    queue: Mutex<Queue>,
    link: Arc<Link>,
    terms: Arc<Terms>,
    /// Most clients do without.
    compression: Option<Box<Compression>>,
}

/// What all connections of a reactor share that were opened under the same configuration.
pub(super) struct Terms {
    /// How long a client may take nothing of what is written to it.
    patience: Duration,
    /// Bytes of a message of a client.
    pub max_message: u64,
    pace: Arc<Pace>,
    flusher: Arc<Flusher>,
}

/// How messages for this client are compressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compression {
    pub settings: Settings,
    /// The window for which a message may be compressed once for many. `None`: messages refer to what this client was
    /// sent before.
    pub shared: Option<u8>,
}

/// What may wait for one client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub bytes: u32,
    pub messages: u32,
}

impl Bounds {
    /// Nothing is more.
    pub(super) const NONE: Self = Self {
        bytes: u32::MAX,
        messages: u32::MAX,
    };
}

/// More waits than may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

// === impl Terms ===

impl Terms {
    /// Of the reactor whose thread this is.
    pub(super) fn here(patience: Duration, max_message: u64, pace: Arc<Pace>) -> Arc<Self> {
        Arc::new(Self {
            patience,
            max_message,
            pace,
            flusher: Flusher::here(),
        })
    }

    /// For benchmarks, which write out their lanes themselves.
    pub(super) fn turn_is_over(&self) {
        self.flusher.log.clear();
    }

    pub(super) fn are(&self, patience: Duration, max_message: u64) -> bool {
        self.patience == patience && self.max_message == max_message
    }
}

// === impl Lane ===

impl Lane {
    pub(super) fn new(
        socket: WriteHalf,
        link: Arc<Link>,
        terms: Arc<Terms>,
        deflate: Option<&deflate::Terms>,
    ) -> Arc<Self> {
        Arc::new(Self {
            compression: deflate.map(|terms| {
                Box::new(Compression {
                    settings: terms.settings,
                    shared: (!terms.agreed.outbound.takeover).then_some(terms.agreed.outbound.bits),
                })
            }),
            queue: Mutex::new(Queue::new(
                socket,
                deflate.map(|terms| Outbound::new(terms.agreed.outbound, terms.settings)),
            )),
            link,
            terms,
        })
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    fn log(&self) -> &Log {
        &self.terms.flusher.log
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.terms.pace
    }

    /// How frames of so many bytes are compressed, if they are.
    pub(super) fn compression(&self, bytes: usize) -> Option<Compression> {
        self.compression
            .as_deref()
            .copied()
            .filter(|compression| compression.settings.is_worth_it(bytes))
    }

    /// Appends what belongs together. What comes when the connection has ended goes the way of all that waited.
    pub(super) fn push(self: &Arc<Self>, shared: &Shared, bounds: Bounds) -> Result<(), Overflow> {
        let (frames, log) = (shared.as_ref(), self.log());
        self.append(frames.len(), bounds, |queue| {
            // What waits for a client is there for longer than a turn.
            let is_small = frames.len() <= SMALL && queue.stage != Stage::Blocked;
            match is_small.then(|| shared.in_log(log)).flatten() {
                Some(run) => queue.refer(run, log),
                None => queue.put(frames.clone().into(), log),
            }
        })
    }

    /// As [`push`](Self::push), for frames that are for nobody else, and not compressed yet.
    pub(super) fn push_own(
        self: &Arc<Self>,
        frames: impl Into<Frames>,
        bounds: Bounds,
    ) -> Result<(), Overflow> {
        let frames = frames.into();
        let len = frames.as_ref().len();
        let is_compressed = self.compression(len).is_some();
        self.append(len, bounds, |queue| match &mut queue.outbound {
            Some(outbound) if is_compressed => {
                let frames = outbound.compress(frames.as_ref());
                queue.put(frames.into(), self.log());
            }
            _ => queue.put(frames, self.log()),
        })
    }

    /// Appends a frame of the protocol library's, which has no more to say than the protocol makes it.
    pub(super) fn push_control(self: &Arc<Self>, frame: &[u8]) {
        // Never fails.
        let _ = self.append(frame.len(), Bounds::NONE, |queue| {
            queue.copy(frame, self.log());
        });
    }

    fn append(
        self: &Arc<Self>,
        len: usize,
        bounds: Bounds,
        put: impl FnOnce(&mut Queue),
    ) -> Result<(), Overflow> {
        let mut queue = self.queue.lock();
        if queue.socket.is_none() {
            metrics().dropped(DropReason::Closed);
            return Ok(());
        }
        // What is gathered in a turn says nothing about its client yet.
        if queue.is_full(len, bounds) && queue.stage == Stage::Listed {
            queue.write(self.log());
        }
        if queue.is_full(len, bounds) {
            return Err(Overflow);
        }
        put(&mut queue);
        if queue.stage == Stage::Blocked {
            queue.tell_waiting();
        }
        if queue.stage == Stage::Idle {
            queue.stage = Stage::Listed;
            // While it is locked: who sees that it is listed relies on its being written out with this turn.
            self.terms.flusher.add(self.clone());
        }
        Ok(())
    }

    /// The client does not take what is written to it at the moment.
    pub(super) fn is_blocked(&self) -> bool {
        self.queue.lock().stage == Stage::Blocked
    }

    /// Writes what can be written at once. True: nothing is left.
    pub(super) fn flush(&self) -> bool {
        self.queue.lock().write(self.log()) != Flushed::Blocked
    }

    /// At the end of a turn.
    fn flush_listed(self: Arc<Self>) {
        let mut queue = self.queue.lock();
        if queue.stage != Stage::Listed {
            return;
        }
        match queue.write(self.log()) {
            Flushed::All | Flushed::Gone => queue.stage = Stage::Idle,
            Flushed::Blocked => {
                queue.stage = Stage::Blocked;
                drop(queue);
                tokio::spawn(self.go_on());
            }
        }
    }

    /// Writes as the client takes it, until nothing waits any more.
    async fn go_on(self: Arc<Self>) {
        loop {
            let writable = poll_fn(|cx| match &self.queue.lock().socket {
                Some(socket) => socket.poll_write_ready(cx),
                None => std::task::Poll::Ready(Ok(())),
            });
            let is_late = tokio::time::timeout(self.terms.patience, writable)
                .await
                .is_err();
            let mut queue = self.queue.lock();
            if queue.write(self.log()) != Flushed::Blocked {
                queue.stage = Stage::Idle;
                break;
            }
            if is_late {
                queue.end();
                queue.stage = Stage::Idle;
                drop(queue);
                self.link.stalled();
                break;
            }
        }
        self.link.tell();
    }

    /// Writes what is left, for as long as the client takes it.
    pub(super) async fn finish(self: Arc<Self>) {
        let was = {
            let mut queue = self.queue.lock();
            // It is not written out with this turn any more.
            queue.settle(self.log());
            std::mem::replace(&mut queue.stage, Stage::Blocked)
        };
        match was {
            Stage::Blocked => self.link.until(|_| !self.is_blocked()).await,
            Stage::Idle | Stage::Listed => self.clone().go_on().await,
        }
    }

    /// Nothing more leaves here.
    pub(super) fn end(&self) {
        self.queue.lock().end();
    }
}

#[cfg(test)]
mod tests;
