//! The node is emptied of its clients.

use std::time::Duration;

use tracing::info;

use super::{NODE, millis};
use crate::telemetry::metrics::metrics;

/// No new client is let in, and those who are in are closed.
pub(crate) struct Draining {
    /// Those that are to be closed.
    pub connections: usize,
    pub period: Duration,
    /// Whether the process ends then.
    pub exit: bool,
}

impl Draining {
    pub(crate) fn emit(self) {
        metrics().drain.draining.set(1);
        info!(
            target: NODE,
            connections = self.connections,
            period_ms = millis(self.period),
            exit = self.exit,
            "draining"
        );
    }
}

/// How far it is.
pub(crate) struct DrainProgress {
    pub closed: usize,
    pub left: usize,
}

impl DrainProgress {
    pub(crate) fn emit(self) {
        info!(target: NODE, closed = self.closed, left = self.left, "drain goes on");
    }
}

/// Nobody is left, or nobody who is waited for.
pub(crate) struct DrainEnded {
    pub closed: usize,
    pub left: usize,
    pub took: Duration,
}

impl DrainEnded {
    pub(crate) fn emit(self) {
        info!(
            target: NODE,
            closed = self.closed,
            left = self.left,
            took_ms = millis(self.took),
            "drained"
        );
    }
}

/// Clients may come in again.
pub(crate) struct DrainUndone;

impl DrainUndone {
    pub(crate) fn emit(self) {
        metrics().drain.draining.set(0);
        info!(target: NODE, "drain undone");
    }
}
