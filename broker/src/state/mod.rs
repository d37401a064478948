//! State that policies share: token buckets and windows, counters and values, kept by the host so that it outlives an
//! instance and a reload, and so that every reactor counts in the same place.
//!
//! Imports nothing of the broker but its clock. Time comes in as an argument, as [`Millis`].

mod apart;
mod bucket;
mod entries;
mod shard;
mod show;
mod subject;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::moment::Moment;
use apart::Apart;
pub(crate) use bucket::{BucketRule, Decision};
pub(crate) use entries::StoreError;
use entries::{Entries, Limits};
use shard::{Key, KeyRef, Shard};
pub(crate) use show::{Filter, Shown};
#[cfg(test)]
pub(crate) use show::{ShownBucket, ShownEntry};
pub(crate) use subject::{SubjectKey, SubjectRef};

/// A moment, in milliseconds of one monotonic clock: setting the machine's time moves no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Millis(u64);

/// Keys (bucket and subject) a policy may have before one has to go. What goes first is what loses nothing: keys
/// whose limit has recovered in full. Only when none of those is in sight is a live one evicted, the one that is
/// nearest to recovery: **its limit starts afresh**, which is counted.
pub(crate) const MAX_KEYS: usize = 100_000;

/// What the entries (counters and values) of a policy may take up, beside its buckets. What goes first is what has
/// expired, then **what was used longest ago**, which is counted.
const ENTRIES: Limits = Limits {
    keys: MAX_KEYS,
    bytes: 32 << 20,
};

/// Enough that reactors seldom meet at a lock, few enough that a shard's share of [`MAX_KEYS`] is a fair one.
const SHARDS: usize = 32;

/// Bucket names remembered for [`PolicyState::forget_socket`]; a policy that goes through more in its reloads
/// leaves keys behind, which recover or are evicted.
const MAX_SOCKET_BUCKETS: usize = 1024;

/// The state of every policy of the process, by policy name.
#[derive(Debug, Default)]
pub(crate) struct Store {
    policies: RwLock<HashMap<Arc<str>, Arc<PolicyState>>>,
}

/// What a policy's state takes up, for the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Usage {
    pub policy: Arc<str>,
    pub buckets: Share,
    pub entries: Share,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub keys: usize,
    /// What they take of memory, nearly.
    pub bytes: usize,
    /// Those that were alive and had to go since the process began, for want of room.
    pub evicted: u64,
}

// === impl Millis ===

impl Millis {
    /// A moment of another clock, which must not be mixed with this one.
    pub(crate) fn at(ms: u64) -> Self {
        Self(ms)
    }

    pub(crate) fn now() -> Self {
        Self::of(Moment::now())
    }

    /// A moment that has been read already.
    pub(crate) fn of(moment: Moment) -> Self {
        Self(moment.millis())
    }
}

// === impl Store ===

impl Store {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The state that belongs to a policy's name: the same one after a reload, and after the policy was gone.
    pub(crate) fn policy(&self, name: &str) -> Arc<PolicyState> {
        if let Some(state) = self.policies.read().get(name) {
            return Arc::clone(state);
        }
        Arc::clone(self.policies.write().entry(name.into()).or_default())
    }

    /// The state of a policy's name, if it has ever had any.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<PolicyState>> {
        self.policies.read().get(name).map(Arc::clone)
    }

    /// Drops the state of a policy that will not come back. Who still holds it goes on with what nobody else sees.
    pub(crate) fn forget(&self, name: &str) {
        self.policies.write().remove(name);
    }

    /// Drops what any policy has counted for a socket that is gone.
    pub(crate) fn forget_socket(&self, token: u64) {
        for state in self.policies.read().values() {
            state.forget_socket(token);
        }
    }

    /// What there is at this moment; what has expired by then is freed.
    pub(crate) fn usage(&self, now: Millis) -> Vec<Usage> {
        self.policies
            .read()
            .iter()
            .map(|(policy, state)| state.usage(policy, now))
            .collect()
    }
}

/// The buckets and entries of one policy.
#[derive(Debug)]
pub(crate) struct PolicyState {
    hasher: foldhash::quality::RandomState,
    /// A mutex each, not a lock-free map: a take reads, decides and writes a few words, and the decision has to be
    /// one step for everyone who takes from that key. Nothing waits inside.
    shards: Box<[Apart<Shard>]>,
    /// Names of the buckets that count sockets. Written when such a bucket is first used.
    socket_buckets: RwLock<Vec<Arc<str>>>,
    entries: Entries,
}

// === impl PolicyState ===

impl Default for PolicyState {
    fn default() -> Self {
        Self::with_capacity(MAX_KEYS)
    }
}

