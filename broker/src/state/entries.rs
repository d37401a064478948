//! Counters and values by key: what a policy remembers beside its buckets.

mod heard;
mod shard;
#[cfg(test)]
mod tests;

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::apart::Apart;
use bytes::Bytes;
use shard::Shard;
pub(super) use shard::{Entry, Value};

/// Bytes of a key.
pub(crate) const MAX_KEY: usize = 256;

/// Bytes of a value.
pub(crate) const MAX_VALUE: usize = 64 << 10;

/// What an entry takes beside its key and value: its links, its place in the table and among the ends, and what the
/// allocator adds.
const OVERHEAD: usize = 192;

/// Enough that reactors seldom meet at a lock.
const SHARDS: usize = 32;

/// Expired entries that an insertion frees: more than one, so that they go faster than new ones come.
const SWEPT: usize = 2;

/// Expired entries freed under one lock while someone looks at the state: a fraction of a millisecond.
const FREED_A_LOCK: usize = 256;

/// Why a policy's store did not do what it was asked to. Told to the policy's author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("a key has at least 1 byte, and this one is empty")]
    EmptyKey,
    #[error("a key has at most {MAX_KEY} bytes, and this one has {0}")]
    KeyTooLong(usize),
    #[error("a value has at most {MAX_VALUE} bytes, and this one has {0}")]
    ValueTooLarge(usize),
    #[error("`add` needs a counter, and the value of this key is not a whole number")]
    NotACounter,
    #[error(
        "the sum is beyond what a counter can hold (64 bits, signed); the counter is as before"
    )]
    Overflow,
}

/// What a policy's entries may take up together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub keys: usize,
    /// Keys, values and [`OVERHEAD`].
    pub bytes: usize,
}

/// The entries of one policy.
///
/// An operation looks up, decides and writes under the lock of its key's shard, so that it is one step for everyone.
/// The limits are those of all shards together: when one is reached, entries go from a shard that has more than its
/// share, expired ones first and then the one used longest ago.
#[derive(Debug)]
pub(super) struct Entries {
    hasher: foldhash::quality::RandomState,
    shards: Box<[Apart<Shard>]>,
    limits: Limits,
    keys: AtomicUsize,
    bytes: AtomicUsize,
    evicted: AtomicU64,
}

// === impl Entries ===

impl Entries {
    pub(super) fn new(limits: Limits, hasher: foldhash::quality::RandomState) -> Self {
        Self::with_shards(SHARDS, limits, hasher)
    }

    fn with_shards(shards: usize, limits: Limits, hasher: foldhash::quality::RandomState) -> Self {
        let shard = || Apart::new(Shard::new(hasher.clone()));
        Self {
            shards: (0..shards).map(|_| shard()).collect(),
            hasher,
            limits,
            keys: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
        }
    }

    pub(super) fn add(
        &self,
        key: &str,
        by: i64,
        ttl_ms: u64,
        version: u64,
        now: u64,
    ) -> Result<i64, StoreError> {
        check_key(key)?;
        self.put_in_shard(key, now, |shard, hash| {
            shard.add(hash, key, by, end(ttl_ms, now), version, now)
        })
    }

    pub(super) fn get(&self, key: &str, now: u64) -> Result<Option<Bytes>, StoreError> {
        check_key(key)?;
        let hash = self.hasher.hash_one(key);
        let value = self.in_shard(self.index(hash), |shard| {
            shard.live(hash, key, now).map(|entry| entry.value.clone())
        });
        Ok(value.map(Value::into_bytes))
    }

    pub(super) fn set(
        &self,
        key: &str,
        value: &[u8],
        ttl_ms: u64,
        version: u64,
        now: u64,
    ) -> Result<(), StoreError> {
        check_key(key)?;
        let value = read_value(value)?;
        self.put_in_shard(key, now, |shard, hash| {
            shard.put(hash, key, value, end(ttl_ms, now), version);
        });
        Ok(())
    }

    pub(super) fn compare_and_swap(
        &self,
        key: &str,
        old: Option<&[u8]>,
        new: &[u8],
        ttl_ms: u64,
        version: u64,
        now: u64,
    ) -> Result<bool, StoreError> {
        check_key(key)?;
        let new = read_value(new)?;
        Ok(self.put_in_shard(key, now, |shard, hash| {
            let is_old = match (shard.live(hash, key, now), old) {
                (Some(entry), Some(old)) => entry.value.is(old),
                (None, None) => true,
                _ => false,
            };
            if is_old {
                shard.put(hash, key, new, end(ttl_ms, now), version);
            }
            is_old
        }))
    }

