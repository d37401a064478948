//! Something that happened to a socket, as it goes through the queues: shared where it can be, and not yet a text.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use crate::event::{Client, Event};
use crate::lossy::Weighed;

/// Something that happened to a socket.
#[derive(Debug)]
pub(crate) struct Happening {
    pub at: SystemTime,
    pub namespace: Arc<str>,
    /// What everyone calls it.
    pub socket: Arc<str>,
    pub user: Option<Arc<str>>,
    pub what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Connected(Box<Introduction>),
    Disconnected(Box<str>),
    Joined(Box<str>),
    Left(Box<str>),
    /// An event of the client's.
    Received {
        event: Event,
        wants_ack: bool,
        /// What the whole pipeline came to.
        outcome: &'static str,
    },
    /// An event that is on its way to the client.
    Sent(Event),
}

/// Who a socket is.
#[derive(Debug)]
pub(crate) struct Introduction {
    pub transport: &'static str,
    pub address: IpAddr,
    /// Over TLS, as far as this node sees.
    pub secure: bool,
    pub attributes: Vec<(String, String)>,
    pub rooms: Vec<Arc<str>>,
}

impl Introduction {
    pub(super) fn of(client: &Client, transport: &'static str) -> Box<Self> {
        Box::new(Self {
            transport,
            address: client.peer.address,
            secure: client.peer.handshake.is_secure(),
            attributes: client.identity.read().attributes.to_vec(),
            rooms: client.rooms_seen(),
        })
    }
}

impl Happening {
    pub(super) fn new(client: &Client, what: What) -> Self {
        Self {
            at: SystemTime::now(),
            namespace: client.namespace.clone(),
            socket: Arc::from(&*client.peer.name),
            user: client.identity.read().user.clone(),
            what,
        }
    }
}

impl Weighed for Happening {
    fn bytes(&self) -> usize {
        /// Of everything that every one has.
        const BASE: usize = 256;
        BASE + match &self.what {
            What::Connected(its) => {
                let attributes = its.attributes.iter();
                let attributes = attributes.map(|(name, value)| name.len() + value.len());
                attributes.sum::<usize>() + 32 * its.rooms.len()
            }
            What::Disconnected(text) | What::Joined(text) | What::Left(text) => text.len(),
            What::Received { event, .. } | What::Sent(event) => event.size() + event.name.len(),
        }
    }
}
