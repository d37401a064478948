//! Numbers that all reactors add to at once: each thread has a place of its own, so that they do not pull one cache line
//! from core to core. Read, they are summed up.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use prometheus_client::metrics::counter::{Atomic, Counter};

/// So many threads have a place of their own. The rest share the last one, which costs them time and loses nothing.
pub(super) const PLACES: usize = 32;

/// The place of this thread.
pub(super) fn place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PLACE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    PLACE.with(|place| {
        if place.get() == usize::MAX {
            place.set(NEXT.fetch_add(1, Ordering::Relaxed).min(PLACES - 1));
        }
        place.get()
    })
}

/// Adds to what stands in a place: without the lock that a processor takes for an atomic sum, where no other thread
/// writes.
pub(super) fn add(number: &AtomicU64, by: u64, place: usize) {
    if place < PLACES - 1 {
        let before = number.load(Ordering::Relaxed);
        number.store(before.wrapping_add(by), Ordering::Relaxed);
    } else {
        number.fetch_add(by, Ordering::Relaxed);
    }
}

/// A counter for what happens on an event's path.
pub(crate) type Tally = Counter<u64, Spread>;

/// One number in so many places.
#[derive(Debug, Default)]
pub(crate) struct Spread([Place; PLACES]);

/// As large as two lines, because processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place(AtomicU64);

impl Atomic<u64> for Spread {
    fn inc(&self) -> u64 {
        self.inc_by(1)
    }

    /// Nobody asks for the number before, which would have to be summed up.
    fn inc_by(&self, by: u64) -> u64 {
        let place = place();
        if let Some(part) = self.0.get(place) {
            add(&part.0, by, place);
        }
        0
    }

    fn get(&self) -> u64 {
        let parts = self.0.iter();
        parts.map(|part| part.0.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_add_is_all_there() {
        let tally = Tally::default();
        std::thread::scope(|scope| {
            // More than there are places.
            for _ in 0..PLACES + 3 {
                scope.spawn(|| (0..1000).for_each(|_| _ = tally.inc()));
            }
        });
        assert_eq!(tally.get(), 1000 * (PLACES as u64 + 3));
    }
}
