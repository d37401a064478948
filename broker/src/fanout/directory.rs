//! Who has members of what. Asked before an event is sent, so that nobody is sent what nobody there wants.
//!
//! Peers are numbers here: the reactors of this process first, then other nodes. Rooms are known by a hash of their names:
//! two that share one cost a message too many, and nothing else. What a reactor has said is known to all reactors when
//! the call returns, and to other nodes when they have acknowledged it, which is what an acknowledged join promises.

mod holders;
mod peers;
mod remote;

use std::collections::{HashMap, HashSet};
use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use siphasher::sip::SipHasher13;

use super::nodes::{NodeId, Nodes};
use super::{ByName, Census};
use crate::event::hidden;
use crate::telemetry::metrics::metrics;
use holders::Holders;
pub(super) use peers::Peers;
use remote::Remote;

/// Someone with members: a reactor of this process, or another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer(pub usize);

/// Locks on the rooms, so that the joins of a thousand clients that come back at once do not meet.
const LOCKS: usize = 64;

type Entries = HashMap<u64, Holders, foldhash::fast::RandomState>;

pub(super) struct Directory {
    namespaces: RwLock<ByName<Arc<Presence>>>,
    /// Empty where there is one reactor and no other node: it has whatever anyone has.
    rooms: Vec<RwLock<Entries>>,
    keys: SipHasher13,
    reactors: usize,
    /// What other nodes are told of what is here; `None`: there are none.
    nodes: Option<Arc<Nodes>>,
    /// What is known of other nodes beside their rooms.
    remote: Remote,
}

/// A namespace, over all peers. It lives as long as one of them has sockets in it.
pub(super) struct Presence {
    pub name: Arc<str>,
    /// Of each peer.
    sockets: Vec<AtomicUsize>,
    rooms: AtomicUsize,
    /// Peers that hold it; changed under the lock of the namespaces.
    holders: AtomicUsize,
}

/// A name that events can be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Room,
    /// A socket's own.
    Name,
    /// That of a room that nobody sees.
    Hidden,
}

// === impl Directory ===

impl Directory {
    pub(super) fn new(reactors: usize, nodes: Option<Arc<Nodes>>) -> Self {
        let locks = if reactors > 1 || nodes.is_some() {
            LOCKS
        } else {
            0
        };
        let keys = match &nodes {
            // All nodes have to agree. Whoever knows how makes rooms that share a key, and gets a message too many.
            Some(_) => SipHasher13::new(),
            None => SipHasher13::new_with_keys(rand::random(), rand::random()),
        };
        Self {
            namespaces: RwLock::default(),
            rooms: (0..locks).map(|_| RwLock::default()).collect(),
            keys,
            reactors,
            nodes,
            remote: Remote::default(),
        }
    }

    pub(super) fn presence(&self, namespace: &str) -> Option<Arc<Presence>> {
        self.namespaces.read().get(namespace).cloned()
    }

    /// A peer comes to have sockets in a namespace.
    pub(super) fn open(&self, namespace: &Arc<str>) -> Arc<Presence> {
        let mut namespaces = self.namespaces.write();
        let presence = namespaces.entry(namespace.clone()).or_insert_with(|| {
            Arc::new(Presence {
                name: namespace.clone(),
                sockets: (0..self.reactors).map(|_| AtomicUsize::new(0)).collect(),
                rooms: AtomicUsize::new(0),
                holders: AtomicUsize::new(0),
            })
        });
        let was_held = presence.holders.fetch_add(1, Ordering::Relaxed) > 0;
        if let Some(nodes) = &self.nodes
            && !was_held
        {
            nodes.interest.add(self.key(namespace, None));
        }
        presence.clone()
    }

    /// A peer has no sockets in it any more.
    pub(super) fn close(&self, presence: &Presence) {
        let mut namespaces = self.namespaces.write();
        if presence.holders.fetch_sub(1, Ordering::Relaxed) == 1 {
            namespaces.remove(&presence.name);
            if let Some(nodes) = &self.nodes {
                nodes.interest.remove(self.key(&presence.name, None));
            }
        }
    }

    /// A peer has its first member of a room, or a socket of that name.
    pub(super) fn add(&self, presence: &Presence, name: &str, kind: Kind, peer: Peer) {
        let is_news = match self.entries(presence, name) {
            Some((entries, key)) => {
                let mut entries = entries.write();
                let holders = entries.entry(key);
                let is_news = holders.or_default().add(kind, peer, self.reactors);
                if let Some(nodes) = &self.nodes
                    && is_news
                    && kind != Kind::Name
                {
                    nodes.interest.add(key);
                }
                is_news
            }
            None => true,
        };
        if is_news && kind == Kind::Room {
            presence.rooms.fetch_add(1, Ordering::Relaxed);
            metrics().rooms.inc();
        }
    }

