//! The state of a policy, for support: what there is, and how to be rid of it.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::bucket::Cell;
use super::entries::{Entry, Value};
use super::shard::Key;
use super::{Millis, Part, PolicyState, SubjectKey};

/// Values that are longer, or no text, are not shown.
const MAX_SHOWN: usize = 256;

/// Which buckets and entries are meant: those that pass both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// What the name of a bucket, or the key of an entry, begins with.
    pub prefix: String,
    /// Whom a bucket counts. Entries count nobody, so no entry is meant.
    pub subject: Option<SubjectKey>,
}

/// A part of a policy's state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PolicyState")]
pub(crate) struct Shown {
    /// How many buckets and entries pass the filter; what is listed are the first of each, by name.
    pub matched: usize,
    pub buckets: Vec<ShownBucket>,
    pub entries: Vec<ShownEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ShownBucket {
    pub bucket: Arc<str>,
    pub subject: String,
    pub scope: ShownScope,
    /// What could be taken at once, by the rule of the last take.
    pub remaining: u32,
    /// When it is as if nothing had ever been taken; `None`: never.
    pub recovers_ms: Option<u64>,
}

/// Whose state it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ShownScope {
    Node,
    Cluster,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ShownEntry {
    pub key: String,
    pub scope: ShownScope,
    pub kind: &'static str,
    /// Of the value.
    pub bytes: usize,
    /// `None`: without end.
    pub ttl_ms: Option<u64>,
    /// `None`: it is no text, or a long one.
    pub value: Option<String>,
}

impl PolicyState {
    /// What passes the filter at this moment, at most `limit` of the buckets and of the entries. Nothing counts as
    /// used by being shown.
    pub(crate) fn show(&self, filter: &Filter, limit: usize, now: Millis) -> Shown {
        let mut buckets = First::new(limit);
        let mut entries = First::new(limit);
        for (scope, part) in self.parts() {
            for shard in &part.shards {
                for (key, cell) in shard.lock().iter() {
                    if cell.recovers_at() > now.0 && filter.means_bucket(key) {
                        let key = (Arc::clone(&key.bucket), key.subject.clone(), scope);
                        buckets.offer(&key, || Left::of(cell, now));
                    }
                }
            }
            if filter.means_entries() {
                part.entries.for_each(now.0, |key, entry| {
                    if key.starts_with(&filter.prefix) {
                        entries.offer(&(key.to_owned(), scope), || entry.clone());
                    }
                });
            }
        }
        let shown = |(key, entry)| ShownEntry::new(key, entry, now);
        Shown {
            matched: buckets.seen + entries.seen,
            buckets: buckets.kept.into_iter().map(ShownBucket::from).collect(),
            entries: entries.kept.into_iter().map(shown).collect(),
        }
    }

    /// Drops what passes the filter, and says how much of it there was.
    pub(crate) fn clear(&self, filter: &Filter, now: Millis) -> usize {
        let mut cleared = 0;
        for (_, part) in self.parts() {
            for shard in &part.shards {
                let mut shard = shard.lock();
                cleared += shard.clear(|key| filter.means_bucket(key), now.0);
            }
            if filter.means_entries() {
                cleared += part.entries.clear(&filter.prefix, now.0);
            }
        }
        cleared
    }

    fn parts(&self) -> impl Iterator<Item = (ShownScope, &Part)> {
        let shared = self.shared.get().map(|shared| &shared.part);
        [(ShownScope::Node, &self.own)]
            .into_iter()
            .chain(shared.map(|part| (ShownScope::Cluster, part)))
    }
}

// === impl Filter ===

impl Filter {
    fn means_bucket(&self, key: &Key) -> bool {
        key.bucket.starts_with(&self.prefix)
            && self
                .subject
                .as_ref()
                .is_none_or(|subject| *subject == key.subject)
    }

    fn means_entries(&self) -> bool {
        self.subject.is_none()
    }
}

/// What is left in a bucket.
struct Left {
    remaining: u32,
    recovers_ms: Option<u64>,
}

impl Left {
    fn of(cell: &Cell, now: Millis) -> Self {
        Self {
            remaining: cell.remaining(now.0),
            recovers_ms: until(cell.recovers_at(), now),
        }
    }
}

// === impl ShownBucket ===

impl From<((Arc<str>, SubjectKey, ShownScope), Left)> for ShownBucket {
    fn from(((bucket, subject, scope), left): ((Arc<str>, SubjectKey, ShownScope), Left)) -> Self {
        Self {
            bucket,
            subject: subject.to_string(),
            scope,
            remaining: left.remaining,
            recovers_ms: left.recovers_ms,
        }
    }
}

// === impl ShownEntry ===

impl ShownEntry {
    fn new((key, scope): (String, ShownScope), entry: Entry, now: Millis) -> Self {
        let kind = match entry.value {
            Value::Counter(_) => "counter",
            Value::Bytes(_) | Value::Gone => "value",
        };
        let value = entry.value.into_bytes();
        let text = std::str::from_utf8(&value).ok();
        Self {
            key,
            scope,
            kind,
            bytes: value.len(),
            ttl_ms: until(entry.ends_at, now),
            value: text
                .filter(|text| text.len() <= MAX_SHOWN)
                .map(ToOwned::to_owned),
        }
    }
}

fn until(end: u64, now: Millis) -> Option<u64> {
    (end != u64::MAX).then(|| end.saturating_sub(now.0))
}

/// The first in order of many that come in none, so that an answer is the same each time and no larger than asked.
struct First<K, V> {
    limit: usize,
    seen: usize,
    kept: BTreeMap<K, V>,
}

impl<K: Ord, V> First<K, V> {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            seen: 0,
            kept: BTreeMap::new(),
        }
    }

    fn offer<Q>(&mut self, key: &Q, value: impl FnOnce() -> V)
    where
        Q: Ord + ToOwned<Owned = K> + ?Sized,
        K: Borrow<Q>,
    {
        self.seen += 1;
        if self.kept.len() >= self.limit {
            match self.kept.last_key_value() {
                Some((last, _)) if key < last.borrow() => self.kept.pop_last(),
                _ => return,
            };
        }
        self.kept.insert(key.to_owned(), value());
    }
}
