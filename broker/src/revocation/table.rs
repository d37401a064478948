//! What is revoked at the moment. Knows no network; time comes in as an argument, in milliseconds since 1970.
//!
//! Of what nodes say about the same thing the latest word counts, so it does not matter in which order they hear each
//! other, or how often. What is taken back is kept as long as what it takes back would have lasted: a node that missed
//! both would bring it up again.

use std::collections::BTreeSet;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indexmap::{Equivalent, IndexMap};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::event::{Client, Identity};

/// Entries, those that are taken back included: some 300 bytes each.
pub(crate) const MAX_ENTRIES: usize = 1 << 16;

/// Whom or what a revocation is about, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    pub of: Of,
    /// `None`: in all of them.
    pub namespace: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Of {
    User(String),
    Token(String),
}

/// A key that somebody who comes in is looked up by, as it stands in his identity. It has the hash of the `Key` that it
/// means: fields and variants are in the same order.
#[derive(Hash)]
struct Asked<'a> {
    of: AskedOf<'a>,
    namespace: Option<&'a str>,
}

#[derive(Clone, Copy, Hash)]
enum AskedOf<'a> {
    User(&'a str),
    Token(&'a str),
}

/// The latest word about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub key: Key,
    /// A user's tokens that were issued before are revoked.
    pub at_ms: u64,
    pub until_ms: u64,
    /// For operators.
    #[serde(default)]
    pub reason: Option<String>,
    /// It has been taken back.
    #[serde(default)]
    pub is_lifted: bool,
    /// When this was said.
    pub said_ms: u64,
}

/// There is no room for more.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_ENTRIES} revocations are as many as a node keeps")]
pub(crate) struct Full;

#[derive(Default)]
pub(crate) struct Table {
    inner: RwLock<Inner>,
    /// How many entries there are, read without the lock: mostly there are none.
    len: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    entries: IndexMap<Arc<Key>, Entry>,
    /// The same by their ends.
    ends: BTreeSet<(u64, Arc<Key>)>,
    /// Of all entries together, whatever their order.
    digest: u64,
}

// === impl Key ===

impl Key {
    /// Whether it is about a client with this identity.
    fn is_about(&self, namespace: &str, identity: &Identity) -> bool {
        let token = || identity.grant.as_ref()?.token.as_deref();
        let is_it = match &self.of {
            Of::User(user) => identity.user.as_deref() == Some(user),
            Of::Token(id) => token() == Some(id),
        };
        is_it && self.namespace.as_deref().is_none_or(|it| it == namespace)
    }
}

impl Equivalent<Arc<Key>> for Asked<'_> {
    fn equivalent(&self, key: &Arc<Key>) -> bool {
        let is_of = match (self.of, &key.of) {
            (AskedOf::User(asked), Of::User(name)) => asked == name,
            (AskedOf::Token(asked), Of::Token(name)) => asked == name,
            _ => false,
        };
        is_of && self.namespace == key.namespace.as_deref()
    }
}

// === impl Entry ===

impl Entry {
    fn is_over(&self, now_ms: u64) -> bool {
        self.until_ms <= now_ms
    }

    /// Of two words about the same thing every node prefers the same one.
    fn is_newer(&self, other: &Self) -> bool {
        let rank = |it: &Self| (it.said_ms, it.is_lifted, it.until_ms, it.at_ms);
        let (mine, other_rank) = (rank(self), rank(other));
        mine > other_rank || (mine == other_rank && self.reason > other.reason)
    }

    /// Whether it keeps a client out.
    pub(crate) fn bars(&self, client: &Client, now_ms: u64) -> bool {
        self.bars_identity(&client.namespace, &client.identity.read(), now_ms)
    }

    fn bars_identity(&self, namespace: &str, identity: &Identity, now_ms: u64) -> bool {
        !self.is_lifted
            && !self.is_over(now_ms)
            && self.key.is_about(namespace, identity)
            && self.is_before(identity)
    }

    /// A token is revoked for good; a user's revocation is about what was issued before it.
    fn is_before(&self, identity: &Identity) -> bool {
        let issued = || identity.grant.as_ref()?.issued_ms.get();
        match self.key.of {
            Of::User(_) => issued().is_none_or(|at| at < self.at_ms),
            Of::Token(_) => true,
        }
    }

