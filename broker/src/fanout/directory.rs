//! Who has members of what. Asked before an event is sent, so that nobody is sent what nobody there wants.
//!
//! Peers are numbers here. Rooms are known by a hash of their names: two that share one cost a message too many, and
//! nothing else. What a reactor has said is known to all when the call returns, which is what an acknowledged join
//! promises.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use super::{ByName, Census};
use crate::event::hidden;
use crate::telemetry::metrics::metrics;

/// Someone with members: a reactor of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer(pub usize);

/// Locks on the rooms, so that the joins of a thousand clients that come back at once do not meet.
const LOCKS: usize = 64;

type Entries = HashMap<u64, Holders, foldhash::fast::RandomState>;

pub(super) struct Directory {
    namespaces: RwLock<ByName<Arc<Presence>>>,
    /// Empty where there is one peer only: it has whatever anyone has.
    rooms: Vec<RwLock<Entries>>,
    hasher: foldhash::quality::RandomState,
    peers: usize,
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

/// Who holds a room. Nearly always one peer: most rooms have one member.
enum Holders {
    One(Holder),
    Several(Vec<Holder>),
}

/// Counted, because a name may be a room's and a socket's, and because rooms may share a hash.
struct Holder {
    peer: u16,
    names: u16,
    rooms: u32,
}

/// A name that events can be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Room,
    /// A socket's own, or that of a room that nobody sees.
    Name,
}

/// A set of peers. No allocation below 64 of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Peers {
    first: u64,
    rest: Vec<u64>,
}

// === impl Directory ===

