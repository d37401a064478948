//! The words every room shares: plain data that imports nothing of the broker.

mod certificate;
mod handshake;
pub(crate) mod hidden;
mod millis;
mod name;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use serde_json::value::RawValue;

pub(crate) use certificate::ClientCertificate;
pub(crate) use handshake::Handshake;
pub(crate) use millis::Millis;
pub(crate) use name::SocketName;

/// Names that the Socket.IO protocol keeps for itself. Relayed to a client, an event of such a name makes its
/// decoder close the connection (socket.io-parser, `RESERVED_EVENTS`).
pub(crate) const RESERVED: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// Attachments of a binary event, in the order of their placeholders.
pub(crate) type Attachments = Arc<[Bytes]>;

/// One event as it stands between two rooms.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub name: Arc<str>,
    /// The text of a JSON array: the arguments without the name, checked, never parsed into a tree.
    pub args: Arc<str>,
    pub attachments: Attachments,
    /// Not worth waiting: skipped for a client that takes nothing at the moment.
    pub volatile: bool,
}

impl Event {
    /// Bytes of its arguments and attachments.
    pub(crate) fn size(&self) -> usize {
        let attachments = self.attachments.iter().map(Bytes::len);
        self.args.len() + attachments.sum::<usize>()
    }
}

/// What the policies know about a client.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub user: Option<Arc<str>>,
    pub attributes: Box<[(String, String)]>,
    /// Rooms to join at once.
    pub rooms: Box<[String]>,
    /// Behind a pointer, because most sockets rest on nothing that ends.
    pub grant: Option<Box<Grant>>,
}

/// What an admission rests on.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Until when it counts, in milliseconds since 1970.
    pub expires_ms: Millis,
    /// The name of what the client has shown, by which it may be revoked.
    pub token: Option<Arc<str>>,
    /// When that was issued, in milliseconds since 1970.
    pub issued_ms: Millis,
    /// The client is in already.
    pub is_refresh: bool,
    /// Attributes that came with it, and go with it.
    pub attributes: Box<[Box<str>]>,
}

impl Identity {
    /// Rooms add up; a user or an attribute set later replaces the earlier one.
    pub(crate) fn merge(&mut self, later: Identity) {
        if later.user.is_some() {
            self.user = later.user;
        }
        for (name, value) in later.attributes {
            self.set_attribute(name, value);
        }
        let mut rooms = std::mem::take(&mut self.rooms).into_vec();
        for room in later.rooms {
            if !rooms.contains(&room) {
                rooms.push(room);
            }
        }
        self.rooms = rooms.into();
        if let Some(later) = later.grant {
            self.grant.get_or_insert_default().merge(*later);
        }
    }

    /// What policies have said of a client that they let in is all that they say.
    pub(crate) fn settle(&mut self) {
        if let Some(grant) = &mut self.grant {
            grant.is_refresh = false;
            let names = self.attributes.iter().map(|(name, _)| name.as_str().into());
            grant.attributes = names.collect();
        }
    }

    /// Rests on something else from now on. Attributes that came with what it rested on go with that; the rooms are to be
    /// joined.
    pub(crate) fn renew(&mut self, new: Identity) -> Vec<String> {
        if let Some(old) = self.grant.take() {
            let goes = |name: &str| old.attributes.iter().any(|it| **it == *name);
            let mut attributes = std::mem::take(&mut self.attributes).into_vec();
            attributes.retain(|(name, _)| !goes(name));
            self.attributes = attributes.into();
        }
        for (name, value) in new.attributes {
            self.set_attribute(name, value);
        }
        self.grant = new.grant;
        new.rooms.into_vec()
    }

    pub(crate) fn expires_ms(&self) -> Option<u64> {
        self.grant.as_ref()?.expires_ms.get()
    }

    pub(crate) fn set_attribute(&mut self, name: String, value: String) {
        match self.attributes.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => {
                let attributes = std::mem::take(&mut self.attributes).into_vec();
                self.attributes = attributes.into_iter().chain([(name, value)]).collect();
            }
        }
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Grant {
    /// The earliest end counts. The last token replaces those before it, and when they were issued.
    pub(crate) fn merge(&mut self, later: Self) {
        let expires = match (self.expires_ms.get(), later.expires_ms.get()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.expires_ms = expires.into();
        if later.token.is_some() || later.issued_ms.get().is_some() {
            self.token = later.token;
            self.issued_ms = later.issued_ms;
        }
    }
}

/// What a client is told when something of its is refused; everywhere the same object.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Denial {
    pub code: String,
    pub message: String,
    /// The policy that denied; `null` when the broker itself did.
    pub policy: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u32>,
    /// The socket is closed after it has been told.
    #[serde(skip)]
    pub disconnect: bool,
}

/// The codes with which the broker itself denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    NoRoute,
    ReservedEvent,
    InvalidPacket,
    TooLarge,
    PolicyFailed,
    Overloaded,
    Draining,
    /// There is no connection to NATS, and has been none for too long.
    BackendUnreachable,
    /// Nobody serves the subject.
    BackendMissing,
    /// No reply came in time.
    BackendTimeout,
    /// The back end failed, or replied what cannot be passed on.
    BackendFailed,
    /// JetStream has not said that it is stored.
    NotStored,
    /// Only members of a room may ask who is in it.
    NotInRoom,
    /// The Admin UI's name or password.
    InvalidCredentials,
    /// The Admin UI may only look.
    Readonly,
    /// What the client was let in with counts no longer.
    TokenExpired,
    /// An operator or a back end has taken it back.
    Revoked,
    /// A socket keeps its user.
    OtherUser,
}

