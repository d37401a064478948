//! What a policy's nodes share: buckets, counters and values that are kept here as if the node were alone, and what
//! the others have not been told of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::bucket::{BucketRule, Decision};
use super::entries::{StoreError, Value};
use super::news::Written;
use super::part::Part;
use super::standing::Standing;
use super::{Millis, SubjectRef};

/// Keys that wait to be told. What is over is not told until it is written again.
const MAX_CHANGED: usize = 16_384;

/// The cluster's state of one policy, on one node.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) part: Part,
    standing: Arc<Standing>,
    changed: Mutex<Changed>,
}

/// What other nodes are to be told of entries.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// Values, which are read when they are told: only the newest matters.
    pub keys: HashSet<Arc<str>>,
    pub added: HashMap<Arc<str>, Added>,
    pub forgotten: u64,
}

/// What was added to a counter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Added {
    pub by: i64,
    pub ttl_ms: u64,
    pub version: u64,
}

impl Shared {
    pub(super) fn new(part: Part, standing: Arc<Standing>) -> Self {
        Self {
            part,
            standing,
            changed: Mutex::default(),
        }
    }

    /// As [`Part::take`]. Of the nodes that do not all hear each other, each keeps to its part of the rule.
    pub(super) fn take(
        &self,
        rule: &BucketRule,
        subject: SubjectRef<'_>,
        cost: u32,
        now: Millis,
    ) -> Decision {
        // A socket is on one node.
        if matches!(subject, SubjectRef::Socket(_)) {
            return self.part.take(rule, subject, cost, now);
        }
        let told = self.standing.tells().then_some(rule);
        match self.standing.part() {
            None => self.part.take_and_tell(rule, subject, cost, now, told),
            Some((live, all)) => {
                let own = rule.part(live, all);
                self.part.take_and_tell(&own, subject, cost, now, told)
            }
        }
    }

    pub(crate) fn add(
        &self,
        key: &str,
        by: i64,
        ttl_ms: u64,
        now: Millis,
    ) -> Result<i64, StoreError> {
        let version = self.standing.version();
        let entries = &self.part.entries;
        // Both under one lock, so that nobody who is given the sum is also told of this.
        let mut changed = self.changed.lock();
        let sum = entries.add(key, by, ttl_ms, version, now.0)?;
        if self.standing.is_shared() {
            changed.add(key, by, ttl_ms, version);
        }
        Ok(sum)
    }

    pub(crate) fn get(&self, key: &str, now: Millis) -> Result<Option<Bytes>, StoreError> {
        self.part.get(key, now)
    }

    pub(crate) fn set(
        &self,
        key: &str,
        value: &[u8],
        ttl_ms: u64,
        now: Millis,
    ) -> Result<(), StoreError> {
        let version = self.standing.version();
        let entries = &self.part.entries;
        entries.set(key, value, ttl_ms, version, now.0)?;
        self.tell_later(key);
        Ok(())
    }

    /// Compares with what this node knows.
    pub(crate) fn compare_and_swap(
        &self,
        key: &str,
        old: Option<&[u8]>,
        new: &[u8],
        ttl_ms: u64,
        now: Millis,
    ) -> Result<bool, StoreError> {
        let version = self.standing.version();
        let entries = &self.part.entries;
        let swapped = entries.compare_and_swap(key, old, new, ttl_ms, version, now.0)?;
        if swapped {
            self.tell_later(key);
        }
        Ok(swapped)
    }

    pub(crate) fn delete(&self, key: &str, now: Millis) -> Result<(), StoreError> {
        let version = self.standing.version();
        self.part.entries.bury(key, version, now.0)?;
        self.tell_later(key);
        Ok(())
    }

    /// A counter of another node, from which this one counts on; see [`Gossip::take_over`](super::Gossip::take_over).
    pub(super) fn count_from(&self, key: &str, number: i64, written: &Written, now: Millis) {
        let changed = self.changed.lock();
        let own = changed.added.get(key).map_or(0, |added| added.by);
        let number = Value::Counter(number.saturating_add(own));
        let entries = &self.part.entries;
        entries.recount(key, number, written.ttl_ms, written.version, now.0);
    }

    /// A counter of a node that may have missed as much as this one: each has what it has added itself.
    pub(super) fn count_unless_counted(
        &self,
        key: &str,
        number: i64,
        written: &Written,
        now: Millis,
    ) {
        let number = Value::Counter(number);
        let entries = &self.part.entries;
        entries.heard_of_counter(key, number, written.ttl_ms, written.version, now.0);
    }

    fn tell_later(&self, key: &str) {
        if self.standing.is_shared() {
            self.changed.lock().write(key);
        }
    }

    pub(super) fn changed(&self) -> &Mutex<Changed> {
        &self.changed
    }
}

// === impl Changed ===

impl Changed {
    fn write(&mut self, key: &str) {
        // What was added before it is part of what is written, or overwritten.
        self.added.remove(key);
        if self.keys.contains(key) {
            return;
        }
        if self.keys.len() >= MAX_CHANGED {
            self.forgotten += 1;
            return;
        }
        self.keys.insert(key.into());
    }

    fn add(&mut self, key: &str, by: i64, ttl_ms: u64, version: u64) {
        if let Some(added) = self.added.get_mut(key) {
            added.by = added.by.saturating_add(by);
            added.version = version;
            return;
        }
        if self.keys.contains(key) {
            // Its value is read with this in it.
            return;
        }
        if self.added.len() >= MAX_CHANGED {
            self.forgotten += 1;
            return;
        }
        let added = Added {
            by,
            ttl_ms,
            version,
        };
        self.added.insert(key.into(), added);
    }
}
