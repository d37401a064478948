//! The way to one socket: over its connection's lane, or through the library's queue while the client polls.

mod questions;
mod waiting;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use parking_lot::Mutex;
use socketioxide::socket::{DisconnectReason as Reason, Socket};
use socketioxide_core::adapter::BroadcastOptions;
use socketioxide_core::adapter::errors::SocketError;
use socketioxide_core::packet::Packet;
use socketioxide_core::{Sid, Str};

use super::adapter::{Adapter, Local};
use super::encoded::Encoded;
use super::entry::Entry;
use super::lane::{Bounds, Lane, Overflow};
use super::link::{Link, State};
use super::manners::Fault;
use super::parser::Parser;
use super::socketio;
use crate::event::{Client, Event};
use crate::fanout::{About, Ending, Frame, Outlet, Question};
use crate::moment::unix_millis;
use crate::plugin::DisconnectReason;
use crate::telemetry::events::{SlowClient, SocketFailed};
use crate::telemetry::metrics::{DropReason, EndReason, metrics};
use questions::Questions;
use waiting::Waiting;

pub(super) struct SocketOutlet {
    sid: Sid,
    /// The connection's, which is far away from here for who delivers to many.
    parser: Parser,
    /// Weak, because the library's socket owns the handlers, which own this.
    socket: Weak<Socket<Adapter>>,
    pub(super) local: Local,
    pub(super) entry: Entry,
    pub(super) client: Arc<Client>,
    /// What may wait for it.
    bounds: Bounds,
    /// Open once what the library has to write before has been written; it never closes again.
    lane: OnceLock<Arc<Lane>>,
    /// Until then.
    before: Mutex<Before>,
    /// Its queue overflowed: it is being ended, and gets nothing more.
    slow: AtomicBool,
    /// A policy's verdict ended it, or an operator, or the end of what it rested on.
    ended: AtomicU8,
    /// What its client has been asked and not answered yet. Most never are.
    pub(super) questions: Questions,
    /// When it came, in milliseconds since 1970.
    since: u64,
}

/// Who ended it.
const BY_POLICY: u8 = 1;
const BY_OPERATOR: u8 = 2;
const BY_EXPIRY: u8 = 3;
const BY_REVOCATION: u8 = 4;

/// The way of a socket that has no lane yet.
enum Before {
    /// Through the library's queue, which a poll takes from.
    Library,
    /// Waits for the lane to open; most sockets get nothing until then.
    Waiting(Option<Box<Waiting>>),
}

// === impl SocketOutlet ===

impl SocketOutlet {
    pub(super) fn new(
        socket: &Arc<Socket<Adapter>>,
        local: Local,
        entry: Entry,
        client: Arc<Client>,
        bounds: Bounds,
    ) -> Self {
        let before = if entry.link.is_over_websocket() {
            Before::Waiting(None)
        } else {
            Before::Library
        };
        Self {
            sid: socket.id,
            parser: entry.link.parser,
            socket: Arc::downgrade(socket),
            local,
            entry,
            client,
            bounds,
            lane: OnceLock::new(),
            before: Mutex::new(before),
            slow: AtomicBool::new(false),
            ended: AtomicU8::new(0),
            questions: Questions::default(),
            since: unix_millis(),
        }
    }

    /// What its client and everyone else calls it.
    pub(super) fn name(&self) -> &str {
        &self.client.peer.name
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.entry.link
    }

    fn namespace(&self) -> &Str {
        self.local.path()
    }

    /// Whether the library still knows this socket in the namespace it came in by.
    pub(super) fn is_known(&self) -> bool {
        !self
            .local
            .fetch_sockets(BroadcastOptions::new(self.sid))
            .is_empty()
    }

    pub(super) fn kill(&self) {
        self.link().kill();
    }

    /// From now on everything leaves over the lane, behind what has waited for that.
    pub(super) fn open(&self, lane: &Arc<Lane>) {
        let mut before = self.before.lock();
        if let Before::Waiting(waiting) = &mut *before
            && let Some(mut waiting) = waiting.take()
        {
            for frames in waiting.take() {
                self.bounded(lane.push_own(frames, self.bounds));
            }
        }
        // A second time changes nothing.
        let _ = self.lane.set(lane.clone());
    }

