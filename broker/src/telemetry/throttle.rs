//! How many records of a kind a client can cause.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Records a second of one kind. Whoever floods the broker would otherwise spend its processor on the log, and fill
/// the disk; what is left out is counted in the metrics, and by `suppressed` in the next record.
const A_SECOND: u32 = 100;

/// The second in the upper half, the records that were wanted in it in the lower: one word, so one atomic step.
pub(super) struct Throttle(AtomicU64);

impl Throttle {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Whether to write a record; if so, how many have been left out since the last one of the second before.
    pub(super) fn admit(&self) -> Option<u32> {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        self.admit_at(u32::try_from(START.elapsed().as_secs()).unwrap_or(u32::MAX))
    }

    fn admit_at(&self, second: u32) -> Option<u32> {
        let step = |word: u64| {
            let (then, wanted) = halves(word);
            let wanted = if then == second {
                wanted.saturating_add(1)
            } else {
                1
            };
            Some(u64::from(second) << 32 | u64::from(wanted))
        };
        // Never fails: the step always has an answer.
        let before = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
            .unwrap_or_default();
        let (then, wanted) = halves(before);
        if then != second {
            return Some(wanted.saturating_sub(A_SECOND));
        }
        (wanted < A_SECOND).then_some(0)
    }
}

fn halves(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_what_was_cut_is_told() {
        let throttle = Throttle::new();
        let written = (0..1000).filter(|_| throttle.admit_at(7).is_some()).count();
        assert_eq!(written, A_SECOND as usize);
        assert_eq!(throttle.admit_at(8), Some(900));
        assert_eq!(throttle.admit_at(8), Some(0));
        assert_eq!(throttle.admit_at(20), Some(0));
    }
}
