//! Gathering, with the time as it is told.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Instant;

use super::Load;
use crate::config::Batch;
use crate::telemetry::metrics::{BatchEnd, metrics};

/// Keys are made of names that clients choose.
const MAX_OPEN: usize = 16_384;

/// What is gathered at a time.
const MAX_BYTES: usize = 64 << 20;

/// More of it would keep others' events waiting on a client's connection. It is less than NATS takes, too.
const MAX_BYTES_OF_ONE: usize = 256 << 10;

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Batches at a time.
    pub open: usize,
    /// Bytes of all of them.
    pub bytes: usize,
    /// Bytes of one.
    pub of_one: usize,
}

/// The batches that are open.
pub(super) struct Open<K, L> {
    batches: HashMap<K, One<L>, foldhash::quality::RandomState>,
    /// When which window ends.
    ends: BTreeMap<(Instant, u64), K>,
    /// Tells batches apart that end at the same moment.
    next: u64,
    bytes: usize,
    limits: Limits,
    is_closed: bool,
    /// When somebody looks for what is due.
    looks: Option<Instant>,
}

struct One<L> {
    load: L,
    items: usize,
    bytes: usize,
    end: (Instant, u64),
}

// === impl Limits ===

impl Limits {
    pub(super) fn of(max_bytes: usize) -> Self {
        Self {
            open: MAX_OPEN,
            bytes: MAX_BYTES,
            of_one: max_bytes.min(MAX_BYTES_OF_ONE),
        }
    }
}

// === impl Open ===

impl<K: Clone + Eq + Hash, L: Load> Open<K, L> {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            batches: HashMap::default(),
            ends: BTreeMap::new(),
            next: 0,
            bytes: 0,
            limits,
            is_closed: false,
            looks: None,
        }
    }

    /// True: it is due before anyone looks.
    pub(super) fn add(
        &mut self,
        key: K,
        item: L::Item,
        batch: Batch,
        now: Instant,
        out: &mut impl FnMut(&K, L, BatchEnd),
    ) -> bool {
        let weight = L::weight(&item);
        let is_apart = self.batches.get(&key).is_some_and(|one| {
            one.bytes + weight > self.limits.of_one || !one.load.goes_with(&item)
        });
        if is_apart {
            self.take(&key, BatchEnd::Full, out);
        }
        if let Some(one) = self.batches.get_mut(&key) {
            one.add(item, weight);
            metrics().traffic.batching.inc();
            self.bytes += weight;
            if one.items >= batch.max {
                self.take(&key, BatchEnd::Full, out);
            } else if self.bytes > self.limits.bytes {
                self.take(&key, BatchEnd::Crowded, out);
            }
            return false;
        }
        let is_crowded =
            self.batches.len() >= self.limits.open || self.bytes + weight > self.limits.bytes;
        let alone = match () {
            () if self.is_closed => Some(BatchEnd::Flushed),
            () if batch.max <= 1 => Some(BatchEnd::Full),
            () if is_crowded => Some(BatchEnd::Crowded),
            () => None,
        };
        if let Some(end) = alone {
            let mut load = L::default();
            load.add(item);
            out(&key, load, end);
            return false;
        }
        self.begin(key, item, weight, now + batch.window)
    }

    fn begin(&mut self, key: K, item: L::Item, weight: usize, at: Instant) -> bool {
        let end = (at, self.next);
        self.next += 1;
        let mut one = One {
            load: L::default(),
            items: 0,
            bytes: 0,
            end,
        };
        one.add(item, weight);
        metrics().traffic.batching.inc();
        self.bytes += weight;
        self.ends.insert(end, key.clone());
        self.batches.insert(key, one);
        let is_earlier = self.looks.is_none_or(|looks| at < looks);
        if is_earlier {
            self.looks = Some(at);
        }
        is_earlier
    }

    /// Hands over the batches whose windows have ended, the earliest first, and says when to look again.
    pub(super) fn due(
        &mut self,
        now: Instant,
        out: &mut impl FnMut(&K, L, BatchEnd),
    ) -> Option<Instant> {
        while let Some((&(at, _), key)) = self.ends.first_key_value() {
            if at > now {
                self.looks = Some(at);
                return self.looks;
            }
            let key = key.clone();
            self.take(&key, BatchEnd::Window, out);
        }
        self.looks = None;
        None
    }

    pub(super) fn flush(&mut self, out: &mut impl FnMut(&K, L, BatchEnd)) {
        while let Some((_, key)) = self.ends.first_key_value() {
            let key = key.clone();
            self.take(&key, BatchEnd::Flushed, out);
        }
    }

    pub(super) fn close(&mut self, out: &mut impl FnMut(&K, L, BatchEnd)) {
        self.is_closed = true;
        self.flush(out);
    }

    fn take(&mut self, key: &K, end: BatchEnd, out: &mut impl FnMut(&K, L, BatchEnd)) {
        if let Some(one) = self.batches.remove(key) {
            self.ends.remove(&one.end);
            self.bytes -= one.bytes;
            let items = i64::try_from(one.items).unwrap_or(i64::MAX);
            metrics().traffic.batching.dec_by(items);
            out(key, one.load, end);
        }
    }
}

impl<L: Load> One<L> {
    fn add(&mut self, item: L::Item, weight: usize) {
        self.load.add(item);
        self.items += 1;
        self.bytes += weight;
    }
}