impl Directory {
    pub(super) fn new(peers: usize) -> Self {
        let locks = if peers > 1 { LOCKS } else { 0 };
        Self {
            namespaces: RwLock::default(),
            rooms: (0..locks).map(|_| RwLock::default()).collect(),
            hasher: foldhash::quality::RandomState::default(),
            peers,
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
                sockets: (0..self.peers).map(|_| AtomicUsize::new(0)).collect(),
                rooms: AtomicUsize::new(0),
                holders: AtomicUsize::new(0),
            })
        });
        presence.holders.fetch_add(1, Ordering::Relaxed);
        presence.clone()
    }

    /// A peer has no sockets in it any more.
    pub(super) fn close(&self, presence: &Presence) {
        let mut namespaces = self.namespaces.write();
        if presence.holders.fetch_sub(1, Ordering::Relaxed) == 1 {
            namespaces.remove(&presence.name);
        }
    }

    /// A peer has its first member of a room, or a socket of that name.
    pub(super) fn add(&self, presence: &Presence, name: &str, kind: Kind, peer: Peer) {
        let is_news = match self.entries(presence, name) {
            Some((entries, hash)) => {
                let mut entries = entries.write();
                let holders = entries.entry(hash);
                holders
                    .or_insert_with(|| Holders::Several(Vec::new()))
                    .add(kind, peer)
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
            Some((entries, hash)) => {
                let mut entries = entries.write();
                let Some(holders) = entries.get_mut(&hash) else {
                    return;
                };
                let was_last = holders.remove(kind, peer);
                if holders.as_slice().is_empty() {
                    entries.remove(&hash);
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

    /// The peers that have members of any of the rooms (`None`: of the namespace), but for one.
    pub(super) fn with_members<S: AsRef<str>>(
        &self,
        presence: &Presence,
        rooms: Option<&[S]>,
        but: Option<Peer>,
    ) -> Peers {
        let mut peers = Peers::default();
        match rooms {
            Some(names) if !self.rooms.is_empty() => {
                for name in names {
                    self.add_holders(presence, name.as_ref(), &mut peers);
                }
            }
            _ => presence.add_holders(&mut peers),
        }
        if let Some(peer) = but {
            peers.remove(peer);
        }
        peers
    }

    fn add_holders(&self, presence: &Presence, name: &str, peers: &mut Peers) {
        if let Some((entries, hash)) = self.entries(presence, name)
            && let Some(holders) = entries.read().get(&hash)
        {
            let holders = holders.as_slice().iter();
            holders.for_each(|it| peers.insert(Peer(it.peer.into())));
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
        use std::hash::BuildHasher as _;
        let hash = self.hasher.hash_one((&*presence.name, name));
        let place = (hash >> 32) as usize % LOCKS;
        Some((self.rooms.get(place)?, hash))
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

// === impl Holders ===

impl Holders {
    fn as_slice(&self) -> &[Holder] {
        match self {
            Self::One(holder) => std::slice::from_ref(holder),
            Self::Several(holders) => holders,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Holder] {
        match self {
            Self::One(holder) => std::slice::from_mut(holder),
            Self::Several(holders) => holders,
        }
    }

    /// True: the name is the first of its kind with anyone.
    fn add(&mut self, kind: Kind, peer: Peer) -> bool {
        let is_first = self.as_slice().iter().all(|it| it.has_none(kind));
        let its = self.as_mut_slice().iter_mut();
        match its.into_iter().find(|it| usize::from(it.peer) == peer.0) {
            Some(holder) => holder.count(kind, 1),
            None => self.push(Holder::new(kind, peer)),
        }
        is_first
    }

    fn push(&mut self, holder: Holder) {
        *self = match std::mem::replace(self, Self::Several(Vec::new())) {
            Self::One(first) => Self::Several(vec![first, holder]),
            Self::Several(holders) if holders.is_empty() => Self::One(holder),
            Self::Several(mut holders) => {
                holders.push(holder);
                Self::Several(holders)
            }
        };
    }

    /// True: nobody has one of that kind any more.
    fn remove(&mut self, kind: Kind, peer: Peer) -> bool {
        let its = self.as_mut_slice().iter_mut();
        let Some(holder) = its
            .into_iter()
            .find(|it| usize::from(it.peer) == peer.0 && !it.has_none(kind))
        else {
            return false;
        };
        holder.count(kind, -1);
        let is_empty = |it: &Holder| it.has_none(Kind::Room) && it.has_none(Kind::Name);
        match self {
            Self::One(holder) if is_empty(holder) => *self = Self::Several(Vec::new()),
            Self::One(_) => {}
            Self::Several(holders) => holders.retain(|it| !is_empty(it)),
        }
        self.as_slice().iter().all(|it| it.has_none(kind))
    }
}

impl Holder {
    fn new(kind: Kind, peer: Peer) -> Self {
        let mut holder = Self {
            // There are a thousand reactors at the most.
            peer: u16::try_from(peer.0).unwrap_or(u16::MAX),
            names: 0,
            rooms: 0,
        };
        holder.count(kind, 1);
        holder
    }

    fn has_none(&self, kind: Kind) -> bool {
        match kind {
            Kind::Room => self.rooms == 0,
            Kind::Name => self.names == 0,
        }
    }

    fn count(&mut self, kind: Kind, by: i8) {
        match kind {
            Kind::Room => self.rooms = self.rooms.saturating_add_signed(by.into()),
            Kind::Name => self.names = self.names.saturating_add_signed(by.into()),
        }
    }
}

// === impl Kind ===

impl Kind {
    pub(super) fn of_room(name: &str) -> Self {
        if hidden::is(name) {
            Self::Name
        } else {
            Self::Room
        }
    }
}

// === impl Peers ===

impl Peers {
    fn place(&mut self, peer: Peer) -> Option<(&mut u64, u64)> {
        let bit = 1 << (peer.0 % 64);
        match (peer.0 / 64).checked_sub(1) {
            None => Some((&mut self.first, bit)),
            Some(word) => Some((self.rest.get_mut(word)?, bit)),
        }
    }

    fn insert(&mut self, peer: Peer) {
        if peer.0 / 64 > self.rest.len() {
            self.rest.resize(peer.0 / 64, 0);
        }
        if let Some((word, bit)) = self.place(peer) {
            *word |= bit;
        }
    }

    fn remove(&mut self, peer: Peer) {
        if let Some((word, bit)) = self.place(peer) {
            *word &= !bit;
        }
    }

    pub(super) fn contains(&self, peer: Peer) -> bool {
        let word = match (peer.0 / 64).checked_sub(1) {
            None => Some(&self.first),
            Some(word) => self.rest.get(word),
        };
        word.is_some_and(|word| word & (1 << (peer.0 % 64)) != 0)
    }

    pub(super) fn len(&self) -> usize {
        let words = std::iter::once(&self.first).chain(&self.rest);
        words.map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
