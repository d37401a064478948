//! The talk between nodes by which what they share stays the same: what a node says, and what it makes of what others
//! say. No I/O: who carries it is handed what to carry.
//!
//! Takes are told as numbers and charged to the buckets of the others, which may be in debt for it. Counters are told
//! as what was added. Values go with the time at which they were written, and the latest wins.

mod ledger;
mod messages;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::bucket::BucketRule;
use super::entries::Value;
use super::news::{Addition, Chunk, From, News, OfPolicy, Written};
use super::shared::Shared;
use super::standing::{Seen, Standing, Terms};
use super::{Millis, PolicyState, Scope, Store, SubjectKey};
use ledger::Ledger;
use messages::{Messages, changes, takes, told};

/// Entries, and bytes of values, in one message: well under what a NATS server takes.
const ITEMS: usize = 2048;
const BYTES: usize = 256 << 10;

/// One node's side of the talk.
#[derive(Debug)]
pub(crate) struct Gossip {
    store: Arc<Store>,
    terms: Terms,
    /// Held while anything is told, heard, handed over or taken over, so that counters and numbers belong together.
    ledger: Mutex<Ledger>,
    forgotten: AtomicU64,
    is_settled: AtomicBool,
}

/// What came of listening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Messages that never came.
    pub missed: u64,
}

impl Gossip {
    /// `own`: what others call this node.
    pub(crate) fn new(own: &str, store: Arc<Store>, terms: Terms) -> Self {
        store.standing.shares();
        Self {
            store,
            terms,
            ledger: Mutex::new(Ledger::new(own)),
            forgotten: AtomicU64::new(0),
            is_settled: AtomicBool::new(false),
        }
    }

