//! What a session has seen, as it goes through the queue: shared where it can be, and not yet a text.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::Running;
use crate::event::{Client, Event, Handshake};
use crate::feed;
use crate::lossy::Weighed;
use crate::moment::unix_millis;
use crate::plugin::DisconnectReason;

/// Something that a client did, of which it is not known yet what it came to.
#[must_use = "it is recorded when it has come to something"]
pub(crate) struct Draft {
    recorded: Option<Box<(Arc<Running>, Seen)>>,
    told: feed::Draft,
}

#[derive(Debug)]
pub(super) struct Seen {
    pub at_ms: u64,
    pub token: u64,
    pub namespace: Arc<str>,
    pub address: IpAddr,
    pub handshake: Arc<Handshake>,
    pub known: Known,
    pub did: Did,
    /// What the whole pipeline came to.
    pub outcome: &'static str,
}

/// What changes about a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub user: Option<Arc<str>>,
    pub attributes: Vec<(String, String)>,
    pub rooms: BTreeSet<Arc<str>>,
}

#[derive(Debug)]
pub(super) enum Did {
    Connect { auth: Option<Box<str>> },
    Event { event: Event, wants_ack: bool },
    Subscribe { room: Box<str> },
    Disconnect { reason: DisconnectReason },
}

impl Draft {
    /// Nobody wants to know.
    pub(crate) fn none() -> Self {
        Self {
            recorded: None,
            told: feed::Draft::none(),
        }
    }

    /// The same for those who only look.
    pub(super) fn and(self, told: feed::Draft) -> Self {
        Self { told, ..self }
    }

    /// As the socket is now: what comes of it may change that.
    pub(super) fn new(running: Arc<Running>, client: &Client, did: Did) -> Self {
        let identity = client.identity.read();
        let known = Known {
            user: identity.user.clone(),
            attributes: identity.attributes.to_vec(),
            rooms: client.rooms_seen().into_iter().collect(),
        };
        let seen = Seen {
            at_ms: unix_millis(),
            token: client.peer.token,
            namespace: client.namespace.clone(),
            address: client.peer.address,
            handshake: client.peer.handshake.clone(),
            known,
            did,
            outcome: "",
        };
        Self {
            recorded: Some(Box::new((running, seen))),
            told: feed::Draft::none(),
        }
    }

    /// Records it. What it comes to later is not recorded again.
    pub(crate) fn came_to(&mut self, outcome: &'static str) {
        self.told.came_to(outcome);
        if let Some(draft) = self.recorded.take() {
            let (running, mut seen) = *draft;
            seen.outcome = outcome;
            running.take(seen);
        }
    }
}

impl Weighed for Seen {
    fn bytes(&self) -> usize {
        /// Of everything that every one has.
        const BASE: usize = 512;
        let attributes = self.known.attributes.iter();
        let attributes: usize = attributes
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let did = match &self.did {
            Did::Connect { auth } => auth.as_ref().map_or(0, |auth| auth.len()),
            Did::Event { event, .. } => event.size() + event.name.len(),
            Did::Subscribe { room } => room.len(),
            Did::Disconnect { .. } => 0,
        };
        BASE + attributes + 32 * self.known.rooms.len() + did
    }
}
