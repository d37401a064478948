//! A client that sends numbers into a room all the time, each when the one before is acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use serde_json::json;
use sluice_tests::{Client, eventually};

pub(super) struct Stream {
    sent: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Stream {
    /// Numbers from 0 on, as the second argument of `room:x`.
    pub(super) fn begin(sender: &Client, room: &str) -> Self {
        let sent = Arc::new(AtomicU64::new(0));
        let ends = Arc::new(AtomicBool::new(false));
        let (count, stop) = (sent.clone(), ends.clone());
        let (sender, room) = (sender.clone(), room.to_owned());
        let thread = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                // Handed to everyone on this node when it is acknowledged, whatever becomes of the others.
                sender.ok("room:x", json!([room, count.load(Ordering::Relaxed)]));
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { sent, ends, thread }
    }

    /// Waits until so many more have been acknowledged.
    pub(super) fn goes_on(&self, more: u64) {
        let until = self.sent.load(Ordering::Relaxed) + more;
        eventually("acknowledged events", || {
            (self.sent.load(Ordering::Relaxed) >= until).then_some(())
        });
    }

    /// Ends it: how many were sent.
    pub(super) fn end(self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().expect("every event is acknowledged");
        self.sent.load(Ordering::Relaxed)
    }
}