impl PolicyState {
    fn with_capacity(keys: usize) -> Self {
        let hasher = foldhash::quality::RandomState::default();
        let shards = (0..SHARDS)
            .map(|_| Apart::new(Shard::new(keys.div_ceil(SHARDS), hasher.clone())))
            .collect();
        Self {
            hasher,
            shards,
            socket_buckets: RwLock::default(),
            entries: Entries::new(ENTRIES, foldhash::quality::RandomState::default()),
        }
    }

    /// Takes `cost` from the bucket that `rule` names, for `subject`: all of it or nothing, atomically. A cost of 0
    /// only looks. When the rule's numbers have changed since the last take, the state is kept: a bucket is filled to
    /// the same part of its new burst, and what has come back since then has done so at the new rate; what is in a
    /// window counts against its new limit. A bucket that becomes a window, or the reverse, starts afresh.
    pub(crate) fn take(
        &self,
        rule: &BucketRule,
        subject: SubjectRef<'_>,
        cost: u32,
        now: Millis,
    ) -> Decision {
        let key = KeyRef {
            bucket: &rule.name,
            subject,
        };
        let hash = self.hasher.hash_one(key);
        let (decision, created) = self.shard(hash).lock().take(hash, key, rule, cost, now.0);
        if created && matches!(subject, SubjectRef::Socket(_)) {
            self.remember_socket_bucket(&rule.name);
        }
        decision
    }

    /// Adds to a counter, which begins with 0, and says what it is now. `ttl_ms` is read when the counter begins.
    pub(crate) fn add(
        &self,
        key: &str,
        by: i64,
        ttl_ms: u64,
        now: Millis,
    ) -> Result<i64, StoreError> {
        self.entries.add(key, by, ttl_ms, now.0)
    }

    /// The value of a key; a counter's is its decimal text.
    pub(crate) fn get(&self, key: &str, now: Millis) -> Result<Option<Bytes>, StoreError> {
        self.entries.get(key, now.0)
    }

    /// Sets a value, whatever was there, for `ttl_ms` from now; 0: without end.
    pub(crate) fn set(
        &self,
        key: &str,
        value: &[u8],
        ttl_ms: u64,
        now: Millis,
    ) -> Result<(), StoreError> {
        self.entries.set(key, value, ttl_ms, now.0)
    }

    /// Sets a value as [`set`](Self::set) does if it still is `old` (`None`: if there is none), and says whether it
    /// was.
    pub(crate) fn compare_and_swap(
        &self,
        key: &str,
        old: Option<&[u8]>,
        new: &[u8],
        ttl_ms: u64,
        now: Millis,
    ) -> Result<bool, StoreError> {
        self.entries.compare_and_swap(key, old, new, ttl_ms, now.0)
    }

    /// What is not there is deleted already.
    pub(crate) fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.entries.delete(key)
    }

    /// Drops what was counted for a socket that is gone.
    fn forget_socket(&self, token: u64) {
        let subject = SubjectRef::Socket(token);
        for bucket in self.socket_buckets.read().iter() {
            let key = KeyRef { bucket, subject };
            let hash = self.hasher.hash_one(key);
            self.shard(hash).lock().remove(key);
        }
    }

    fn usage(&self, policy: &Arc<str>, now: Millis) -> Usage {
        self.entries.free_expired(now.0);
        Usage {
            policy: Arc::clone(policy),
            buckets: self.buckets(),
            entries: Share {
                keys: self.entries.keys(),
                bytes: self.entries.bytes(),
                evicted: self.entries.evicted(),
            },
        }
    }

    fn buckets(&self) -> Share {
        let mut all = Share {
            keys: 0,
            bytes: 0,
            evicted: 0,
        };
        for shard in &self.shards {
            let shard = shard.lock();
            all.keys += shard.len();
            all.bytes += shard.bytes();
            all.evicted += shard.evicted();
        }
        all
    }

    fn shard(&self, hash: u64) -> &Apart<Shard> {
        // From the middle of the hash: the map inside the shard uses the bits of both ends. The length is never 0.
        &self.shards[(hash >> 32) as usize % self.shards.len()]
    }

    fn remember_socket_bucket(&self, name: &Arc<str>) {
        if self.socket_buckets.read().contains(name) {
            return;
        }
        let mut names = self.socket_buckets.write();
        if !names.contains(name) {
            if names.len() == MAX_SOCKET_BUCKETS {
                names.remove(0);
            }
            names.push(Arc::clone(name));
        }
    }
}

impl From<KeyRef<'_>> for Key {
    fn from(key: KeyRef<'_>) -> Self {
        Self {
            bucket: Arc::clone(key.bucket),
            subject: key.subject.into(),
        }
    }
}
