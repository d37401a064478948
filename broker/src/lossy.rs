//! A queue to somebody who looks on: bounded in number and in bytes. What does not fit is dropped and counted: nobody's
//! events wait for one who looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::mpsc;

/// What goes through such a queue.
pub(crate) trait Weighed {
    /// What it takes there, nearly.
    fn bytes(&self) -> usize;
}

#[derive(Debug)]
pub(crate) struct Sender<T> {
    queue: mpsc::Sender<T>,
    bytes: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    max_bytes: usize,
}

pub(crate) struct Receiver<T> {
    queue: mpsc::Receiver<T>,
    bytes: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
}

/// A queue that holds so many, of so many bytes in all.
pub(crate) fn queue<T: Weighed>(max: usize, max_bytes: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(max);
    let (bytes, dropped) = (Arc::default(), Arc::default());
    let sender = Sender {
        queue: sender,
        bytes: Arc::clone(&bytes),
        dropped: Arc::clone(&dropped),
        max_bytes,
    };
    let receiver = Receiver {
        queue: receiver,
        bytes,
        dropped,
    };
    (sender, receiver)
}

impl<T: Weighed> Sender<T> {
    /// False: there was no room for it, or nobody looks any more.
    #[must_use = "what is dropped is counted"]
    pub(crate) fn send(&self, it: T) -> bool {
        let bytes = it.bytes();
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes <= self.max_bytes && self.queue.try_send(it).is_ok() {
            return true;
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.dropped.fetch_add(1, Ordering::Relaxed);
        false
    }
}

impl<T: Weighed> Receiver<T> {
    /// The next; `None`: there are no more.
    pub(crate) async fn next(&mut self) -> Option<T> {
        let it = self.queue.recv().await?;
        self.bytes.fetch_sub(it.bytes(), Ordering::Relaxed);
        Some(it)
    }
}

impl<T> Receiver<T> {
    /// How many there was no room for.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The same since this was asked last.
    pub(crate) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

impl<T: Weighed> Weighed for Arc<T> {
    fn bytes(&self) -> usize {
        T::bytes(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weighed for usize {
        fn bytes(&self) -> usize {
            *self
        }
    }

    #[tokio::test]
    async fn what_finds_no_room_is_counted_and_what_leaves_makes_some() {
        let (sender, mut receiver) = queue(2, 10);
        assert!(sender.send(6));
        assert!(!sender.send(5), "too many bytes");
        assert!(sender.send(4));
        assert!(!sender.send(0), "too many");
        assert_eq!(receiver.next().await, Some(6));
        assert!(sender.send(6));
        assert_eq!((receiver.dropped(), receiver.take_dropped()), (2, 2));
        assert_eq!(receiver.dropped(), 0);
        drop(receiver);
        assert!(!sender.send(1), "nobody looks");
    }
}
