//! A socket's way into a namespace, which may take a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::link::Link;
use super::namespaces::Held;

/// What a socket takes up that asks to enter a namespace: given back once, whatever becomes of it. Names are the
/// client's choice, so one that does not get in must leave nothing behind.
pub(super) struct Entry {
    pub link: Arc<Link>,
    /// Until the socket is in.
    held: Mutex<Option<Box<Held>>>,
    is_counted: AtomicBool,
}

impl Entry {
    /// `None`: the connection is in as many namespaces as it may be.
    pub(super) fn new(link: Arc<Link>, held: Held) -> Option<Self> {
        link.enter_namespace().then(|| Self {
            link,
            held: Mutex::new(Some(Box::new(held))),
            is_counted: AtomicBool::new(true),
        })
    }

    /// The socket is in, and keeps the namespace itself.
    pub(super) fn is_in(&self) {
        let held = self.held.lock().take();
        drop(held);
    }

    pub(super) fn leave(&self) {
        if self.is_counted.swap(false, Ordering::AcqRel) {
            self.link.leave_namespace();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.leave();
    }
}
