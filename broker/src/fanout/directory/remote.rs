//! What the directory knows of other nodes: their rooms stand among the others', one by one or, where a node has very
//! many, in buckets; the names of their sockets begin with the node's tag.

use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::*;
use crate::fanout::nodes::{TAG, bucket_of};

/// Characters of a socket's name, and of the tag that it begins with.
const NAME: usize = 20;
const TAG_TEXT: usize = TAG / 3 * 4;

/// Words of the bits of all buckets.
const WORDS: usize = 1 << 18;

#[derive(Default)]
pub(super) struct Remote {
    tags: RwLock<Vec<(String, Peer)>>,
    buckets: RwLock<Vec<(Peer, Box<[u64]>)>>,
    has_buckets: AtomicBool,
}

impl Remote {
    pub(super) fn add_holders(&self, key: u64, name: Option<&str>, peers: &mut Peers) {
        // A room may happen to look like a socket's name: a message too many.
        if let Some(name) = name
            && name.len() == NAME
            && let Some(tag) = name.get(..TAG_TEXT)
        {
            for (_, peer) in self.tags.read().iter().filter(|(its, _)| its == tag) {
                peers.insert(*peer);
            }
        }
        if self.has_buckets.load(Ordering::Acquire) {
            let bucket = bucket_of(key);
            for (peer, bits) in self.buckets.read().iter() {
                if is_set(bits, bucket) {
                    peers.insert(*peer);
                }
            }
        }
    }
}

fn is_set(bits: &[u64], bucket: u64) -> bool {
    let word = bits.get(bucket as usize / 64);
    word.is_some_and(|word| word & (1 << (bucket % 64)) != 0)
}

fn set(bits: &mut [u64], bucket: u64, is_held: bool) {
    if let Some(word) = bits.get_mut(bucket as usize / 64) {
        let bit = 1 << (bucket % 64);
        if is_held {
            *word |= bit;
        } else {
            *word &= !bit;
        }
    }
}

// === impl Directory ===

impl Directory {
    /// The number of a node among the peers.
    fn node(&self, place: usize) -> Peer {
        Peer(self.reactors + place)
    }

    /// A node has appeared.
    pub(in crate::fanout) fn open_node(&self, place: usize, id: NodeId) {
        let tag = BASE64_URL_SAFE_NO_PAD.encode(id.tag());
        self.remote.tags.write().push((tag, self.node(place)));
    }

    /// A node is gone, and with it all its members.
    pub(in crate::fanout) fn close_node(&self, place: usize) {
        let peer = self.node(place);
        self.remote.tags.write().retain(|(_, it)| *it != peer);
        self.forget_buckets(peer);
        self.keep(peer, |_| false);
    }

    /// A node has come to have members of these rooms, or has none any more.
    pub(in crate::fanout) fn change_node(
        &self,
        place: usize,
        changes: &[(u64, bool)],
        bucketed: bool,
    ) {
        let peer = self.node(place);
        if bucketed {
            let mut buckets = self.remote.buckets.write();
            if let Some((_, bits)) = buckets.iter_mut().find(|(it, _)| *it == peer) {
                for (bucket, is_held) in changes {
                    set(bits, *bucket, *is_held);
                }
            }
            return;
        }
        for (key, is_held) in changes {
            self.hold(*key, peer, *is_held);
        }
    }

    /// These are all the rooms that a node has members of. What it had before and still has is there all the time.
    pub(in crate::fanout) fn replace_node(&self, place: usize, keys: &[u64], bucketed: bool) {
        let peer = self.node(place);
        if bucketed {
            let mut bits = vec![0; WORDS].into_boxed_slice();
            keys.iter().for_each(|bucket| set(&mut bits, *bucket, true));
            let mut buckets = self.remote.buckets.write();
            buckets.retain(|(it, _)| *it != peer);
            buckets.push((peer, bits));
            self.remote.has_buckets.store(true, Ordering::Release);
            drop(buckets);
            self.keep(peer, |_| false);
            return;
        }
        for key in keys {
            self.hold(*key, peer, true);
        }
        let keys: HashSet<u64, foldhash::fast::RandomState> = keys.iter().copied().collect();
        self.keep(peer, |key| keys.contains(&key));
        self.forget_buckets(peer);
    }

    fn forget_buckets(&self, peer: Peer) {
        let mut buckets = self.remote.buckets.write();
        buckets.retain(|(it, _)| *it != peer);
        self.remote
            .has_buckets
            .store(!buckets.is_empty(), Ordering::Release);
    }

    /// Nodes count as one member each, however often they say so.
    fn hold(&self, key: u64, peer: Peer, is_held: bool) {
        let Some(entries) = self.entries_of(key) else {
            return;
        };
        let mut entries = entries.write();
        if is_held {
            let holders = entries.entry(key).or_default();
            if !holders.has(peer) {
                holders.add(Kind::Room, peer, self.reactors);
            }
        } else if let Some(holders) = entries.get_mut(&key) {
            holders.remove(Kind::Room, peer, self.reactors);
            if holders.as_slice().is_empty() {
                entries.remove(&key);
            }
        }
    }

    /// Keeps what a node holds only where that is so.
    fn keep(&self, peer: Peer, is_held: impl Fn(u64) -> bool) {
        for entries in &self.rooms {
            entries.write().retain(|key, holders| {
                if holders.has(peer) && !is_held(*key) {
                    holders.remove(Kind::Room, peer, self.reactors);
                }
                !holders.as_slice().is_empty()
            });
        }
    }

    /// Calls back when every other node knows of the members of a room.
    pub(in crate::fanout) fn when_known(
        &self,
        namespace: &str,
        room: &str,
        known: Box<dyn FnOnce() + Send>,
    ) {
        match &self.nodes {
            Some(nodes) => nodes
                .interest
                .when_known(&[self.key(namespace, Some(room))], known),
            None => known(),
        }
    }
}

impl Holders {
    fn has(&self, peer: Peer) -> bool {
        self.as_slice()
            .iter()
            .any(|it| usize::from(it.peer) == peer.0)
    }
}
