//! Buffers that lanes have written out, kept for those of the next turns.
//!
//! In a turn with many events of many rooms, hundreds of lanes gather a few kilobytes each, and let go of them together.
//! Given back to the allocator, all that memory went to the kernel and came back with the next turn, page by page:
//! a sixth of what a delivery cost.

use std::cell::RefCell;
use std::time::Duration;

use super::frames::SMALL;

/// What a reactor keeps at the most; more is for the allocator.
const MOST: usize = 8 << 20;

/// What was not needed for so long is let go.
const KEPT: Duration = Duration::from_secs(1);

thread_local! {
    /// A reactor's. Lanes are also written by others' threads, which keep nothing.
    static HERE: RefCell<Option<Spare>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Spare {
    buffers: Vec<Vec<u8>>,
    /// What they hold together.
    bytes: usize,
    /// As few as there have been at a time since somebody last looked.
    least: usize,
    /// Somebody comes to look.
    is_watched: bool,
}

/// From now on this thread keeps buffers.
pub(super) fn keep_here() {
    HERE.set(Some(Spare::default()));
}

/// An empty buffer, for at least so many bytes if it has to be made.
pub(super) fn take(bytes: usize) -> Vec<u8> {
    let kept = HERE.with_borrow_mut(|here| here.as_mut()?.take());
    kept.unwrap_or_else(|| Vec::with_capacity(bytes))
}

/// A buffer that is not needed any more.
pub(super) fn give(buffer: Vec<u8>) {
    // What was made for one small frame would have to grow for more.
    if buffer.capacity() > SMALL {
        HERE.with_borrow_mut(|here| here.as_mut().map(|spare| spare.give(buffer)));
    }
}

/// There are some, and nobody who comes to look whether they are needed; from now on there is.
pub(super) fn is_unwatched() -> bool {
    HERE.with_borrow_mut(|here| {
        here.as_mut().is_some_and(|spare| {
            let is_unwatched = !spare.is_watched && !spare.buffers.is_empty();
            spare.is_watched |= is_unwatched;
            is_unwatched
        })
    })
}

/// Lets go of what is not needed, until there is nothing left.
pub(super) async fn watch() {
    loop {
        tokio::time::sleep(KEPT).await;
        let is_left = HERE.with_borrow_mut(|here| here.as_mut().is_some_and(Spare::let_go));
        if !is_left {
            return;
        }
    }
}

// === impl Spare ===

impl Spare {
    fn take(&mut self) -> Option<Vec<u8>> {
        let buffer = self.buffers.pop()?;
        self.bytes -= buffer.capacity();
        self.least = self.least.min(self.buffers.len());
        Some(buffer)
    }

    fn give(&mut self, mut buffer: Vec<u8>) {
        if self.bytes + buffer.capacity() <= MOST {
            buffer.clear();
            self.bytes += buffer.capacity();
            self.buffers.push(buffer);
        }
    }

    /// True: there are some left.
    fn let_go(&mut self) -> bool {
        for buffer in self.buffers.drain(..self.least.min(self.buffers.len())) {
            self.bytes -= buffer.capacity();
        }
        self.least = self.buffers.len();
        self.is_watched = !self.buffers.is_empty();
        if !self.is_watched {
            self.buffers = Vec::new();
        }
        self.is_watched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_again_and_again_is_kept_and_nothing_else() {
        let mut spare = Spare::default();
        for _ in 0..3 {
            spare.give(Vec::with_capacity(2 * SMALL));
        }
        assert!(
            spare.let_go(),
            "it has not been seen that they are not needed"
        );
        for _ in 0..2 {
            let taken = [spare.take(), spare.take()].map(Option::unwrap);
            assert!(taken.iter().all(|it| it.capacity() >= 2 * SMALL));
            taken.into_iter().for_each(|it| spare.give(it));
        }
        assert!(spare.let_go());
        assert_eq!(spare.buffers.len(), 2);
        assert!(!spare.let_go());
        assert_eq!((spare.buffers.capacity(), spare.bytes), (0, 0));
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        let mut spare = Spare::default();
        for _ in 0..20 {
            spare.give(Vec::with_capacity(1 << 20));
        }
        assert!(spare.bytes <= MOST && !spare.buffers.is_empty());
        let held: usize = spare.buffers.iter().map(Vec::capacity).sum();
        assert_eq!(spare.bytes, held);
    }

    #[test]
    fn a_thread_that_is_no_reactor_s_keeps_nothing() {
        give(Vec::with_capacity(2 * SMALL));
        assert!(take(10).capacity() < SMALL);
        assert!(!is_unwatched());
    }
}
