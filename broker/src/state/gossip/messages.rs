//! From what has changed to messages of a size that is carried.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{BYTES, ITEMS};
use crate::state::Millis;
use crate::state::bucket::BucketRule;
use crate::state::entries::{Entry, Value};
use crate::state::news::{Addition, News, OfBucket, OfPolicy, Written};
use crate::state::shared::Shared;

/// Messages at a time. What is left over waits for the next.
const MESSAGES: usize = 8;

/// Messages that are being written.
#[derive(Default)]
pub(super) struct Messages {
    pub(super) done: Vec<News>,
    items: usize,
    bytes: usize,
}

impl Messages {
    fn has_room(&self) -> bool {
        self.done.len() < MESSAGES || (self.items < ITEMS && self.bytes < BYTES)
    }

    /// The policy's part of a message that has room for one thing more.
    fn part(&mut self, policy: &Arc<str>, bytes: usize) -> Option<&mut OfPolicy> {
        let is_full = self.items >= ITEMS || self.bytes + bytes > BYTES && self.items > 0;
        if self.done.is_empty() || is_full {
            self.done.push(News::default());
            (self.items, self.bytes) = (0, 0);
        }
        self.items += 1;
        self.bytes += bytes;
        let policies = &mut self.done.last_mut()?.policies;
        if policies.last().is_none_or(|last| last.policy != **policy) {
            policies.push(OfPolicy {
                policy: policy.to_string(),
                ..OfPolicy::default()
            });
        }
        policies.last_mut()
    }
}

/// Takes, of which all that were noted are told; says how many were not.
pub(super) fn takes(messages: &mut Messages, policy: &Arc<str>, shared: &Shared) -> u64 {
    let mut forgotten = 0;
    for shard in &shared.part.shards {
        // Told as a whole: there are no more than a few messages of them.
        let (untold, missing) = shard.lock().take_untold();
        forgotten += missing;
        let mut by_bucket: BTreeMap<Arc<str>, Vec<_>> = BTreeMap::new();
        for (key, untold) in untold {
            let bucket = by_bucket.entry(key.bucket).or_default();
            bucket.push((key.subject, untold));
        }
        for (name, keys) in by_bucket {
            for (subject, untold) in keys {
                let subject = subject.to_string();
                if let Some(part) = messages.part(policy, subject.len() + 16) {
                    of_bucket(part, &name, &untold.rule)
                        .taken
                        .push((subject, untold.count));
                }
            }
        }
    }
    forgotten
}

fn of_bucket<'a>(part: &'a mut OfPolicy, name: &str, rule: &BucketRule) -> &'a mut OfBucket {
    let is_same = |it: &OfBucket| it.name == name && it.burst == rule.burst;
    let index = match part.buckets.iter().position(is_same) {
        Some(index) => index,
        None => {
            part.buckets.push(OfBucket {
                name: name.to_owned(),
                burst: rule.burst,
                per_second: rule.per_second,
                window_ms: rule.window_ms,
                taken: Vec::new(),
            });
            part.buckets.len() - 1
        }
    };
    // It has just been found, or put there.
    &mut part.buckets[index]
}

/// Counters and values, as many as there is room for; says how many changes were not noted.
pub(super) fn changes(
    messages: &mut Messages,
    policy: &Arc<str>,
    shared: &Shared,
    now: Millis,
) -> u64 {
    let mut changed = shared.changed().lock();
    let keys: Vec<_> = changed
        .added
        .keys()
        .take(ITEMS * MESSAGES)
        .cloned()
        .collect();
    for key in keys {
        if !messages.has_room() {
            break;
        }
        let (Some(added), Some(part)) = (
            changed.added.remove(&key),
            messages.part(policy, key.len() + 32),
        ) else {
            continue;
        };
        part.added.push(Addition {
            key: key.to_string(),
            by: added.by,
            ttl_ms: added.ttl_ms,
            version: added.version,
        });
    }
    let keys: Vec<_> = changed
        .keys
        .iter()
        .take(ITEMS * MESSAGES)
        .cloned()
        .collect();
    for key in keys {
        if !messages.has_room() {
            break;
        }
        changed.keys.remove(&key);
        // What has expired or had to go meanwhile is not worth a word.
        if let Some(entry) = shared.part.entries.known(&key, now.0)
            && let Some(part) = messages.part(policy, key.len() + entry.value.len() + 32)
        {
            part.entries.push(told(&key, entry, now));
        }
    }
    std::mem::take(&mut changed.forgotten)
}

pub(super) fn told(key: &str, entry: Entry, now: Millis) -> Written {
    let ttl_ms = match entry.ends_at {
        u64::MAX => 0,
        ends_at => ends_at.saturating_sub(now.0).max(1),
    };
    let (counter, bytes) = match entry.value {
        Value::Counter(number) => (Some(number), None),
        Value::Bytes(bytes) => (None, Some(bytes)),
        Value::Gone => (None, None),
    };
    Written {
        key: key.to_owned(),
        version: entry.version,
        ttl_ms,
        counter,
        bytes,
    }
}
