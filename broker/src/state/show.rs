//! The state of a policy, for support: what there is, and how to be rid of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

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

/// Where the lists go on: behind these, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct After {
    bucket: Option<(Arc<str>, Subject, ShownScope)>,
    entry: Option<(String, ShownScope)>,
}

/// Whom a bucket counts, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Subject(SubjectKey);

/// A part of a policy's state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PolicyState")]
pub(crate) struct Shown {
    /// How many buckets and entries pass the filter; what is listed are the first of each, by name.
    pub matched: usize,
    /// Where the lists go on, if there is more of one of them.
    #[serde(skip)]
    pub next: Option<After>,
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
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
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
    /// What passes the filter at this moment, at most `limit` of the buckets and of the entries behind `after`. Nothing
    /// counts as used by being shown.
    pub(crate) fn show(&self, filter: &Filter, after: &After, limit: usize, now: Millis) -> Shown {
        let mut buckets = First::new(limit, after.bucket.as_ref());
        let mut entries = First::new(limit, after.entry.as_ref());
        for (scope, part) in self.parts() {
            for shard in &part.shards {
                for (key, cell) in shard.lock().iter() {
                    if cell.recovers_at() > now.0 && filter.means_bucket(key) {
                        let subject = Subject(key.subject.clone());
                        let key = (Arc::clone(&key.bucket), subject, scope);
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
            next: (buckets.is_cut || entries.is_cut).then(|| After {
                bucket: buckets.last(),
                entry: entries.last(),
            }),
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

// === impl Subject ===

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
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

impl From<((Arc<str>, Subject, ShownScope), Left)> for ShownBucket {
    fn from(
        ((bucket, Subject(subject), scope), left): ((Arc<str>, Subject, ShownScope), Left),
    ) -> Self {
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

/// The first in order of many that come in none, behind what was shown before: so that an answer is the same each time and no
/// larger than asked.
struct First<'a, K, V> {
    limit: usize,
    after: Option<&'a K>,
    seen: usize,
    /// There is more than is kept.
    is_cut: bool,
    kept: BTreeMap<K, V>,
}

impl<'a, K: Ord + Clone, V> First<'a, K, V> {
    fn new(limit: usize, after: Option<&'a K>) -> Self {
        Self {
            limit,
            after,
            seen: 0,
            is_cut: false,
            kept: BTreeMap::new(),
        }
    }

    fn offer(&mut self, key: &K, value: impl FnOnce() -> V) {
        self.seen += 1;
        if self.after.is_some_and(|after| key <= after) {
            return;
        }
        if self.kept.len() >= self.limit {
            self.is_cut = true;
            match self.kept.last_key_value() {
                Some((last, _)) if key < last => self.kept.pop_last(),
                _ => return,
            };
        }
        self.kept.insert(key.clone(), value());
    }

    /// Behind what it goes on.
    fn last(&self) -> Option<K> {
        let last = self.kept.last_key_value().map(|(key, _)| key);
        last.or(self.after).cloned()
    }
}
