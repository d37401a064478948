//! The broker's hold on each connection, whichever transport it is on.

mod asked;
mod doors;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use futures_util::task::AtomicWaker;
use http::request::Parts;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::manners::{Fault, Judgement, Manners};
use super::parser::Parser;
use crate::admission::Admission;
use crate::event::Handshake;
use crate::telemetry::events::SocketFailed;
use crate::telemetry::trace::{self, Context};
use doors::Doors;

/// Namespaces that one connection may be in at a time; each costs memory that the client decides on.
const MAX_NAMESPACES: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// The client is to be told, and what is queued for it still to be written.
    Closing,
    /// Nothing more is read or written.
    Killed,
    /// The client broke the protocol: nothing more is read, and it is told why.
    Broken,
}

/// One connection of a client, from its handshake to its end.
pub(super) struct Link {
    pub address: IpAddr,
    /// The reactor that its session lives on.
    pub reactor: usize,
    pub handshake: Arc<Handshake>,
    pub parser: Parser,
    /// Woken when the state changes; whoever reads registers.
    pub reader: AtomicWaker,
    state: AtomicU8,
    /// A write has been blocked for longer than the client may take.
    stalled: AtomicBool,
    websocket: AtomicBool,
    /// Bytes handed to the library for this client and not yet fetched by a poll. What the library adds to them is not
    /// in it, so it is a little less than what waits, and never less than nothing.
    backlog: AtomicUsize,
    /// The library's first heartbeat, which it sends at once, is still to come.
    first_ping: AtomicBool,
    /// Nothing is polled any more.
    is_over_websocket: AtomicBool,
    /// What its client did that ended it.
    fault: OnceLock<Fault>,
    /// Of what comes by polling; a WebSocket has its own.
    manners: Mutex<Manners>,
    /// A WebSocket is being tried.
    probing: AtomicBool,
    /// It works, so the poll that waits is to end.
    has_probed: AtomicBool,
    /// The client has said that it polls no more.
    has_moved: AtomicBool,
    /// Its sockets, one a namespace.
    doors: Doors,
    namespaces: AtomicUsize,
    /// Its client has been seen to go.
    ended: AtomicBool,
    /// Wakes whoever waits for that.
    changed: Notify,
    number: u64,
    sid: OnceLock<Box<str>>,
    links: Weak<Links>,
    /// The span of its handshake, where that is recorded.
    trace: Option<Box<Context>>,
    /// Who counts it among the sessions of its address.
    counted: Option<Arc<Admission>>,
}

/// All connections, for the upgrade of a polling session, for the bound on their number and for the drain.
#[derive(Default)]
pub(super) struct Links {
    next: AtomicU64,
    all: Mutex<HashMap<u64, Weak<Link>>>,
    /// Sessions that began with polling.
    polling: Mutex<HashMap<String, u64>>,
    /// Requests of theirs that have no answer yet.
    asked: AtomicUsize,
}

// === impl Links ===

impl Links {
    pub(super) fn open(
        self: &Arc<Self>,
        address: IpAddr,
        handshake: Handshake,
        reactor: usize,
        parser: Parser,
        counted: Option<Arc<Admission>>,
    ) -> Arc<Link> {
        let link = Arc::new(Link {
            address,
            reactor,
            handshake: Arc::new(handshake),
            parser,
            reader: AtomicWaker::new(),
            state: AtomicU8::new(State::Open as u8),
            stalled: AtomicBool::new(false),
            websocket: AtomicBool::new(false),
            backlog: AtomicUsize::new(0),
            first_ping: AtomicBool::new(true),
            is_over_websocket: AtomicBool::new(false),
            fault: OnceLock::new(),
            manners: Mutex::new(Manners::new(parser)),
            probing: AtomicBool::new(false),
            has_probed: AtomicBool::new(false),
            has_moved: AtomicBool::new(false),
            doors: Doors::default(),
            namespaces: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            changed: Notify::new(),
            number: self.next.fetch_add(1, Ordering::Relaxed),
            sid: OnceLock::new(),
            links: Arc::downgrade(self),
            trace: trace::here().map(Box::new),
            counted,
        });
        self.all.lock().insert(link.number, Arc::downgrade(&link));
        link
    }

