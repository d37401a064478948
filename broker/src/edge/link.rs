//! The broker's hold on each connection, whichever transport it is on.

mod asked;
mod doors;
mod polled;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use futures_util::task::AtomicWaker;
use http::request::Parts;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::manners::Fault;
use super::parser::Parser;
use crate::admission::Admission;
use crate::event::Handshake;
use crate::telemetry::events::SocketFailed;
use crate::telemetry::trace::{self, Context};
use doors::Doors;
use polled::Polled;

/// Namespaces that one connection may be in at a time; each costs memory that the client decides on.
const MAX_NAMESPACES: u8 = 64;

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
    /// The reactor that its session lives on; there are a thousand at the most.
    reactor: u16,
    pub handshake: Arc<Handshake>,
    pub parser: Parser,
    /// Woken when the state changes; whoever reads registers.
    pub reader: AtomicWaker,
    state: AtomicU8,
    /// A write has been blocked for longer than the client may take.
    stalled: AtomicBool,
    websocket: AtomicBool,
    /// The library's first heartbeat, which it sends at once, is still to come.
    first_ping: AtomicBool,
    /// Nothing is polled any more.
    is_over_websocket: AtomicBool,
    /// What its client did that ended it.
    fault: AtomicU8,
    /// Its sockets, one a namespace.
    doors: Doors,
    namespaces: AtomicU8,
    /// Its client has been seen to go.
    ended: AtomicBool,
    /// Wakes whoever waits for that.
    changed: Notify,
    number: u64,
    links: Weak<Links>,
    /// It is counted among the sessions of its address.
    is_counted: bool,
    /// What most have nothing of.
    rare: Option<Box<Rare>>,
}

struct Rare {
    /// The span of its handshake, where that is recorded.
    trace: Option<Context>,
    /// Of a session that begins with polling.
    polled: Option<Polled>,
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
    /// Who counts them among the sessions of their addresses; known with the first that is counted.
    admission: OnceLock<Arc<Admission>>,
}

// === impl Links ===

impl Links {
    pub(super) fn open(
        self: &Arc<Self>,
        address: IpAddr,
        handshake: Handshake,
        reactor: usize,
        parser: Parser,
        polls: bool,
        counted: Option<Arc<Admission>>,
    ) -> Arc<Link> {
        if let Some(admission) = &counted {
            self.admission.get_or_init(|| admission.clone());
        }
        let (trace, polled) = (trace::here(), polls.then(|| Polled::new(parser)));
        let is_rare = trace.is_some() || polled.is_some();
        let link = Arc::new(Link {
            address,
            reactor: u16::try_from(reactor).unwrap_or(u16::MAX),
            handshake: Arc::new(handshake),
            parser,
            reader: AtomicWaker::new(),
            state: AtomicU8::new(State::Open as u8),
            stalled: AtomicBool::new(false),
            websocket: AtomicBool::new(false),
            first_ping: AtomicBool::new(true),
            is_over_websocket: AtomicBool::new(false),
            fault: AtomicU8::new(0),
            doors: Doors::default(),
            namespaces: AtomicU8::new(0),
            ended: AtomicBool::new(false),
            changed: Notify::new(),
            number: self.next.fetch_add(1, Ordering::Relaxed),
            links: Arc::downgrade(self),
            is_counted: counted.is_some(),
            rare: is_rare.then(|| Box::new(Rare { trace, polled })),
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
        let polled = link.polling();
        if polled.is_some_and(|polled| polled.sid.set(sid.into()).is_ok()) {
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
        self.rare.as_ref()?.trace.as_ref()
    }

    pub(super) fn reactor(&self) -> usize {
        self.reactor.into()
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
        let _ = self
            .fault
            .compare_exchange(0, fault.number(), Ordering::AcqRel, Ordering::Acquire);
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
        Fault::numbered(self.fault.load(Ordering::Acquire))
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
        if !is_one && !self.has_polled() {
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

    /// Whether a heartbeat is the first, which comes too early.
    pub(super) fn is_first_ping(&self) -> bool {
        self.first_ping.swap(false, Ordering::AcqRel)
    }

    /// False: the connection is in as many namespaces as it may be.
    pub(super) fn enter_namespace(&self) -> bool {
        let more = |count: u8| (count < MAX_NAMESPACES).then_some(count + 1);
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
        if let Some(links) = self.links.upgrade() {
            if let Some(admission) = links.admission.get().filter(|_| self.is_counted) {
                admission.leave(self.address);
            }
            links.all.lock().remove(&self.number);
            if let Some(sid) = self.sid() {
                links.polling.lock().remove(sid);
            }
        }
    }
}

#[cfg(test)]
mod tests;
