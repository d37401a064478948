//! What each address has: one small entry for whoever has something, and nothing for all others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher as _;
use std::net::IpAddr;

use parking_lot::Mutex;

use super::Refused;
use super::bucket::Bucket;
use crate::config::Rate;
use crate::telemetry::metrics::Limit;

/// An address of IPv4, or the network of IPv6 that one customer has at the least: addresses in it cost nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    V4(u32),
    V6(u64),
}

#[derive(Debug, Default)]
struct Counts {
    connections: u32,
    sessions: u32,
    /// Of new sessions.
    bucket: Bucket,
}

/// Locks, so that reactors that open and close connections do not meet.
const LOCKS: usize = 16;

/// Entries of one lock that only remember how fast an address came; one more is not remembered. They are a few dozen
/// bytes each, and whoever has so many addresses is held by the rate of all.
const MOST: usize = 1 << 16;

/// Entries below which those that say nothing more are not looked for.
const FEW: usize = 256;

#[derive(Default)]
pub(super) struct Addresses {
    shards: [Mutex<Shard>; LOCKS],
    hasher: foldhash::fast::RandomState,
}

#[derive(Default)]
struct Shard {
    all: HashMap<Key, Counts, foldhash::fast::RandomState>,
    /// So many entries are swept next.
    sweep_at: usize,
}

impl Key {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.into()),
            IpAddr::V6(address) => Self::V6((u128::from(address) >> 64) as u64),
        }
    }
}

impl Addresses {
    /// A connection more; false: there are as many as there may be.
    pub(super) fn connect(&self, key: Key, most: usize) -> bool {
        let mut shard = self.shard(key).lock();
        let counts = shard.all.entry(key).or_default();
        if counts.connections as usize >= most {
            return false;
        }
        counts.connections += 1;
        true
    }

    pub(super) fn disconnect(&self, key: Key) {
        self.less(key, |counts| &mut counts.connections);
    }

    /// A session more, where their number is bounded, and one that is new.
    pub(super) fn open(
        &self,
        key: Key,
        most: Option<usize>,
        rate: Option<Rate>,
        now: u64,
    ) -> Result<(), Refused> {
        let mut shard = self.shard(key).lock();
        shard.sweep(now);
        let is_crowded = shard.all.len() >= MOST;
        let mut unknown = Counts::default();
        let counts = match shard.all.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if is_crowded && most.is_none() => &mut unknown,
            Entry::Vacant(new) => new.insert(Counts::default()),
        };
        if most.is_some_and(|most| counts.sessions as usize >= most) {
            return Err(Refused::by(Limit::ConnectionsPerIp));
        }
        if let Some(rate) = rate {
            let taken = counts.bucket.take(rate, now);
            taken.map_err(|wait| Refused::until(Limit::RatePerIp, wait))?;
        }
        if most.is_some() {
            counts.sessions += 1;
        }
        Ok(())
    }

    pub(super) fn leave(&self, key: Key) {
        self.less(key, |counts| &mut counts.sessions);
    }

    fn less(&self, key: Key, count: impl Fn(&mut Counts) -> &mut u32) {
        let mut shard = self.shard(key).lock();
        if let Entry::Occupied(mut entry) = shard.all.entry(key) {
            let count = count(entry.get_mut());
            *count = count.saturating_sub(1);
            if entry.get().is_nobody() && entry.get().bucket == Bucket::default() {
                entry.remove();
            }
        }
    }

    fn shard(&self, key: Key) -> &Mutex<Shard> {
        let number = self.hasher.hash_one(key) as usize % LOCKS;
        // There are as many.
        &self.shards[number]
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|it| it.lock().all.len()).sum()
    }
}

impl Counts {
    fn is_nobody(&self) -> bool {
        self.connections == 0 && self.sessions == 0
    }
}

impl Shard {
    /// Forgets those that have nothing and have not come for a while, whenever there are twice as many as were left.
    fn sweep(&mut self, now: u64) {
        if self.all.len() < self.sweep_at.max(FEW) {
            return;
        }
        self.all
            .retain(|_, counts| !counts.is_nobody() || !counts.bucket.is_full(now));
        self.sweep_at = (2 * self.all.len()).min(MOST);
    }
}