    /// Sessions, and connections that are about to be one.
    pub(super) fn count(&self) -> usize {
        self.all.lock().len()
    }

    /// Remembers the session id that a polling handshake was answered with.
    pub(super) fn name(&self, link: &Link, sid: &str) {
        if link.sid.set(sid.into()).is_ok() {
            self.polling.lock().insert(sid.to_owned(), link.number);
        }
    }

    /// The connection of a session that began with polling, unless it is gone or was killed by the broker.
    pub(super) fn polling(&self, sid: &str) -> Option<Arc<Link>> {
        let number = *self.polling.lock().get(sid)?;
        let link = self.all.lock().get(&number)?.upgrade()?;
        (link.state() != State::Killed).then_some(link)
    }

    /// The connection of a request: polling clients' bring it along, a WebSocket's, which is kept, has its number only.
    pub(super) fn of(&self, request: &Parts) -> Option<Arc<Link>> {
        if let Some(link) = request.extensions.get::<Arc<Link>>() {
            return Some(link.clone());
        }
        let (_, number) = request.uri.query()?.rsplit_once('&')?;
        self.all.lock().get(&number.parse().ok()?)?.upgrade()
    }

    pub(super) fn snapshot(&self) -> Vec<Arc<Link>> {
        self.all.lock().values().filter_map(Weak::upgrade).collect()
    }
}

// === impl Link ===

impl Link {
    /// The query with which the library is given its WebSocket.
    pub(super) fn query(&self) -> String {
        format!("EIO=4&transport=websocket&{}", self.number)
    }

    /// What its way in is a part of, if it is recorded.
    pub(super) fn trace(&self) -> Option<&Context> {
        self.trace.as_deref()
    }

