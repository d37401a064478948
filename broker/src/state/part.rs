//! Buckets, counters and values of one policy: those of the node, or those of the cluster.

use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use super::apart::Apart;
use super::bucket::{BucketRule, Decision};
use super::entries::{Entries, Limits, StoreError};
use super::shard::{Key, KeyRef, Shard};
use super::{MAX_KEYS, Millis, Share, SubjectRef};

/// What the entries (counters and values) of a policy may take up, beside its buckets. What goes first is what has
/// expired, then **what was used longest ago**, which is counted.
pub(super) const ENTRIES: Limits = Limits {
    keys: MAX_KEYS,
    bytes: 32 << 20,
};

/// Enough that reactors seldom meet at a lock, few enough that a shard's share of [`MAX_KEYS`] is a fair one.
const SHARDS: usize = 32;

/// Bucket names remembered for [`Part::forget_socket`]; a policy that goes through more in its reloads
/// leaves keys behind, which recover or are evicted.
const MAX_SOCKET_BUCKETS: usize = 1024;

/// Buckets and entries of one policy in one scope.
#[derive(Debug)]
pub(crate) struct Part {
    pub(super) hasher: foldhash::quality::RandomState,
    /// A mutex each, not a lock-free map: a take reads, decides and writes a few words, and the decision has to be
    /// one step for everyone who takes from that key. Nothing waits inside.
    pub(super) shards: Box<[Apart<Shard>]>,
    /// Names of the buckets that count sockets. Written when such a bucket is first used.
    socket_buckets: RwLock<Vec<Arc<str>>>,
    pub(super) entries: Entries,
}

// === impl Part ===

impl Default for Part {
    fn default() -> Self {
        Self::with_capacity(MAX_KEYS)
    }
}

impl Part {
    pub(super) fn with_capacity(keys: usize) -> Self {
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
        self.take_and_tell(rule, subject, cost, now, None)
    }

    /// As [`take`](Self::take). What is taken is noted for the other nodes, for whom `told` is the rule.
    pub(super) fn take_and_tell(
        &self,
        rule: &BucketRule,
        subject: SubjectRef<'_>,
        cost: u32,
        now: Millis,
        told: Option<&BucketRule>,
    ) -> Decision {
        let key = KeyRef {
            bucket: &rule.name,
            subject,
        };
        let hash = self.hasher.hash_one(key);
        let (decision, created) = {
            let mut shard = self.shard(hash).lock();
            let taken = shard.take(hash, key, rule, cost, now.0);
            if let (true, true, Some(told)) = (taken.0.allowed, cost > 0, told) {
                shard.tell_later(key, told, cost);
            }
            taken
        };
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
        self.entries.add(key, by, ttl_ms, 0, now.0)
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
        self.entries.set(key, value, ttl_ms, 0, now.0)
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
        self.entries
            .compare_and_swap(key, old, new, ttl_ms, 0, now.0)
    }

    /// What is not there is deleted already.
    pub(crate) fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.entries.delete(key)
    }

    /// Takes what another node has taken already; see [`Cell::debit`](super::bucket::Cell::debit).
    pub(super) fn debit(
        &self,
        rule: &BucketRule,
        subject: SubjectRef<'_>,
        count: u32,
        most: u32,
        now: Millis,
    ) {
        let key = KeyRef {
            bucket: &rule.name,
            subject,
        };
        let hash = self.hasher.hash_one(key);
        self.shard(hash).lock().debit(key, rule, count, most, now.0);
    }

    /// Drops what was counted for a socket that is gone.
    pub(super) fn forget_socket(&self, token: u64) {
        let subject = SubjectRef::Socket(token);
        for bucket in self.socket_buckets.read().iter() {
            let key = KeyRef { bucket, subject };
            let hash = self.hasher.hash_one(key);
            self.shard(hash).lock().remove(key);
        }
    }

    /// Of buckets and of entries; what has expired by now is freed.
    pub(super) fn usage(&self, now: Millis) -> (Share, Share) {
        self.entries.free_expired(now.0);
        let entries = Share {
            keys: self.entries.keys(),
            bytes: self.entries.bytes(),
            evicted: self.entries.evicted(),
        };
        (self.buckets(), entries)
    }

    pub(super) fn buckets(&self) -> Share {
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

    pub(super) fn shard(&self, hash: u64) -> &Apart<Shard> {
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