    /// Nothing more goes through the library.
    pub(super) fn wait(&self) {
        let mut before = self.before.lock();
        if matches!(*before, Before::Library) {
            *before = Before::Waiting(None);
        }
    }

    /// Sends a packet through the library's queue that the carrier knows again.
    pub(super) fn send_marker(&self, marker: &str) -> bool {
        let data = self.parser.data(Str::copy_from_slice(marker), &[]);
        let packet = Packet::event(self.namespace().clone(), data);
        let options = BroadcastOptions::new(self.sid);
        let sent = self.local.broadcast(packet, options).is_ok();
        if !sent {
            self.overflow();
        }
        sent
    }

    /// Why the socket ended, given the reason that the library knows.
    pub(super) fn end(&self, library: Reason) -> (DisconnectReason, &'static str) {
        let (reason, told) = self.end_reason(library);
        (reason, told.as_str())
    }

    fn end_reason(&self, library: Reason) -> (DisconnectReason, EndReason) {
        if self.slow.load(Ordering::Acquire) {
            (DisconnectReason::Server, EndReason::SlowClient)
        } else if self.ended.load(Ordering::Acquire) == BY_OPERATOR {
            (DisconnectReason::Server, EndReason::ByServer)
        } else if self.link().state() == State::Closing {
            (DisconnectReason::Server, EndReason::ShuttingDown)
        } else if let Some(fault) = self.link().fault() {
            (DisconnectReason::Transport, fault.reason())
        } else {
            match self.ended.load(Ordering::Acquire) {
                BY_POLICY => (DisconnectReason::Policy, EndReason::Policy),
                BY_EXPIRY => (DisconnectReason::Server, EndReason::TokenExpired),
                BY_REVOCATION => (DisconnectReason::Server, EndReason::Revoked),
                _ => socketio::reason(library),
            }
        }
    }

    /// Logs an end that is an error, as Node's `error` event of a socket, or a slow client's that nobody has told of.
    pub(super) fn report(&self, library: Reason) {
        if self.link().has_stalled() {
            self.end_as_slow();
        }
        let (code, message) = match library {
            Reason::PacketParsingError => {
                if self.link().polled().is_some() {
                    // A poll that comes later is to know.
                    self.link().broken(Fault::Parse);
                }
                (Fault::Parse.code(), Fault::Parse.message())
            }
            Reason::MultipleHttpPollingError => ("polling_overlap", "two polls at the same time"),
            _ => return,
        };
        SocketFailed {
            socket: &self.client.peer.name,
            address: self.client.peer.address,
            code,
            message,
            context: &self.client.namespace,
        }
        .emit();
    }

    /// Sends when there was no lane yet; it may have opened meanwhile.
    fn send_before(
        &self,
        frames: impl FnOnce() -> Bytes,
        polled: impl FnOnce() -> (Packet, usize),
    ) {
        let mut before = self.before.lock();
        match (self.lane.get(), &mut *before) {
            (Some(lane), _) => self.bounded(lane.push_own(frames(), self.bounds)),
            (None, Before::Waiting(waiting)) => {
                let waiting = waiting.get_or_insert_default();
                self.bounded(waiting.push(frames(), self.bounds));
            }
            (None, Before::Library) => {
                let (packet, bytes) = polled();
                self.push_to_library(packet, bytes);
            }
        }
    }

    fn push_to_library(&self, packet: Packet, bytes: usize) {
        if self.link().queued(bytes) > self.bounds.bytes as usize {
            return self.overflow();
        }
        let options = BroadcastOptions::new(self.sid);
        if let Err(errors) = self.local.broadcast(packet, options) {
            let full = |error: &SocketError| matches!(error, SocketError::InternalChannelFull);
            if errors.iter().any(full) {
                self.overflow();
            } else {
                metrics().dropped(DropReason::Closed);
            }
        }
    }

