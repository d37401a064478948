//! Answers that come later: whoever takes over an event holds what its sender is to be told with.
//!
//! A [`Later`] may be settled from any thread, long after its event's turn, and does not keep a socket alive: an answer
//! for one that is gone is nothing. How many may be owed is bounded, for a socket and in all, because each is memory that a
//! client decides on.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use super::{Broker, CLOSED, Session};
use crate::event::{Code, Denial};
use crate::telemetry::metrics::metrics;

/// Answers that one socket may be owed. A client that pipelines waits for its own acks long before.
const MAX_A_SOCKET: u32 = 1024;

/// Answers that all sockets may be owed: some 200 bytes each.
const MAX_IN_ALL: u32 = 1 << 17;

/// Answers that are owed.
#[derive(Debug, Default)]
pub(crate) struct Owed(AtomicU32);

/// The answer to one event. Settled by what takes it; what is dropped unsettled is counted.
#[must_use]
pub(crate) struct Later {
    broker: Arc<Broker>,
    session: Weak<Session>,
    event: Arc<str>,
    /// `None`: only a denial is told.
    ack: Option<i64>,
    is_settled: bool,
}

// === impl Owed ===

impl Owed {
    fn is_added(&self, max: u32) -> bool {
        let more = |owed: u32| (owed < max).then_some(owed + 1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    fn remove(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Later ===

impl Later {
    /// For an event of a session. `Err`: as many answers are owed as may be.
    pub(super) fn new(
        session: &Arc<Session>,
        event: &Arc<str>,
        ack: Option<i64>,
    ) -> Result<Self, Denial> {
        let full = || Denial::broker(Code::Overloaded, "too many events wait for their answers");
        if !session.owed.is_added(MAX_A_SOCKET) {
            return Err(full());
        }
        if !session.broker.owed.is_added(MAX_IN_ALL) {
            session.owed.remove();
            return Err(full());
        }
        metrics().acks_waiting.inc();
        Ok(Self {
            broker: session.broker.clone(),
            session: Arc::downgrade(session),
            event: event.clone(),
            ack,
            is_settled: false,
        })
    }

    /// It has been done.
    pub(crate) fn ok(self) {
        self.settle(|session, later| session.ok(later.ack));
    }

    /// Somebody answers; `args` is the text of a JSON array, checked.
    pub(crate) fn answer(self, args: &str) {
        self.settle(|session, later| session.answer(later.ack, args));
    }

    /// It has been refused, or has failed. As everywhere, without an ack the sender is told by the denial event.
    pub(crate) fn denied(self, denial: &Denial) {
        self.settle(|session, later| session.deny_later(&later.event, denial, later.ack));
    }

    fn settle(mut self, tell: impl FnOnce(&Session, &Self)) {
        self.is_settled = true;
        if let Some(session) = self.session.upgrade()
            && session.stage.load(Ordering::Acquire) != CLOSED
        {
            tell(&session, &self);
        }
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        self.broker.owed.remove();
        metrics().acks_waiting.dec();
        if let Some(session) = self.session.upgrade() {
            session.owed.remove();
        }
        if !self.is_settled {
            metrics().acks_lost.inc();
        }
    }
}