    pub(super) fn delete(&self, key: &str) -> Result<(), StoreError> {
        check_key(key)?;
        let hash = self.hasher.hash_one(key);
        self.in_shard(self.index(hash), |shard| shard.remove(hash, key));
        Ok(())
    }

    /// Calls `each` with every entry that is alive, in no order, and frees the others.
    pub(super) fn for_each(&self, now: u64, mut each: impl FnMut(&str, &Entry)) {
        self.free_expired(now);
        for shard in &self.shards {
            for (key, entry) in shard.lock().iter() {
                if entry.ends_at > now && !matches!(entry.value, Value::Gone) {
                    each(key, entry);
                }
            }
        }
    }

    /// Drops the entries whose keys begin with `prefix`, and says how many were alive.
    pub(super) fn clear(&self, prefix: &str, now: u64) -> usize {
        self.free_expired(now);
        (0..self.shards.len())
            .map(|index| self.in_shard(index, |shard| shard.clear(prefix)))
            .sum()
    }

    /// Frees what has expired, a little under each lock.
    pub(super) fn free_expired(&self, now: u64) {
        for index in 0..self.shards.len() {
            while self.in_shard(index, |shard| shard.free_expired(FREED_A_LOCK, now))
                == FREED_A_LOCK
            {}
        }
    }

    pub(super) fn keys(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Entries that were alive and had to go, since the process began.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Does what may take more room, and makes that room.
    fn put_in_shard<T>(&self, key: &str, now: u64, work: impl FnOnce(&mut Shard, u64) -> T) -> T {
        let hash = self.hasher.hash_one(key);
        let index = self.index(hash);
        let done = self.in_shard(index, |shard| {
            let before = shard.len();
            let done = work(shard, hash);
            if shard.len() > before {
                shard.free_expired(SWEPT, now);
            }
            done
        });
        if self.is_over() {
            self.make_room(index, now);
        }
        done
    }

    /// Works on a shard, and keeps the totals.
    fn in_shard<T>(&self, index: usize, work: impl FnOnce(&mut Shard) -> T) -> T {
        let mut shard = self.shards[index].lock();
        let (keys, bytes) = (shard.len(), shard.bytes());
        let done = work(&mut shard);
        follow(&self.keys, keys, shard.len());
        follow(&self.bytes, bytes, shard.bytes());
        done
    }

    fn is_over(&self) -> bool {
        self.keys() > self.limits.keys || self.bytes() > self.limits.bytes
    }

    /// While all shards together have too much, one of them has more than its share. What has just been written is
    /// in the first, as what was used last.
    fn make_room(&self, first: usize, now: u64) {
        for offset in 0..self.shards.len() {
            let index = (first + offset) % self.shards.len();
            while self.is_over() {
                let went = self.in_shard(index, |shard| {
                    self.is_above_share(shard).then(|| shard.evict(now))
                });
                match went {
                    Some(true) => self.evicted.fetch_add(1, Ordering::Relaxed),
                    Some(false) => continue,
                    None => break,
                };
            }
        }
    }

    fn is_above_share(&self, shard: &Shard) -> bool {
        let share = |limit: usize| limit / self.shards.len();
        (self.keys() > self.limits.keys && shard.len() > share(self.limits.keys))
            || (self.bytes() > self.limits.bytes && shard.bytes() > share(self.limits.bytes))
    }

    fn index(&self, hash: u64) -> usize {
        // From the middle of the hash: the map inside the shard uses the bits of both ends. The length is never 0.
        (hash >> 32) as usize % self.shards.len()
    }
}

fn follow(total: &AtomicUsize, before: usize, after: usize) {
    // Most work changes neither: then the line that all threads share is left alone.
    if after > before {
        total.fetch_add(after - before, Ordering::Relaxed);
    } else if before > after {
        total.fetch_sub(before - after, Ordering::Relaxed);
    }
}

fn check_key(key: &str) -> Result<(), StoreError> {
    match key.len() {
        0 => Err(StoreError::EmptyKey),
        1..=MAX_KEY => Ok(()),
        len => Err(StoreError::KeyTooLong(len)),
    }
}

/// Copied before the lock is taken.
fn read_value(value: &[u8]) -> Result<Value, StoreError> {
    if value.len() > MAX_VALUE {
        return Err(StoreError::ValueTooLarge(value.len()));
    }
    Ok(Value::Bytes(Bytes::copy_from_slice(value)))
}

fn end(ttl_ms: u64, now: u64) -> u64 {
    match ttl_ms {
        0 => shard::NEVER,
        ttl => now.saturating_add(ttl),
    }
}