    /// The same on every node, of whatever version, and another one for every word that one might be preferred to.
    fn digest(&self) -> u64 {
        let (kind, name) = match &self.key.of {
            Of::User(name) => (1, name.as_str()),
            Of::Token(name) => (2, name.as_str()),
        };
        let namespace = self.key.namespace.as_deref().unwrap_or_default();
        let texts = [name, namespace, self.reason.as_deref().unwrap_or_default()];
        let lifted = u64::from(self.is_lifted);
        let numbers = [kind, self.at_ms, self.until_ms, self.said_ms, lifted];
        // Lengths first, so that no two lists of texts are the same bytes.
        let lengths = texts.map(|text| text.len() as u64);
        let mut hash = SipHasher13::new();
        for number in numbers.into_iter().chain(lengths) {
            hash.write(&number.to_le_bytes());
        }
        texts.iter().for_each(|text| hash.write(text.as_bytes()));
        hash.finish()
    }
}

// === impl Table ===

impl Table {
    /// What keeps a client out, if anything does.
    pub(crate) fn bars(&self, client: &Client, now_ms: u64) -> bool {
        if self.len.load(Ordering::Acquire) == 0 {
            return false;
        }
        let identity = client.identity.read();
        let user = identity.user.as_deref().map(AskedOf::User);
        let token = || identity.grant.as_ref()?.token.as_deref();
        let token = token().map(AskedOf::Token);
        let namespaces = [None, Some(&*client.namespace)];
        let inner = self.inner.read();
        [user, token].into_iter().flatten().any(|of| {
            namespaces.into_iter().any(|namespace| {
                let entry = inner.entries.get(&Asked { of, namespace });
                entry.is_some_and(|it| it.bars_identity(&client.namespace, &identity, now_ms))
            })
        })
    }

    /// The latest word about something, if it still counts.
    pub(crate) fn get(&self, key: &Key, now_ms: u64) -> Option<Entry> {
        let inner = self.inner.read();
        let entry = inner.entries.get(key);
        entry.filter(|entry| !entry.is_over(now_ms)).cloned()
    }

    /// Takes a word about something. False: a later one is known, or it is over.
    pub(crate) fn take(&self, entry: Entry, now_ms: u64) -> Result<bool, Full> {
        if entry.is_over(now_ms) {
            return Ok(false);
        }
        let mut inner = self.inner.write();
        inner.forget(now_ms);
        let known = inner.entries.get(&entry.key);
        if known.is_some_and(|known| !entry.is_newer(known)) {
            return Ok(false);
        }
        if known.is_none() && inner.entries.len() >= MAX_ENTRIES {
            return Err(Full);
        }
        inner.remove(&entry.key);
        inner.insert(entry);
        self.len.store(inner.entries.len(), Ordering::Release);
        Ok(true)
    }

    /// Forgets what is over.
    pub(crate) fn forget(&self, now_ms: u64) {
        if self.len.load(Ordering::Acquire) > 0 {
            let mut inner = self.inner.write();
            inner.forget(now_ms);
            self.len.store(inner.entries.len(), Ordering::Release);
        }
    }

    /// Everything that is not over.
    pub(crate) fn all(&self, now_ms: u64) -> Vec<Entry> {
        let inner = self.inner.read();
        let entries = inner.entries.values();
        entries.filter(|it| !it.is_over(now_ms)).cloned().collect()
    }

    /// Two nodes that know the same say the same.
    pub(crate) fn digest(&self) -> u64 {
        self.inner.read().digest
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }
}

// === impl Inner ===

impl Inner {
    fn insert(&mut self, entry: Entry) {
        let key = Arc::new(entry.key.clone());
        self.digest ^= entry.digest();
        self.ends.insert((entry.until_ms, key.clone()));
        self.entries.insert(key, entry);
    }

    fn remove(&mut self, key: &Key) {
        if let Some((key, entry)) = self.entries.swap_remove_entry(key) {
            self.digest ^= entry.digest();
            self.ends.remove(&(entry.until_ms, key));
        }
    }

    fn forget(&mut self, now_ms: u64) {
        while let Some((_, key)) = self.ends.first().filter(|(until, _)| *until <= now_ms) {
            let key = key.clone();
            self.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
