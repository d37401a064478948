//! What waits for a socket's lane to open.

use bytes::Bytes;

use crate::edge::lane::{Bounds, Overflow};
use crate::telemetry::metrics::{DropReason, metrics};

#[derive(Default)]
pub(super) struct Waiting {
    frames: Vec<Bytes>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn push(&mut self, frames: Bytes, bounds: Bounds) -> Result<(), Overflow> {
        self.bytes += frames.len();
        if self.bytes > bounds.bytes as usize || self.frames.len() >= bounds.messages as usize {
            self.lose(DropReason::SlowClient);
            return Err(Overflow);
        }
        self.frames.push(frames);
        Ok(())
    }

    /// The lane is open.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.bytes = 0;
        std::mem::take(&mut self.frames)
    }

    fn lose(&mut self, reason: DropReason) {
        for _ in self.take() {
            metrics().dropped(reason);
        }
    }
}

impl Drop for Waiting {
    /// The socket has ended before its lane opened.
    fn drop(&mut self) {
        self.lose(DropReason::Closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed() -> u64 {
        let text = metrics().render(false);
        let line = text
            .lines()
            .find(|line| line.starts_with("sluice_events_dropped_total{reason=\"closed\"}"));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    #[test]
    fn what_never_leaves_is_counted() {
        let bounds = Bounds {
            bytes: 10,
            messages: 3,
        };
        let frame = || Bytes::from_static(b"1234");
        let before = closed();
        let mut waiting = Waiting::default();
        for _ in 0..2 {
            assert_eq!(waiting.push(frame(), bounds), Ok(()));
        }
        drop(waiting);
        // Others count at the same time.
        assert!(closed() >= before + 2);
        let mut waiting = Waiting::default();
        waiting.push(frame(), bounds).unwrap();
        assert_eq!(waiting.take(), [frame()]);
        for expected in [Ok(()), Ok(()), Err(Overflow)] {
            assert_eq!(waiting.push(frame(), bounds), expected);
        }
        assert!(waiting.take().is_empty());
    }
}