impl Code {
    pub(crate) const ALL: [Self; 13] = [
        Self::NoRoute,
        Self::ReservedEvent,
        Self::InvalidPacket,
        Self::TooLarge,
        Self::PolicyFailed,
        Self::Overloaded,
        Self::Draining,
        Self::BackendUnreachable,
        Self::BackendMissing,
        Self::BackendTimeout,
        Self::BackendFailed,
        Self::NotStored,
        Self::NotInRoom,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Code::NoRoute => "no_route",
            Code::ReservedEvent => "reserved_event",
            Code::InvalidPacket => "invalid_packet",
            Code::TooLarge => "too_large",
            Code::PolicyFailed => "policy_failed",
            Code::Overloaded => "overloaded",
            Code::Draining => "draining",
            Code::BackendUnreachable => "backend_unreachable",
            Code::BackendMissing => "backend_missing",
            Code::BackendTimeout => "backend_timeout",
            Code::BackendFailed => "backend_failed",
            Code::NotStored => "not_stored",
            Code::NotInRoom => "not_in_room",
            Code::InvalidCredentials => "invalid_credentials",
            Code::Readonly => "readonly",
            Code::TokenExpired => "token_expired",
            Code::Revoked => "revoked",
            Code::OtherUser => "other_user",
        }
    }
}

impl Denial {
    /// A denial by the broker itself.
    pub(crate) fn broker(code: Code, message: impl Into<String>) -> Self {
        Self {
            code: code.as_str().to_owned(),
            message: message.into(),
            policy: None,
            data: None,
            retry_after_ms: None,
            disconnect: false,
        }
    }
}

/// What the pipeline decided about an event.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Goes on to the router, with these arguments instead of its own if a policy replaced them.
    Pass(Option<Arc<str>>),
    Deny(Denial),
    /// Delivered to no one; an ack is answered as if it had been.
    Drop,
    /// Waits for the end of a window, in which later events of the socket may supersede it.
    Coalesce(Coalescing),
    /// Delivered to no one; an ack is answered with these arguments.
    Reply(Arc<str>),
}

/// Of the events of one socket that share a key, the newest is delivered when the window ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coalescing {
    pub key: String,
    pub window: Duration,
    /// The first one is delivered at once.
    pub leading: bool,
}

/// What a policy wants done beside its verdict.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    Emit {
        to: Recipients,
        event: Event,
    },
    Join(String),
    Leave(String),
    Disconnect,
    SetAttribute {
        name: String,
        value: String,
    },
    /// What the identity that a policy is about to answer rests on. It becomes a part of that, and nobody does it.
    Vouch(Box<Grant>),
}

/// Who receives an emitted event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recipients {
    All,
    Others,
    Sender,
    /// Every room of the sender.
    SenderRooms {
        include_sender: bool,
    },
    Room {
        name: String,
        include_sender: bool,
    },
}

/// Who is at the other end; fixed for the life of its socket.
#[derive(Debug)]
pub(crate) struct Peer {
    /// A number of the broker's own: policies and rooms tell sockets apart by it.
    pub token: u64,
    /// What its client, policies, other clients and the log call the socket. It says nothing about the transport,
    /// whose session id is a secret of the client's: whoever knows that can post to a polling session.
    pub name: SocketName,
    pub address: IpAddr,
    pub handshake: Arc<Handshake>,
}

/// One socket of one namespace: what every room may know of it.
#[derive(Debug)]
pub(crate) struct Client {
    pub peer: Peer,
    pub namespace: Arc<str>,
    /// Written while policies admit the client, read afterwards.
    pub identity: RwLock<Identity>,
    /// The rooms it is in: policies ask, and `rooms` routes fan out to them.
    pub rooms: Mutex<BTreeSet<Arc<str>>>,
}

impl Client {
    /// The rooms that it knows itself to be in.
    pub(crate) fn rooms_seen(&self) -> Vec<Arc<str>> {
        let rooms = self.rooms.lock();
        let seen = rooms.iter().filter(|room| !hidden::is(room));
        seen.cloned().collect()
    }
}