    pub(super) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Open,
            1 => State::Closing,
            2 => State::Killed,
            _ => State::Broken,
        }
    }

    /// Ends the connection in good order: the client's own code reconnects then. False: it was ending already.
    pub(super) fn close(&self) -> bool {
        let (open, closing) = (State::Open as u8, State::Closing as u8);
        // A connection that is killed stays so.
        let (changed, held) = (Ordering::AcqRel, Ordering::Acquire);
        let closed = self.state.compare_exchange(open, closing, changed, held);
        self.reader.wake();
        closed.is_ok()
    }

    /// Ends the connection at once, even while a write is blocked.
    pub(super) fn kill(&self) {
        self.state.store(State::Killed as u8, Ordering::Release);
        self.reader.wake();
        self.changed.notify_waiters();
    }

    /// Ends the connection because its client broke the protocol; what it is told about that is still written.
    pub(super) fn broken(&self, fault: Fault) {
        // The first one counts.
        let _ = self.fault.set(fault);
        let (open, broken) = (State::Open as u8, State::Broken as u8);
        // One that is ending already goes on with that.
        let _ = self
            .state
            .compare_exchange(open, broken, Ordering::AcqRel, Ordering::Acquire);
        self.reader.wake();
    }

    /// The same, told to the operator.
    pub(super) fn breaks(&self, fault: Fault, what: &str) {
        SocketFailed {
            socket: "",
            address: self.address,
            code: fault.code(),
            message: fault.message(),
            context: what,
        }
        .emit();
        self.broken(fault);
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault.get().copied()
    }

    /// What is to become of a packet that was posted. Of its text is left what has not been looked at.
    pub(super) fn judge(&self, packet: &mut std::str::Bytes<'_>) -> Judgement {
        let judged = self.manners.lock().text(packet, true, self);
        // What has ended can be judged.
        judged.unwrap_or(Judgement::Pass)
    }

    /// False: the session has a WebSocket, or another one is being tried.
    pub(super) fn begins_probe(&self) -> bool {
        !self.is_over_websocket() && !self.probing.swap(true, Ordering::AcqRel)
    }

    /// A WebSocket has answered: polls are answered with nothing, so that their client can move over.
    pub(super) fn probed(&self) {
        self.has_probed.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// The client polls no more.
    pub(super) fn moves(&self) {
        self.has_moved.store(true, Ordering::Release);
    }

    pub(super) fn has_moved(&self) -> bool {
        self.has_moved.load(Ordering::Acquire)
    }

    /// The session goes on without the WebSocket that was tried.
    pub(super) fn ends_probe(&self) {
        self.has_probed.store(false, Ordering::Release);
        self.probing.store(false, Ordering::Release);
    }

    /// Ends when a WebSocket works that the client is about to move over to.
    pub(super) async fn moves_over(&self) {
        self.until(|link| link.has_probed.load(Ordering::Acquire))
            .await;
    }

    /// The client takes nothing of what is written to it.
    pub(super) fn stalled(&self) {
        self.stalled.store(true, Ordering::Release);
        self.kill();
    }

    pub(super) fn has_stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire)
    }

    /// Said by the stream, at its begin and at its end.
    pub(super) fn set_websocket(&self, is_one: bool) {
        self.websocket.store(is_one, Ordering::Release);
        // One that began with polling may go on with it.
        if !is_one && self.sid.get().is_none() {
            self.ended.store(true, Ordering::Release);
            self.changed.notify_waiters();
        }
    }

    /// Ends when the client goes. That a session which began with polling is over, nobody is told: what waits for it
    /// has to have a deadline.
    pub(super) async fn gone(&self) {
        self.until(|link| link.ended.load(Ordering::Acquire) || link.state() == State::Killed)
            .await;
    }

    /// Something has changed that others may wait for.
    pub(super) fn tell(&self) {
        self.changed.notify_waiters();
    }

    /// Ends when something has come that is told.
    pub(super) async fn until(&self, has_come: impl Fn(&Self) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if has_come(self) {
                return;
            }
            changed.await;
        }
    }

    /// Everything for the client goes over a WebSocket from now on.
    pub(super) fn goes_over_websocket(&self) {
        self.is_over_websocket.store(true, Ordering::Release);
    }

    pub(super) fn is_over_websocket(&self) -> bool {
        self.is_over_websocket.load(Ordering::Acquire)
    }

    /// A WebSocket is open, or has yet to be closed in good order.
    pub(super) fn is_websocket(&self) -> bool {
        self.websocket.load(Ordering::Acquire)
    }

    /// The session id, while the session is polled.
    pub(super) fn polled(&self) -> Option<&str> {
        let is_polled = !self.is_websocket();
        self.sid.get().filter(|_| is_polled).map(|sid| &**sid)
    }

    /// Something waits to be polled.
    pub(super) fn has_backlog(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) > 0
    }

    /// The session began with polling.
    pub(super) fn has_polled(&self) -> bool {
        self.sid.get().is_some()
    }

    /// Counts bytes that are handed over; the answer is what now waits.
    pub(super) fn queued(&self, bytes: usize) -> usize {
        self.backlog.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    pub(super) fn wrote(&self, bytes: usize) {
        let less = |backlog: usize| Some(backlog.saturating_sub(bytes));
        // Never fails: the step always has an answer.
        let _ = self
            .backlog
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Whether a heartbeat is the first, which comes too early.
    pub(super) fn is_first_ping(&self) -> bool {
        self.first_ping.swap(false, Ordering::AcqRel)
    }

    /// False: the connection is in as many namespaces as it may be.
    pub(super) fn enter_namespace(&self) -> bool {
        let more = |count: usize| (count < MAX_NAMESPACES).then_some(count + 1);
        self.namespaces
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .is_ok()
    }

    pub(super) fn leave_namespace(&self) {
        self.namespaces.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(admission) = &self.counted {
            admission.leave(self.address);
        }
        if let Some(links) = self.links.upgrade() {
            links.all.lock().remove(&self.number);
            if let Some(sid) = self.sid.get() {
                links.polling.lock().remove(&**sid);
            }
        }
    }
}

#[cfg(test)]
mod tests;
