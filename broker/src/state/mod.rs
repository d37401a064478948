//! State that policies share: token buckets and windows, counters and values, kept by the host so that it outlives an
//! instance and a reload, and so that every reactor counts in the same place.
//!
//! Imports nothing of the broker but its clock. Time comes in as an argument, as [`Millis`].

mod apart;
mod bucket;
mod entries;
mod gossip;
mod news;
mod part;
mod shard;
mod shared;
mod show;
mod standing;
mod subject;
#[cfg(test)]
mod tests;
mod window;

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

use crate::moment::Moment;
pub(crate) use bucket::{BucketRule, Decision, Scope};
pub(crate) use gossip::{Gossip, Heard};
pub(crate) use news::{Chunk, From, News};
use part::Part;
pub(crate) use shared::Shared;
pub(crate) use show::{After, Filter, Shown};
#[cfg(test)]
pub(crate) use show::{ShownBucket, ShownEntry, ShownScope};
pub(crate) use standing::{Partition, Seen, Standing, Terms};
pub(crate) use subject::{SubjectKey, SubjectRef};

/// A moment, in milliseconds of one monotonic clock: setting the machine's time moves no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Millis(u64);

/// Keys (bucket and subject) a policy may have before one has to go. What goes first is what loses nothing: keys
/// whose limit has recovered in full. Only when none of those is in sight is a live one evicted, the one that is
/// nearest to recovery: **its limit starts afresh**, which is counted.
pub(crate) const MAX_KEYS: usize = 100_000;

/// The state of every policy of the process, by policy name.
#[derive(Debug, Default)]
pub(crate) struct Store {
    policies: RwLock<HashMap<Arc<str>, Arc<PolicyState>>>,
    standing: Arc<Standing>,
}

/// What a policy's state takes up, for the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Usage {
    pub policy: Arc<str>,
    pub buckets: Share,
    pub entries: Share,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub keys: usize,
    /// What they take of memory, nearly.
    pub bytes: usize,
    /// Those that were alive and had to go since the process began, for want of room.
    pub evicted: u64,
}

// === impl Millis ===

impl Millis {
    /// A moment of another clock, which must not be mixed with this one.
    pub(crate) fn at(ms: u64) -> Self {
        Self(ms)
    }

    pub(crate) fn now() -> Self {
        Self::of(Moment::now())
    }

    /// A moment that has been read already.
    pub(crate) fn of(moment: Moment) -> Self {
        Self(moment.millis())
    }
}

// === impl Store ===

impl Store {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The state that belongs to a policy's name: the same one after a reload, and after the policy was gone.
    pub(crate) fn policy(&self, name: &str) -> Arc<PolicyState> {
        if let Some(state) = self.policies.read().get(name) {
            return Arc::clone(state);
        }
        let state = || Arc::new(PolicyState::among(Arc::clone(&self.standing)));
        Arc::clone(
            self.policies
                .write()
                .entry(name.into())
                .or_insert_with(state),
        )
    }

    /// The state of a policy's name, if it has ever had any.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<PolicyState>> {
        self.policies.read().get(name).map(Arc::clone)
    }

    /// Drops the state of a policy that will not come back. Who still holds it goes on with what nobody else sees.
    pub(crate) fn forget(&self, name: &str) {
        self.policies.write().remove(name);
    }

    /// Drops what any policy has counted for a socket that is gone.
    pub(crate) fn forget_socket(&self, token: u64) {
        for state in self.policies.read().values() {
            state.forget_socket(token);
        }
    }

    /// What there is at this moment; what has expired by then is freed.
    pub(crate) fn usage(&self, now: Millis) -> Vec<Usage> {
        self.policies
            .read()
            .iter()
            .map(|(policy, state)| state.usage(policy, now))
            .collect()
    }
}

/// The state of one policy: what the node keeps for itself, to which this dereferences, and what the cluster shares.
#[derive(Debug, Default)]
pub(crate) struct PolicyState {
    own: Part,
    /// Few policies share anything.
    shared: OnceLock<Box<Shared>>,
    standing: Arc<Standing>,
}

// === impl PolicyState ===

impl Deref for PolicyState {
    type Target = Part;

    fn deref(&self) -> &Part {
        &self.own
    }
}

impl PolicyState {
    fn among(standing: Arc<Standing>) -> Self {
        Self {
            standing,
            ..Self::default()
        }
    }

    #[cfg(test)]
    fn with_capacity(keys: usize) -> Self {
        Self {
            own: Part::with_capacity(keys),
            ..Self::default()
        }
    }

    /// What the nodes of the cluster share. A node that is alone shares it with nobody.
    pub(crate) fn shared(&self) -> &Shared {
        self.shared.get_or_init(|| {
            let standing = Arc::clone(&self.standing);
            Box::new(Shared::new(Part::default(), standing))
        })
    }

    /// As [`Part::take`], from the bucket of the rule's scope.
    pub(crate) fn take(
        &self,
        rule: &BucketRule,
        subject: SubjectRef<'_>,
        cost: u32,
        now: Millis,
    ) -> Decision {
        match rule.scope {
            Scope::Node => self.own.take(rule, subject, cost, now),
            Scope::Cluster => self.shared().take(rule, subject, cost, now),
        }
    }

    fn forget_socket(&self, token: u64) {
        self.own.forget_socket(token);
        if let Some(shared) = self.shared.get() {
            shared.part.forget_socket(token);
        }
    }

    fn usage(&self, policy: &Arc<str>, now: Millis) -> Usage {
        let (mut buckets, mut entries) = self.own.usage(now);
        if let Some(shared) = self.shared.get() {
            let (more_buckets, more_entries) = shared.part.usage(now);
            buckets.add(more_buckets);
            entries.add(more_entries);
        }
        Usage {
            policy: Arc::clone(policy),
            buckets,
            entries,
        }
    }
}

// === impl Share ===

impl Share {
    fn add(&mut self, other: Self) {
        self.keys += other.keys;
        self.bytes += other.bytes;
        self.evicted += other.evicted;
    }
}
