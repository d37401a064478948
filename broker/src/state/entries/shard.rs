//! A part of a policy's entries behind one lock: by key, by when they were used, and by when they end.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use hashlink::LinkedHashMap;
use hashlink::linked_hash_map::RawEntryMut;

use super::{OVERHEAD, StoreError};

/// The end of what has none.
pub(super) const NEVER: u64 = u64::MAX;

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub value: Value,
    /// From then on it is not there.
    pub ends_at: u64,
    /// Of what all nodes share: when it was written, by the clock of [`Standing`](crate::state::Standing). Else 0.
    pub version: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Counter(i64),
    Bytes(Bytes),
    /// It was deleted, and a node that does not know yet must not bring it back.
    Gone,
}

#[derive(Debug)]
pub(super) struct Shard {
    /// What was used longest ago is in front.
    entries: LinkedHashMap<Arc<str>, Entry, foldhash::quality::RandomState>,
    /// Those that end, soonest first.
    ends: BTreeSet<(u64, Arc<str>)>,
    bytes: usize,
}

// === impl Value ===

impl Value {
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Counter(number) => number.to_string().as_bytes() == bytes,
            Self::Bytes(own) => own == bytes,
            Self::Gone => false,
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Counter(number) => Bytes::from(number.to_string()),
            Self::Bytes(bytes) => bytes,
            Self::Gone => Bytes::new(),
        }
    }

    /// A counter that was read and swapped is text, and still a counter.
    fn number(&self) -> Option<i64> {
        match self {
            Self::Counter(number) => Some(*number),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            Self::Gone => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Counter(_) => size_of::<i64>(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Gone => 0,
        }
    }
}

// === impl Shard ===

impl Shard {
    pub(super) fn new(hasher: foldhash::quality::RandomState) -> Self {
        Self {
            entries: LinkedHashMap::with_hasher(hasher),
            ends: BTreeSet::new(),
            bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn ends(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(key, entry)| (&**key, entry))
    }

    pub(super) fn iter_keys(&self) -> impl Iterator<Item = (&Arc<str>, &Entry)> {
        self.entries.iter()
    }

    /// The entry, which counts as used.
    pub(super) fn live(&mut self, hash: u64, key: &str, now: u64) -> Option<&mut Entry> {
        let known = self.known(hash, key, now)?;
        (!matches!(known.value, Value::Gone)).then_some(known)
    }

    /// The entry, also one that was deleted.
    pub(super) fn known(&mut self, hash: u64, key: &str, now: u64) -> Option<&mut Entry> {
        let found = self.entries.raw_entry_mut();
        let RawEntryMut::Occupied(mut found) = found.from_key_hashed_nocheck(hash, key) else {
            return None;
        };
        if found.get().ends_at <= now {
            let (key, entry) = found.remove_entry();
            self.bytes -= size(&key, &entry.value);
            self.ends.remove(&(entry.ends_at, key));
            return None;
        }
        found.to_back();
        Some(found.into_mut())
    }

    pub(super) fn add(
        &mut self,
        hash: u64,
        key: &str,
        by: i64,
        ends_at: u64,
        version: u64,
        now: u64,
    ) -> Result<i64, StoreError> {
        let Some(entry) = self.live(hash, key, now) else {
            self.put(hash, key, Value::Counter(by), ends_at, version);
            return Ok(by);
        };
        let number = entry.value.number().ok_or(StoreError::NotACounter)?;
        let sum = number.checked_add(by).ok_or(StoreError::Overflow)?;
        let before = entry.value.len();
        entry.value = Value::Counter(sum);
        entry.version = entry.version.max(version);
        let after = entry.value.len();
        self.bytes = self.bytes - before + after;
        Ok(sum)
    }

    pub(super) fn put(&mut self, hash: u64, key: &str, value: Value, ends_at: u64, version: u64) {
        let entry = |value| Entry {
            value,
            ends_at,
            version,
        };
        let found = self.entries.raw_entry_mut();
        match found.from_key_hashed_nocheck(hash, key) {
            RawEntryMut::Occupied(mut found) => {
                found.to_back();
                let (key, there) = found.get_key_value_mut();
                if there.ends_at != ends_at {
                    self.ends.remove(&(there.ends_at, Arc::clone(key)));
                    begin(&mut self.ends, ends_at, key);
                }
                self.bytes = self.bytes - there.value.len() + value.len();
                *there = entry(value);
            }
            RawEntryMut::Vacant(place) => {
                let key = Arc::from(key);
                begin(&mut self.ends, ends_at, &key);
                self.bytes += size(&key, &value);
                place.insert_hashed_nocheck(hash, key, entry(value));
            }
        }
    }

    pub(super) fn remove(&mut self, hash: u64, key: &str) {
        let found = self.entries.raw_entry_mut();
        if let RawEntryMut::Occupied(found) = found.from_key_hashed_nocheck(hash, key) {
            let (key, entry) = found.remove_entry();
            self.forget(key, &entry);
        }
    }

    /// Frees at most so many entries that have expired, and says how many.
    pub(super) fn free_expired(&mut self, max: usize, now: u64) -> usize {
        for freed in 0..max {
            match self.ends.first() {
                Some((ends_at, _)) if *ends_at <= now => {}
                _ => return freed,
            }
            let Some((_, key)) = self.ends.pop_first() else {
                return freed;
            };
            if let Some(entry) = self.entries.remove(&key) {
                self.bytes -= size(&key, &entry.value);
            }
        }
        max
    }

    /// Makes room for one: of what has expired, or else of what was used longest ago. True if that was alive.
    pub(super) fn evict(&mut self, now: u64) -> bool {
        if self.free_expired(1, now) == 1 {
            return false;
        }
        let Some((key, entry)) = self.entries.pop_front() else {
            return false;
        };
        self.forget(key, &entry);
        true
    }

    pub(super) fn clear(&mut self, prefix: &str) -> usize {
        let before = self.entries.len();
        let (ends, bytes) = (&mut self.ends, &mut self.bytes);
        self.entries.retain(|key, entry| {
            let stays = !key.starts_with(prefix);
            if !stays {
                *bytes -= size(key, &entry.value);
                ends.remove(&(entry.ends_at, Arc::clone(key)));
            }
            stays
        });
        self.entries.shrink_to_fit();
        before - self.entries.len()
    }

    fn forget(&mut self, key: Arc<str>, entry: &Entry) {
        self.bytes -= size(&key, &entry.value);
        if entry.ends_at != NEVER {
            self.ends.remove(&(entry.ends_at, key));
        }
    }
}

fn begin(ends: &mut BTreeSet<(u64, Arc<str>)>, ends_at: u64, key: &Arc<str>) {
    if ends_at != NEVER {
        ends.insert((ends_at, Arc::clone(key)));
    }
}

fn size(key: &str, value: &Value) -> usize {
    key.len() + value.len() + OVERHEAD
}