    fn bounded(&self, pushed: Result<(), Overflow>) {
        if pushed.is_err() {
            self.overflow();
        }
    }

    /// Tells the client that it is out of its namespace.
    fn part(&self, why: u8) {
        let _ = self
            .ended
            .compare_exchange(0, why, Ordering::AcqRel, Ordering::Acquire);
        let told = self.socket.upgrade().map(Socket::disconnect);
        if matches!(told, Some(Err(_))) {
            self.link().kill();
        }
    }

    /// A client that does not read is ended, not trimmed: it would not know what it missed.
    fn overflow(&self) {
        metrics().dropped(DropReason::SlowClient);
        self.end_as_slow();
    }

    fn end_as_slow(&self) {
        if !self.slow.swap(true, Ordering::AcqRel) {
            SlowClient {
                client: &self.client,
            }
            .emit();
            self.link().kill();
        }
    }

    /// It has something to take still.
    fn takes_nothing(&self) -> bool {
        match self.lane.get() {
            Some(lane) => lane.is_blocked(),
            None => self.link().has_backlog(),
        }
    }

    /// It is being ended for not reading.
    fn is_slow(&self) -> bool {
        let is_slow = self.slow.load(Ordering::Acquire);
        if is_slow {
            metrics().dropped(DropReason::SlowClient);
        }
        is_slow
    }
}

impl Outlet for SocketOutlet {
    fn encode(&self, event: &Event) -> Frame {
        Frame::new(Encoded::new(self.namespace().clone(), event, None))
    }

    fn send(&self, frame: &Frame) {
        let Some(encoded) = frame.get::<Encoded>() else {
            return;
        };
        if self.is_slow() {
            return;
        }
        let parser = self.parser;
        if encoded.is_volatile() && self.takes_nothing() {
            return metrics().dropped(DropReason::Volatile);
        }
        match self.lane.get() {
            Some(lane) => self.bounded(encoded.push(parser, lane, self.bounds)),
            None => self.send_before(
                || encoded.frames(parser).clone(),
                || (encoded.packet(parser), encoded.size()),
            ),
        }
    }

    fn ack(&self, id: i64, args: &str) {
        if self.is_slow() {
            return;
        }
        let parser = self.parser;
        let frame = || parser.ack(self.namespace(), id, args);
        match self.lane.get() {
            Some(lane) => self.bounded(lane.push_own(frame(), self.bounds)),
            None => self.send_before(
                || frame().into(),
                || {
                    let data = parser.data(Str::copy_from_slice(args), &[]);
                    (Packet::ack(self.namespace().clone(), data, id), args.len())
                },
            ),
        }
    }

    fn encode_asking(&self, event: &Event, id: i64) -> Frame {
        Frame::new(Encoded::new(self.namespace().clone(), event, Some(id)))
    }

    fn ask(&self, frame: &Frame, question: Question) {
        let id = frame.get::<Encoded>().and_then(Encoded::id);
        let is_skipped =
            frame.get::<Encoded>().is_some_and(Encoded::is_volatile) && self.takes_nothing();
        // Kept first: its answer may come at once.
        if let Some(id) = id.filter(|_| !is_skipped) {
            self.questions.keep(id, question);
        }
        self.send(frame);
    }

    fn about(&self) -> About {
        About {
            transport: match self.link().is_over_websocket() {
                true => "websocket",
                false => "polling",
            },
            since: UNIX_EPOCH + Duration::from_millis(self.since),
        }
    }

    fn disconnect(&self) {
        self.part(BY_POLICY);
    }

    fn end(&self, why: Ending) {
        self.part(match why {
            Ending::Expired => BY_EXPIRY,
            Ending::Revoked => BY_REVOCATION,
        });
    }

    fn dismiss(&self, connection: bool) {
        if !connection {
            return self.part(BY_OPERATOR);
        }
        for outlet in self.link().outlets() {
            outlet.part(BY_OPERATOR);
        }
        // A client that polls has to fetch what it is told first. Official ones end their session then.
        if self.link().is_over_websocket() {
            self.link().close();
        }
    }
}
