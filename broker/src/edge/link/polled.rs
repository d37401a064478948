//! What is kept of a session that begins with polling, and of no other.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::Link;
use crate::edge::manners::{Judgement, Manners};
use crate::edge::parser::Parser;

pub(super) struct Polled {
    pub sid: OnceLock<Box<str>>,
    /// Bytes handed to the library for this client and not yet fetched by a poll. What the library adds to them is not
    /// in it, so it is a little less than what waits, and never less than nothing.
    backlog: AtomicUsize,
    /// Of what comes by polling; a WebSocket has its own.
    manners: Mutex<Manners>,
    /// A WebSocket is being tried.
    probing: AtomicBool,
    /// It works, so the poll that waits is to end.
    has_probed: AtomicBool,
    /// The client has said that it polls no more.
    has_moved: AtomicBool,
}

impl Polled {
    pub(super) fn new(parser: Parser) -> Self {
        Self {
            sid: OnceLock::new(),
            backlog: AtomicUsize::new(0),
            manners: Mutex::new(Manners::new(parser)),
            probing: AtomicBool::new(false),
            has_probed: AtomicBool::new(false),
            has_moved: AtomicBool::new(false),
        }
    }

    fn has_probed(&self) -> bool {
        self.has_probed.load(Ordering::Acquire)
    }
}

impl Link {
    pub(super) fn polling(&self) -> Option<&Polled> {
        self.rare.as_ref()?.polled.as_ref()
    }

    /// What is to become of a packet that was posted. Of its text is left what has not been looked at.
    pub(in crate::edge) fn judge(&self, packet: &mut std::str::Bytes<'_>) -> Judgement {
        let polled = self.polling();
        let judged = polled.map(|polled| polled.manners.lock().text(packet, true, self));
        // What has ended can be judged.
        judged.and_then(Result::ok).unwrap_or(Judgement::Pass)
    }

    /// False: the session has a WebSocket, or another one is being tried.
    pub(in crate::edge) fn begins_probe(&self) -> bool {
        let polled = self.polling();
        !self.is_over_websocket()
            && polled.is_some_and(|polled| !polled.probing.swap(true, Ordering::AcqRel))
    }

    /// A WebSocket has answered: polls are answered with nothing, so that their client can move over.
    pub(in crate::edge) fn probed(&self) {
        if let Some(polled) = self.polling() {
            polled.has_probed.store(true, Ordering::Release);
        }
        self.tell();
    }

    /// The client polls no more.
    pub(in crate::edge) fn moves(&self) {
        if let Some(polled) = self.polling() {
            polled.has_moved.store(true, Ordering::Release);
        }
    }

    pub(in crate::edge) fn has_moved(&self) -> bool {
        let polled = self.polling();
        polled.is_some_and(|polled| polled.has_moved.load(Ordering::Acquire))
    }

    /// The session goes on without the WebSocket that was tried.
    pub(in crate::edge) fn ends_probe(&self) {
        if let Some(polled) = self.polling() {
            polled.has_probed.store(false, Ordering::Release);
            polled.probing.store(false, Ordering::Release);
        }
    }

    /// Ends when a WebSocket works that the client is about to move over to.
    pub(in crate::edge) async fn moves_over(&self) {
        let has_probed = |link: &Self| link.polling().is_some_and(|it| it.has_probed());
        self.until(has_probed).await;
    }

    /// The session id of a session that began with polling.
    pub(super) fn sid(&self) -> Option<&str> {
        self.polling()?.sid.get().map(|sid| &**sid)
    }

    /// The session id, while the session is polled.
    pub(in crate::edge) fn polled(&self) -> Option<&str> {
        let is_polled = !self.is_websocket();
        self.sid().filter(|_| is_polled)
    }

    /// The session began with polling.
    pub(in crate::edge) fn has_polled(&self) -> bool {
        self.sid().is_some()
    }

    /// Something waits to be polled.
    pub(in crate::edge) fn has_backlog(&self) -> bool {
        let polled = self.polling();
        polled.is_some_and(|polled| polled.backlog.load(Ordering::Relaxed) > 0)
    }

    /// Counts bytes that are handed over; the answer is what now waits.
    pub(in crate::edge) fn queued(&self, bytes: usize) -> usize {
        let polled = self.polling();
        polled.map_or(0, |it| {
            it.backlog.fetch_add(bytes, Ordering::Relaxed) + bytes
        })
    }

    pub(in crate::edge) fn wrote(&self, bytes: usize) {
        let less = |backlog: usize| Some(backlog.saturating_sub(bytes));
        if let Some(polled) = self.polling() {
            // Never fails: the step always has an answer.
            let _ = polled
                .backlog
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }
}
