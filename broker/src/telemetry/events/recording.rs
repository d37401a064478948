//! Recordings, which show what clients do to whoever asked for them.

use std::time::Duration;

use tracing::info;

use super::{NODE, millis};

/// Somebody records what clients do.
pub(crate) struct RecordingBegan {
    /// How long at most.
    pub time: Duration,
}

impl RecordingBegan {
    pub(crate) fn emit(self) {
        info!(target: NODE, time_ms = millis(self.time), "recording began");
    }
}

/// Nobody does any more.
pub(crate) struct RecordingEnded {
    pub lines: usize,
    /// Lines that there was no room for.
    pub dropped: u64,
}

impl RecordingEnded {
    pub(crate) fn emit(self) {
        let (lines, dropped) = (self.lines, self.dropped);
        info!(target: NODE, lines, dropped, "recording ended");
    }
}
