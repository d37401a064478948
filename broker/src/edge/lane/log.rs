//! What leaves for many in one turn, written down once for all of them.
//!
//! Copied into a buffer of each lane, 64 events for 250 clients are megabytes, which no cache holds, and every copy waits
//! for memory; then the kernel fetches each from there again. Here they stand behind each other, once, for
//! the length of a turn, and a lane knows from where to where its part reaches.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

/// What is written down in a turn at the most; more is copied into each lane.
const MOST: usize = 256 << 10;

thread_local! {
    /// The turn of the log that this thread writes, a reactor's; 0: it has none.
    static TURN: Cell<u32> = const { Cell::new(0) };
}

/// A reactor's. Written by its own thread only, because nobody else knows when its turn is over.
pub(super) struct Log {
    /// No two logs have the same, nor has one of them the same again for as long as anybody remembers it.
    turn: AtomicU32,
    bytes: Mutex<Vec<u8>>,
}

/// A part of what stands in a log until the turn is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Run {
    turn: u32,
    start: u32,
    end: u32,
}

/// Frames that are the same for all who get them.
pub(in crate::edge) struct Shared {
    bytes: Bytes,
    /// Where they stand in the log of whoever sends them; `None`: it was full.
    written: OnceLock<Option<Run>>,
}

// === impl Log ===

impl Log {
    /// From now on this thread writes it.
    pub(super) fn here() -> Self {
        let turn = next_turn();
        TURN.set(turn);
        Self {
            turn: AtomicU32::new(turn),
            bytes: Mutex::default(),
        }
    }

    /// The turn that it is, where this thread is the one that writes it.
    fn turn(&self) -> Option<u32> {
        let turn = TURN.get();
        (turn == self.turn.load(Ordering::Relaxed)).then_some(turn)
    }

    fn append(&self, turn: u32, frames: &[u8]) -> Option<Run> {
        let mut bytes = self.bytes.lock();
        let start = bytes.len();
        if start + frames.len() > MOST {
            return None;
        }
        bytes.extend_from_slice(frames);
        Some(Run {
            turn,
            start: start as u32,
            end: bytes.len() as u32,
        })
    }

    /// `None`: its turn is over.
    pub(super) fn read<T>(&self, run: Run, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let bytes = self.bytes.lock();
        if run.turn != self.turn.load(Ordering::Relaxed) {
            return None;
        }
        bytes.get(run.start as usize..run.end as usize).map(read)
    }

    /// The turn is over: no lane has a part of it any more.
    pub(super) fn clear(&self) {
        let mut bytes = self.bytes.lock();
        if !bytes.is_empty() {
            bytes.clear();
            let turn = next_turn();
            self.turn.store(turn, Ordering::Relaxed);
            TURN.set(turn);
        }
    }
}

fn next_turn() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    match NEXT.fetch_add(1, Ordering::Relaxed) {
        0 => next_turn(),
        turn => turn,
    }
}

// === impl Run ===

impl Run {
    pub(super) const NONE: Self = Self {
        turn: 0,
        start: 0,
        end: 0,
    };

    pub(super) fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(super) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// With what stands right behind it; `None`: that stands somewhere else.
    pub(super) fn with(self, next: Self) -> Option<Self> {
        let is_next = self.turn == next.turn && self.end == next.start;
        is_next.then_some(Self {
            end: next.end,
            ..self
        })
    }
}

// === impl Shared ===

impl From<Bytes> for Shared {
    fn from(bytes: Bytes) -> Self {
        Self {
            bytes,
            written: OnceLock::new(),
        }
    }
}

impl AsRef<Bytes> for Shared {
    fn as_ref(&self) -> &Bytes {
        &self.bytes
    }
}

impl Shared {
    /// Where they stand in this log, written down if they have not been; `None`: they cannot be.
    pub(super) fn in_log(&self, log: &Log) -> Option<Run> {
        let turn = log.turn()?;
        let written = self.written.get_or_init(|| log.append(turn, &self.bytes));
        // Not where they were written down in an earlier turn, or by another reactor.
        written.filter(|run| run.turn == turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(text: &'static str) -> Shared {
        Bytes::from_static(text.as_bytes()).into()
    }

    fn text(log: &Log, run: Run) -> Option<String> {
        log.read(run, |bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    #[test]
    fn what_stands_behind_each_other_is_one_part() {
        let log = Log::here();
        let [a, b, c] = ["one", "two", "three"].map(|it| shared(it).in_log(&log).unwrap());
        let both = a.with(b).unwrap();
        assert_eq!(text(&log, both).unwrap(), "onetwo");
        assert_eq!((both.len(), a.with(c)), (6, None));
        assert!(Run::NONE.is_empty() && Run::NONE.with(a).is_none());
    }

    #[test]
    fn it_is_written_once_and_holds_for_a_turn() {
        let log = Log::here();
        let frames = shared("one");
        let run = frames.in_log(&log).unwrap();
        assert_eq!(frames.in_log(&log), Some(run));
        log.clear();
        let other = shared("two").in_log(&log).unwrap();
        assert_eq!((text(&log, run), frames.in_log(&log)), (None, None));
        assert_eq!(text(&log, other).unwrap(), "two");
    }

    #[test]
    fn it_is_for_its_own_thread_and_reactor() {
        let log = Log::here();
        let frames = shared("one");
        let run = frames.in_log(&log).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(shared("two").in_log(&log), None);
                let own = Log::here();
                assert_eq!((frames.in_log(&own), text(&own, run)), (None, None));
                assert_eq!(shared("two").in_log(&log), None);
                // Reading is for all.
                assert_eq!(text(&log, run).unwrap(), "one");
            });
        });
    }

    #[test]
    fn no_more_is_written_down_than_may_be() {
        let log = Log::here();
        let half = Bytes::from(vec![7; MOST / 2 + 1]);
        assert!(Shared::from(half.clone()).in_log(&log).is_some());
        assert!(Shared::from(half.clone()).in_log(&log).is_none());
        assert!(shared("small").in_log(&log).is_some());
        log.clear();
        assert!(Shared::from(half).in_log(&log).is_some());
    }
}