    /// A peer's last member has left a room, or the socket of that name has gone.
    pub(super) fn remove(&self, presence: &Presence, name: &str, kind: Kind, peer: Peer) {
        let was_last = match self.entries(presence, name) {
            Some((entries, key)) => {
                let mut entries = entries.write();
                let Some(holders) = entries.get_mut(&key) else {
                    return;
                };
                let was_last = holders.remove(kind, peer, self.reactors);
                if holders.as_slice().is_empty() {
                    entries.remove(&key);
                }
                if let Some(nodes) = &self.nodes
                    && was_last
                    && kind != Kind::Name
                {
                    nodes.interest.remove(key);
                }
                was_last
            }
            None => true,
        };
        if was_last && kind == Kind::Room {
            presence.rooms.fetch_sub(1, Ordering::Relaxed);
            metrics().rooms.dec();
        }
    }

    /// The peers that have members of any of the rooms (`None`: of the namespace), but for one. `presence` is that of
    /// the namespace, where it is at hand.
    pub(super) fn with_members<S: AsRef<str>>(
        &self,
        namespace: &str,
        presence: Option<&Presence>,
        rooms: Option<&[S]>,
        but: Option<Peer>,
    ) -> Peers {
        let mut peers = Peers::default();
        match rooms {
            Some(names) if !self.rooms.is_empty() => {
                for name in names {
                    self.add_holders(namespace, Some(name.as_ref()), &mut peers);
                }
            }
            _ => {
                if let Some(presence) = presence {
                    presence.add_holders(&mut peers);
                }
                if self.nodes.is_some() {
                    self.add_holders(namespace, None, &mut peers);
                }
            }
        }
        if let Some(peer) = but {
            peers.remove(peer);
        }
        peers
    }

    fn add_holders(&self, namespace: &str, name: Option<&str>, peers: &mut Peers) {
        let key = self.key(namespace, name);
        let Some(entries) = self.entries_of(key) else {
            return;
        };
        if let Some(holders) = entries.read().get(&key) {
            let holders = holders.as_slice().iter();
            holders.for_each(|it| peers.insert(Peer(it.peer.into())));
        }
        if self.nodes.is_some() {
            self.remote.add_holders(key, name, peers);
        }
    }

    pub(super) fn census(&self) -> Vec<Census> {
        let namespaces = self.namespaces.read();
        let census = namespaces.values().map(|presence| Census {
            namespace: presence.name.clone(),
            sockets: presence.sockets(),
            rooms: presence.rooms.load(Ordering::Relaxed),
        });
        census.collect()
    }

    fn entries(&self, presence: &Presence, name: &str) -> Option<(&RwLock<Entries>, u64)> {
        let key = self.key(&presence.name, Some(name));
        Some((self.entries_of(key)?, key))
    }

    fn entries_of(&self, key: u64) -> Option<&RwLock<Entries>> {
        self.rooms.get((key >> 32) as usize % LOCKS)
    }

    /// What a room, or with no name a namespace as a whole, is known by.
    pub(super) fn key(&self, namespace: &str, name: Option<&str>) -> u64 {
        let mut key = self.keys;
        key.write(namespace.as_bytes());
        // No text has these bytes.
        match name {
            Some(name) => {
                key.write_u8(0xff);
                key.write(name.as_bytes());
            }
            None => key.write_u8(0xfe),
        }
        key.finish()
    }
}

// === impl Presence ===

impl Presence {
    pub(super) fn enter(&self, peer: Peer) {
        if let Some(sockets) = self.sockets.get(peer.0) {
            sockets.fetch_add(1, Ordering::Release);
        }
    }

    pub(super) fn exit(&self, peer: Peer) {
        if let Some(sockets) = self.sockets.get(peer.0) {
            sockets.fetch_sub(1, Ordering::Release);
        }
    }

    fn add_holders(&self, peers: &mut Peers) {
        for (number, sockets) in self.sockets.iter().enumerate() {
            if sockets.load(Ordering::Acquire) > 0 {
                peers.insert(Peer(number));
            }
        }
    }

    fn sockets(&self) -> usize {
        let sockets = self.sockets.iter();
        sockets.map(|sockets| sockets.load(Ordering::Relaxed)).sum()
    }
}

// === impl Kind ===

impl Kind {
    pub(super) fn of_room(name: &str) -> Self {
        if hidden::is(name) {
            Self::Hidden
        } else {
            Self::Room
        }
    }
}
