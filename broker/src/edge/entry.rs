//! A socket's way into a namespace, which may take a while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::link::Link;
use super::namespaces::Held;
use crate::session::Session;

/// What a socket takes up that asks to enter a namespace: given back once, whatever becomes of it. Names are the
/// client's choice, so one that does not get in must leave nothing behind.
pub(super) struct Entry {
    pub link: Arc<Link>,
    /// Until the socket is in.
    arrival: Mutex<Option<Box<Arrival>>>,
    is_counted: AtomicBool,
}

/// What only matters while a socket comes in.
struct Arrival {
    held: Held,
    /// To be opened. Weak, because a session keeps its way out, which keeps this.
    session: Weak<Session>,
}

impl Entry {
    /// `None`: the connection is in as many namespaces as it may be.
    pub(super) fn new(link: Arc<Link>, held: Held) -> Option<Self> {
        let session = Weak::new();
        link.enter_namespace().then(|| Self {
            link,
            arrival: Mutex::new(Some(Box::new(Arrival { held, session }))),
            is_counted: AtomicBool::new(true),
        })
    }

    /// Whose socket it is, now that there is one.
    pub(super) fn is_of(&self, session: &Arc<Session>) {
        if let Some(arrival) = &mut *self.arrival.lock() {
            arrival.session = Arc::downgrade(session);
        }
    }

    /// The socket is in, and keeps the namespace itself. The answer is its session, once.
    pub(super) fn is_in(&self) -> Option<Arc<Session>> {
        let arrival = self.arrival.lock().take()?;
        let Arrival { held, session } = *arrival;
        drop(held);
        session.upgrade()
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
