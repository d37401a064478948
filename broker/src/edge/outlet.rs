//! The way to one socket, through the library's queue for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use socketioxide::socket::{DisconnectReason as Reason, Socket};
use socketioxide_core::adapter::BroadcastOptions;
use socketioxide_core::adapter::errors::SocketError;
use socketioxide_core::packet::Packet;
use socketioxide_core::{Sid, Str, Value};

use super::link::{Link, State};
use super::socketio::{self, Adapter, Local};
use crate::event::{Client, Event};
use crate::fanout::{Frame, Outlet};
use crate::packet;
use crate::plugin::DisconnectReason;
use crate::telemetry::events::{SlowClient, SocketFailed};
use crate::telemetry::metrics::{DropReason, metrics};

pub(super) struct SocketOutlet {
    sid: Sid,
    namespace: Str,
    /// Weak, because the library's socket owns the handlers, which own this.
    socket: Weak<Socket<Adapter>>,
    pub(super) local: Local,
    pub(super) link: Arc<Link>,
    client: Arc<Client>,
    /// Bytes that may wait for it.
    max_queued: usize,
    /// Its queue overflowed: it is being ended, and gets nothing more.
    slow: AtomicBool,
    /// A policy's verdict ended it.
    judged: AtomicBool,
}

impl SocketOutlet {
    pub(super) fn new(
        socket: &Arc<Socket<Adapter>>,
        local: Local,
        link: Arc<Link>,
        client: Arc<Client>,
        max_queued: usize,
    ) -> Self {
        Self {
            sid: socket.id,
            namespace: local.path().clone(),
            socket: Arc::downgrade(socket),
            local,
            link,
            client,
            max_queued,
            slow: AtomicBool::new(false),
            judged: AtomicBool::new(false),
        }
    }

    /// Whether the library still knows this socket in the namespace it came in by.
    pub(super) fn is_known(&self) -> bool {
        !self
            .local
            .fetch_sockets(BroadcastOptions::new(self.sid))
            .is_empty()
    }

    pub(super) fn kill(&self) {
        self.link.kill();
    }

    /// Why the socket ended, given the reason that the library knows.
    pub(super) fn end(&self, library: Reason) -> (DisconnectReason, &'static str) {
        if self.slow.load(Ordering::Acquire) {
            (DisconnectReason::Server, "slow client")
        } else if self.link.state() == State::Closing {
            (DisconnectReason::Server, "server shutting down")
        } else if self.judged.load(Ordering::Acquire) {
            (DisconnectReason::Policy, "policy")
        } else {
            socketio::reason(library)
        }
    }

    /// Logs an end that is an error, as Node's `error` event of a socket, or a slow client's that nobody has told of.
    pub(super) fn report(&self, library: Reason) {
        if self.link.has_stalled() {
            self.end_as_slow();
        }
        let (code, message) = match library {
            Reason::PacketParsingError => ("parse_error", "the client sent what cannot be parsed"),
            Reason::MultipleHttpPollingError => ("polling_overlap", "two polls at the same time"),
            _ => return,
        };
        SocketFailed {
            socket: &self.client.peer.id,
            address: self.client.peer.address,
            code,
            message,
            context: &self.client.namespace,
        }
        .emit();
    }

    fn push(&self, packet: Packet, bytes: usize) {
        if self.link.queued(bytes) > self.max_queued {
            return self.overflow();
        }
        if self.slow.load(Ordering::Acquire) {
            return metrics().dropped(DropReason::SlowClient);
        }
        if let Err(errors) = self
            .local
            .broadcast(packet, BroadcastOptions::new(self.sid))
        {
            let full = |error: &SocketError| matches!(error, SocketError::InternalChannelFull);
            if errors.iter().any(full) {
                self.overflow();
            } else {
                metrics().dropped(DropReason::Closed);
            }
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
            self.link.kill();
        }
    }
}

impl Outlet for SocketOutlet {
    fn encode(&self, event: &Event) -> Frame {
        let text = Str::from(packet::event_text(&event.name, &event.args));
        let attachments: VecDeque<Bytes> = event.attachments.iter().cloned().collect();
        // An empty list would make the library announce a binary packet without attachments.
        let attachments = (!attachments.is_empty()).then_some(attachments);
        Frame::new(Value::Str(text, attachments))
    }

    fn send(&self, frame: &Frame) {
        if let Some(value) = frame.get::<Value>() {
            let bytes = size(value);
            self.push(Packet::event(self.namespace.clone(), value.clone()), bytes);
        }
    }

    fn ack(&self, id: i64, args: &str) {
        let value = Value::Str(Str::copy_from_slice(args), None);
        self.push(Packet::ack(self.namespace.clone(), value, id), args.len());
    }

    fn disconnect(&self) {
        self.judged.store(true, Ordering::Release);
        let told = self.socket.upgrade().map(Socket::disconnect);
        if matches!(told, Some(Err(_))) {
            self.link.kill();
        }
    }
}

/// What an event adds to what waits for a client.
fn size(value: &Value) -> usize {
    match value {
        Value::Str(text, attachments) => {
            let attachments = attachments.iter().flatten();
            text.len() + attachments.map(Bytes::len).sum::<usize>()
        }
        Value::Bytes(bytes) => bytes.len(),
    }
}
