//! A part of a policy's buckets behind one lock, and what happens when it is full.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::map::RawEntryApiV1;
use indexmap::map::raw_entry_v1::RawEntryMut;
use indexmap::{Equivalent, IndexMap};

use super::bucket::{BucketRule, Cell, Decision};
use super::subject::{SubjectKey, SubjectRef};
use super::window::Stamp;

/// Keys looked at by an insertion, so that recovered ones go as fast as new ones come, without a task that sweeps.
const SWEPT: usize = 2;

/// Keys looked at for one to evict, once there is no room.
const CANDIDATES: usize = 16;

/// Time stamps of windows that a shard keeps exactly; with more, the windows that want another are kept coarsely
/// (see [`Cell::take`]). 4 million stamps a policy, 64 MB.
const MAX_STAMPS: usize = 131_072;

/// Keys of a shard whose takes wait to be told; 65,536 a policy.
const MAX_UNTOLD: usize = 2048;

/// Bytes of a key, its cell, its hash and its place in the table.
const CELL: usize = size_of::<Key>() + size_of::<Cell>() + 2 * size_of::<usize>();

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub bucket: Arc<str>,
    pub subject: SubjectKey,
}

/// A [`Key`] that is only borrowed: hashes and compares the same, and costs no reference count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct KeyRef<'a> {
    pub bucket: &'a Arc<str>,
    pub subject: SubjectRef<'a>,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        (Arc::ptr_eq(self.bucket, &key.bucket) || *self.bucket == key.bucket)
            && self.subject == key.subject.as_ref()
    }
}

#[derive(Debug)]
pub(super) struct Shard {
    cells: IndexMap<Key, Cell, foldhash::quality::RandomState>,
    capacity: usize,
    /// Where the next look for recovered keys begins.
    hand: usize,
    stamps: usize,
    evicted: u64,
    /// What was taken here and other nodes have not been told.
    untold: HashMap<Key, Untold>,
    /// Takes that nobody will be told of, for want of room.
    forgotten: u64,
}

/// Takes of one key, and the rule by which they were made.
#[derive(Debug)]
pub(super) struct Untold {
    pub count: u32,
    pub rule: BucketRule,
}

// === impl Shard ===

impl Shard {
    pub(super) fn new(capacity: usize, hasher: foldhash::quality::RandomState) -> Self {
        Self {
            cells: IndexMap::with_hasher(hasher),
            capacity: capacity.max(1),
            hand: 0,
            stamps: 0,
            evicted: 0,
            untold: HashMap::new(),
            forgotten: 0,
        }
    }

    /// The decision, and whether the key is new.
    pub(super) fn take(
        &mut self,
        hash: u64,
        key: KeyRef<'_>,
        rule: &BucketRule,
        cost: u32,
        now: u64,
    ) -> (Decision, bool) {
        let tight = self.stamps >= MAX_STAMPS;
        if let RawEntryMut::Occupied(mut entry) = self
            .cells
            .raw_entry_mut_v1()
            .from_key_hashed_nocheck(hash, &key)
        {
            let cell = entry.get_mut();
            let before = cell.stamps();
            let decision = cell.take(rule, cost, now, tight);
            self.stamps = self.stamps + cell.stamps() - before;
            return (decision, false);
        }
        let mut cell = Cell::new(rule, now);
        let decision = cell.take(rule, cost, now, tight);
        if cost == 0 || !decision.allowed {
            // Nothing was taken, so there is nothing to remember.
            return (decision, false);
        }
        self.make_room(now);
        self.stamps += cell.stamps();
        if let RawEntryMut::Vacant(entry) = self
            .cells
            .raw_entry_mut_v1()
            .from_key_hashed_nocheck(hash, &key)
        {
            entry.insert_hashed_nocheck(hash, key.into(), cell);
        }
        (decision, true)
    }

    /// Notes a take for the other nodes. `rule` is that of all of them together.
    pub(super) fn tell_later(&mut self, key: KeyRef<'_>, rule: &BucketRule, cost: u32) {
        if self.untold.len() >= MAX_UNTOLD {
            self.forgotten += u64::from(cost);
            return;
        }
        let untold = self.untold.entry(key.into()).or_insert_with(|| Untold {
            count: 0,
            rule: rule.clone(),
        });
        untold.count = untold.count.saturating_add(cost);
    }

    /// What other nodes are to be told, and how many takes have been forgotten since the last time.
    pub(super) fn take_untold(&mut self) -> (HashMap<Key, Untold>, u64) {
        (
            std::mem::take(&mut self.untold),
            std::mem::take(&mut self.forgotten),
        )
    }

    /// Takes what another node has taken already; see [`Cell::debit`].
    pub(super) fn debit(
        &mut self,
        key: KeyRef<'_>,
        rule: &BucketRule,
        count: u32,
        most: u32,
        now: u64,
    ) {
        if let Some(cell) = self.cells.get_mut(&key) {
            let before = cell.stamps();
            cell.debit(rule, count, most, now);
            self.stamps = self.stamps + cell.stamps() - before;
            return;
        }
        self.make_room(now);
        let mut cell = Cell::new(rule, now);
        cell.debit(rule, count, most, now);
        self.stamps += cell.stamps();
        self.cells.insert(key.into(), cell);
    }

    pub(super) fn remove(&mut self, key: KeyRef<'_>) {
        if let Some(cell) = self.cells.swap_remove(&key) {
            self.stamps -= cell.stamps();
        }
    }

    /// Drops the keys that are meant, and says how many of them had not recovered.
    pub(super) fn clear(&mut self, means: impl Fn(&Key) -> bool, now: u64) -> usize {
        let mut cleared = 0;
        let stamps = &mut self.stamps;
        self.cells.retain(|key, cell| {
            let goes = means(key);
            if goes {
                *stamps -= cell.stamps();
                cleared += usize::from(cell.recovers_at() > now);
            }
            !goes
        });
        cleared
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Cell)> {
        self.cells.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// What the cells take of memory, without the names of their subjects.
    pub(super) fn bytes(&self) -> usize {
        self.cells.len() * CELL + self.stamps * size_of::<Stamp>()
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    #[cfg(test)]
    pub(super) fn stamps(&self) -> usize {
        self.stamps
    }

    fn make_room(&mut self, now: u64) {
        let full = self.cells.len() >= self.capacity;
        let mut nearest: Option<(u64, usize)> = None;
        for _ in 0..if full { CANDIDATES } else { SWEPT } {
            if self.hand >= self.cells.len() {
                self.hand = 0;
            }
            let Some((_, cell)) = self.cells.get_index(self.hand) else {
                return;
            };
            let recovers = cell.recovers_at();
            if recovers <= now {
                // The last one takes its place, so the hand stays.
                self.remove_index(self.hand);
                if full {
                    return;
                }
                continue;
            }
            if nearest.is_none_or(|(at, _)| recovers < at) {
                nearest = Some((recovers, self.hand));
            }
            self.hand += 1;
        }
        if let (true, Some((_, index))) = (full, nearest) {
            self.remove_index(index);
            self.evicted += 1;
        }
    }

    fn remove_index(&mut self, index: usize) {
        if let Some((_, cell)) = self.cells.swap_remove_index(index) {
            self.stamps -= cell.stamps();
        }
    }
}
