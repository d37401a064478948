//! Entries that all nodes share: what is written on one is heard by the others, and the latest stays.

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use super::{Entries, Entry, MAX_VALUE, StoreError, Value, check_key, end};

/// How long it is remembered that something was deleted: a node that has been away for longer, and still has it, may
/// bring it back.
const BURIED_MS: u64 = 10 * 60 * 1000;

impl Entries {
    /// Deletes, and remembers for a while that it did.
    pub(in crate::state) fn bury(
        &self,
        key: &str,
        version: u64,
        now: u64,
    ) -> Result<(), StoreError> {
        check_key(key)?;
        self.put_in_shard(key, now, |shard, hash| {
            let ends_at = now.saturating_add(BURIED_MS);
            shard.put(hash, key, Value::Gone, ends_at, version);
        });
        Ok(())
    }

    /// What another node has written, unless what is here was written later. Of two that were written at once, all
    /// nodes choose the same. `None`: it was deleted.
    pub(in crate::state) fn heard(
        &self,
        key: &str,
        value: Option<Value>,
        ttl_ms: u64,
        version: u64,
        now: u64,
    ) {
        self.heard_over(key, value, ttl_ms, version, now, |_| true);
    }

    /// The same of a counter that is not known to be more right than the one that is here, if there is one.
    pub(in crate::state) fn heard_of_counter(
        &self,
        key: &str,
        counter: Value,
        ttl_ms: u64,
        version: u64,
        now: u64,
    ) {
        let is_none = |known: &Value| !matches!(known, Value::Counter(_));
        self.heard_over(key, Some(counter), ttl_ms, version, now, is_none);
    }

    fn heard_over(
        &self,
        key: &str,
        value: Option<Value>,
        ttl_ms: u64,
        version: u64,
        now: u64,
        gives_way: impl FnOnce(&Value) -> bool,
    ) {
        let is_sound = |value: &Value| match value {
            Value::Bytes(bytes) => bytes.len() <= MAX_VALUE,
            Value::Counter(_) | Value::Gone => true,
        };
        if check_key(key).is_err() || !value.as_ref().is_none_or(is_sound) {
            return;
        }
        let (value, ends_at) = match value {
            Some(value) => (value, end(ttl_ms, now)),
            None => (Value::Gone, now.saturating_add(BURIED_MS)),
        };
        self.put_in_shard(key, now, |shard, hash| {
            let is_newer = shard.known(hash, key, now).is_none_or(|known| {
                (known.version, known.value.clone().into_bytes())
                    < (version, value.clone().into_bytes())
                    && gives_way(&known.value)
            });
            if is_newer {
                shard.put(hash, key, value, ends_at, version);
            }
        });
    }

    /// What a counter is elsewhere, in place of what it is here, unless that is no counter or was deleted later.
    pub(in crate::state) fn recount(
        &self,
        key: &str,
        counter: Value,
        ttl_ms: u64,
        version: u64,
        now: u64,
    ) {
        if check_key(key).is_err() {
            return;
        }
        self.put_in_shard(key, now, |shard, hash| {
            let stands = |known: &mut Entry| match known.value {
                Value::Counter(_) => false,
                Value::Bytes(_) | Value::Gone => known.version > version,
            };
            let known = shard.known(hash, key, now);
            let version = known.as_ref().map_or(0, |known| known.version).max(version);
            if !known.is_some_and(stands) {
                shard.put(hash, key, counter, end(ttl_ms, now), version);
            }
        });
    }

    /// What another node has added to a counter.
    pub(in crate::state) fn heard_add(
        &self,
        key: &str,
        by: i64,
        ttl_ms: u64,
        version: u64,
        now: u64,
    ) {
        if check_key(key).is_err() {
            return;
        }
        self.put_in_shard(key, now, |shard, hash| {
            let is_over = |known: &mut Entry| match known.value {
                // It belongs to what was deleted after it.
                Value::Gone => known.version > version,
                Value::Counter(_) | Value::Bytes(_) => false,
            };
            if !shard.known(hash, key, now).is_some_and(is_over) {
                // What is no counter here, or full, stays: the values of both nodes meet by their versions.
                let _ = shard.add(hash, key, by, end(ttl_ms, now), version, now);
            }
        });
    }

    /// Up to so many entries whose keys come after `after`, in order, those included that were deleted.
    pub(in crate::state) fn after(
        &self,
        after: &str,
        most: usize,
        now: u64,
    ) -> Vec<(Arc<str>, Entry)> {
        let mut first = BTreeMap::new();
        for shard in &self.shards {
            for (key, entry) in shard.lock().iter_keys() {
                if entry.ends_at <= now || **key <= *after {
                    continue;
                }
                if first.len() >= most {
                    match first.last_key_value() {
                        Some((last, _)) if key < last => first.pop_last(),
                        _ => continue,
                    };
                }
                first.insert(Arc::clone(key), entry.clone());
            }
        }
        first.into_iter().collect()
    }

    /// The entry of a key as it is, also of one that was deleted.
    pub(in crate::state) fn known(&self, key: &str, now: u64) -> Option<Entry> {
        let hash = self.hasher.hash_one(key);
        self.in_shard(self.index(hash), |shard| {
            shard.known(hash, key, now).map(|entry| entry.clone())
        })
    }
}