    /// Whether this node has what the others have, or has to ask for it because it comes, or comes back.
    pub(crate) fn settle(&self, is_settled: bool) {
        self.is_settled.store(is_settled, Ordering::Relaxed);
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::Relaxed)
    }

    /// Who is there now.
    pub(crate) fn look(&self, seen: Seen, now: Millis) {
        self.standing().look(seen, self.terms, now.0);
    }

    /// What there is to say, for nodes that are connected.
    pub(crate) fn news(&self, now: Millis) -> Vec<News> {
        let mut ledger = self.ledger.lock();
        let mut messages = Messages::default();
        let mut forgotten = 0;
        for (name, state) in self.store.all() {
            let Some(shared) = state.shared.get() else {
                continue;
            };
            forgotten += takes(&mut messages, &name, shared);
            forgotten += changes(&mut messages, &name, shared, now);
        }
        self.forgotten.fetch_add(forgotten, Ordering::Relaxed);
        messages.done.iter_mut().for_each(|news| ledger.say(news));
        messages.done
    }

    /// What a node says that goes.
    pub(crate) fn farewell(&self) -> News {
        let mut news = News {
            leaves: true,
            ..News::default()
        };
        self.ledger.lock().say(&mut news);
        news
    }

    /// Changes that were never told for want of room, since the last time.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten.swap(0, Ordering::Relaxed)
    }

    /// What another node says.
    pub(crate) fn hear(&self, from: &str, mut news: News, now: Millis) -> Heard {
        let mut ledger = self.ledger.lock();
        let missed = ledger.hear(from, &mut news);
        if news.leaves {
            self.standing().left();
        }
        for of in news.policies {
            // Who does not have the policy does not keep its state.
            if let Some(state) = self.store.find(&of.policy) {
                self.follow(state.shared(), of, now);
            }
        }
        Heard { missed }
    }

    fn follow(&self, shared: &Shared, of: OfPolicy, now: Millis) {
        let (part, expected) = (self.standing().part(), self.standing().expected());
        for bucket in of.buckets {
            let rule = BucketRule {
                name: bucket.name.into(),
                burst: bucket.burst,
                per_second: bucket.per_second,
                window_ms: bucket.window_ms,
                scope: Scope::Cluster,
            };
            if rule.check().is_err() {
                continue;
            }
            let rule = match part {
                Some((live, all)) => rule.part(live, all),
                None => rule,
            };
            for (subject, count) in bucket.taken {
                if let Ok(subject) = subject.parse::<SubjectKey>() {
                    let most = expected.max(2);
                    shared.part.debit(&rule, subject.as_ref(), count, most, now);
                }
            }
        }
        let entries = &shared.part.entries;
        for Addition {
            key,
            by,
            ttl_ms,
            version,
        } in of.added
        {
            if self.standing().heard(version) {
                entries.heard_add(&key, by, ttl_ms, version, now.0);
            }
        }
        for written in of.entries {
            self.write(shared, written, now);
        }
    }

    fn write(&self, shared: &Shared, written: Written, now: Millis) {
        if !self.standing().heard(written.version) {
            return;
        }
        let value = match (written.counter, written.bytes) {
            (Some(number), _) => Some(Value::Counter(number)),
            (None, bytes) => bytes.map(Value::Bytes),
        };
        let Written {
            key,
            version,
            ttl_ms,
            ..
        } = written;
        let entries = &shared.part.entries;
        entries.heard(&key, value, ttl_ms, version, now.0);
    }

    /// A part of what this node has, for one that has come.
    pub(crate) fn chunk(&self, asked: &From, now: Millis) -> Chunk {
        let ledger = self.ledger.lock();
        let mut policies = self.store.all();
        policies.sort_by(|(a, _), (b, _)| a.cmp(b));
        let rest = policies.iter().filter(|(name, _)| **name >= *asked.policy);
        let mut rest = rest.filter_map(|(name, state)| Some((name, state.shared.get()?)));
        let is_settled = self.is_settled();
        let Some((name, shared)) = rest.next() else {
            return Chunk {
                is_settled,
                ..Chunk::default()
            };
        };
        let after = if **name == *asked.policy {
            &*asked.key
        } else {
            ""
        };
        let from = |policy: &str, key: &str| From {
            of: asked.of.clone(),
            policy: policy.to_owned(),
            key: key.to_owned(),
        };
        let mut bytes = 0;
        let mut written = Vec::new();
        let mut next = rest.next().map(|(name, _)| from(name, ""));
        // Held, so that what was added is either in the answer or still to be told.
        let changed = shared.changed().lock();
        for (key, entry) in shared.part.entries.after(after, ITEMS, now.0) {
            bytes += key.len() + entry.value.len();
            let mut told = told(&key, entry, now);
            if let (Some(count), Some(added)) = (&mut told.counter, changed.added.get(&key)) {
                *count = count.saturating_sub(added.by);
            }
            written.push(told);
            if bytes >= BYTES || written.len() == ITEMS {
                next = Some(from(name, &key));
                break;
            }
        }
        Chunk {
            is_settled,
            policy: name.to_string(),
            entries: written,
            numbers: ledger.numbers().clone(),
            next,
        }
    }

    /// Takes over what another node has. With `counts`, the counters of a settled node stand for what this one has
    /// missed, and what was added here and is not in them comes on top: what was not told yet, and what was told and
    /// not heard there yet. Nodes that have all been cut off from each other have missed nothing: they only tell.
    pub(crate) fn take_over(
        &self,
        asked: &From,
        chunk: Chunk,
        counts: bool,
        now: Millis,
    ) -> Option<From> {
        // What is told meanwhile is in later parts too, and is counted twice there: the smaller evil.
        let is_first = asked.policy.is_empty();
        let counts = counts && chunk.is_settled;
        let mut ledger = self.ledger.lock();
        let beyond = ledger.beyond(&chunk.policy, &chunk.numbers);
        if let Some(state) = self.store.find(&chunk.policy) {
            let shared = state.shared();
            for written in chunk.entries {
                let Some(number) = written.counter else {
                    self.write(shared, written, now);
                    continue;
                };
                if !self.standing().heard(written.version) {
                    continue;
                }
                if counts {
                    let more = beyond.get(&*written.key).copied().unwrap_or(0);
                    shared.count_from(&written.key, number.saturating_add(more), &written, now);
                } else {
                    shared.count_unless_counted(&written.key, number, &written, now);
                }
            }
        }
        if counts && is_first {
            ledger.adopt(&chunk.numbers);
        }
        chunk.next
    }

    fn standing(&self) -> &Standing {
        &self.store.standing
    }
}

/// Every policy's state.
impl Store {
    fn all(&self) -> Vec<(Arc<str>, Arc<PolicyState>)> {
        let policies = self.policies.read();
        let each = policies.iter();
        each.map(|(name, state)| (Arc::clone(name), Arc::clone(state)))
            .collect()
    }
}
