//! A recording, as whoever asked for it gets it: line after line, until it ends.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::seen::Seen;
use super::write::Writer;
use super::{Recorder, Running};
use crate::lossy::Receiver;
use crate::telemetry::events::RecordingEnded;

/// Ends the recording when it is dropped.
pub(crate) struct Recording {
    recorder: Arc<Recorder>,
    running: Arc<Running>,
    seen: Receiver<Seen>,
    writer: Writer,
    end: Instant,
    lines: usize,
    bytes: usize,
    is_over: bool,
}

impl Recording {
    pub(super) fn new(
        recorder: Arc<Recorder>,
        running: Arc<Running>,
        seen: Receiver<Seen>,
    ) -> Self {
        Self {
            writer: Writer::new(&running.wanted),
            end: Instant::now() + running.wanted.time,
            recorder,
            running,
            seen,
            lines: 0,
            bytes: 0,
            is_over: false,
        }
    }

    /// The next line, with its line break; `None`: it is over.
    pub(crate) async fn next(&mut self) -> Option<String> {
        if self.is_over {
            return None;
        }
        let wanted = &self.running.wanted;
        if self.lines < wanted.lines
            && self.bytes < wanted.bytes
            // Where there always is something, waiting for it never runs out of time.
            && Instant::now() < self.end
            && let Ok(Some(seen)) = timeout_at(self.end, self.seen.next()).await
        {
            let line = self.writer.write(&seen);
            self.lines += 1;
            self.bytes += line.len();
            return Some(line);
        }
        self.is_over = true;
        let dropped = self.seen.dropped();
        (dropped > 0).then(|| format!("{{\"dropped\":{dropped}}}\n"))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.recorder.end();
        RecordingEnded {
            lines: self.lines,
            dropped: self.seen.dropped(),
        }
        .emit();
    }
}
