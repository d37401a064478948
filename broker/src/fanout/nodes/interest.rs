//! Which rooms this node has members of, as others are told: first member in, last member out, each change numbered.
//! Rooms are keys here, hashes of their names. Beyond a bound they are put together in buckets, so that what others
//! have to remember of a node is bounded.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};

use parking_lot::Mutex;
use tokio::sync::Notify;

type Keys<T> = HashMap<u64, T, foldhash::fast::RandomState>;

/// Buckets of rooms, 16 million: two megabytes of bits with whoever remembers them.
const BUCKET_BITS: u32 = 24;

/// Joins that wait for other nodes at once. Beyond, they are acknowledged without.
const MAX_WAITING: usize = 1 << 16;

/// What is called when all other nodes know of a join.
pub(crate) type Known = Box<dyn FnOnce() + Send>;

pub(crate) struct Interest {
    inner: Mutex<Inner>,
    changed: Notify,
    max_rooms: usize,
}

struct Inner {
    /// The number of the last change.
    version: u64,
    /// What has members here, or is about to.
    held: HashSet<u64, foldhash::fast::RandomState>,
    /// What sockets are about to enter.
    expected: Keys<Expected>,
    /// How many rooms each bucket has; `None`: rooms are told one by one.
    buckets: Option<Keys<u32>>,
    /// What others are still to be told.
    changes: Vec<(u64, bool)>,
    /// The change before the first of them.
    told: u64,
    /// Everything has to be told anew.
    is_new: bool,
    /// Rooms that not all others have acknowledged, with their change, in its order.
    unknown: VecDeque<(u64, u64)>,
    unknown_keys: Keys<u64>,
    /// Not quite in the order of the changes: a room may have been added before one that waits already.
    waiting: Vec<(u64, Known)>,
}

struct Expected {
    /// How many wait for it.
    waiting: u32,
    has_members: bool,
}

/// Changes that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The change before the first one.
    pub after: u64,
    /// Each a key (or bucket), and whether there are members now.
    pub changes: Vec<(u64, bool)>,
    pub bucketed: bool,
}

/// All there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub version: u64,
    pub keys: Vec<u64>,
    pub bucketed: bool,
}

/// What has to be said to others.
pub(crate) enum News {
    Changes(Changes),
    Snapshot(Snapshot),
}

/// The bucket that a room is in.
pub(crate) fn bucket_of(key: u64) -> u64 {
    key >> (u64::BITS - BUCKET_BITS)
}

impl Interest {
    pub(super) fn new(max_rooms: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                version: 0,
                held: HashSet::default(),
                expected: Keys::default(),
                buckets: None,
                changes: Vec::new(),
                told: 0,
                is_new: false,
                unknown: VecDeque::new(),
                unknown_keys: Keys::default(),
                waiting: Vec::new(),
            }),
            changed: Notify::new(),
            max_rooms,
        }
    }

    /// The first member of a room has come. Called with the room's entry in the directory locked, so that changes of
    /// a room are numbered in their order.
    pub(in crate::fanout) fn add(&self, key: u64) {
        let mut inner = self.inner.lock();
        if let Some(expected) = inner.expected.get_mut(&key) {
            expected.has_members = true;
        } else if inner.hold(key, self.max_rooms) {
            self.changed.notify_one();
        }
    }

    /// The last one has left.
    pub(in crate::fanout) fn remove(&self, key: u64) {
        let mut inner = self.inner.lock();
        if let Some(expected) = inner.expected.get_mut(&key) {
            expected.has_members = false;
        } else if inner.let_go(key, self.max_rooms) {
            self.changed.notify_one();
        }
    }

    /// A socket is about to enter: others are told as if it had. To be taken back as often as it is called.
    pub(in crate::fanout) fn expect(&self, key: u64) {
        let mut inner = self.inner.lock();
        if let Some(expected) = inner.expected.get_mut(&key) {
            expected.waiting += 1;
            return;
        }
        let is_new = inner.hold(key, self.max_rooms);
        let expected = Expected {
            waiting: 1,
            has_members: !is_new,
        };
        inner.expected.insert(key, expected);
        if is_new {
            self.changed.notify_one();
        }
    }

    /// It has entered, or never will.
    pub(in crate::fanout) fn expect_no_more(&self, key: u64) {
        let mut inner = self.inner.lock();
        let Some(expected) = inner.expected.get_mut(&key) else {
            return;
        };
        expected.waiting -= 1;
        if expected.waiting > 0 {
            return;
        }
        let has_members = expected.has_members;
        inner.expected.remove(&key);
        if !has_members && inner.let_go(key, self.max_rooms) {
            self.changed.notify_one();
        }
    }

    /// Calls back when all others know that there are members of these rooms: at once if they do.
    pub(in crate::fanout) fn when_known(&self, keys: &[u64], known: Known) {
        {
            let mut inner = self.inner.lock();
            let versions = keys.iter().filter_map(|key| inner.unknown_keys.get(key));
            if let Some(version) = versions.max().copied()
                && inner.waiting.len() < MAX_WAITING
            {
                inner.waiting.push((version, known));
                return;
            }
        }
        known();
    }

    /// All others know what was changed up to here; `u64::MAX` where there is nobody, or nobody can be reached.
    pub(crate) fn known(&self, version: u64) {
        let ready = {
            let mut inner = self.inner.lock();
            let version = version.min(inner.version);
            while let Some((key, change)) = inner.unknown.front().copied()
                && change <= version
            {
                inner.unknown.pop_front();
                if inner.unknown_keys.get(&key) == Some(&change) {
                    inner.unknown_keys.remove(&key);
                }
            }
            let waiting = std::mem::take(&mut inner.waiting).into_iter();
            let (ready, still): (Vec<_>, _) = waiting.partition(|(change, _)| *change <= version);
            inner.waiting = still;
            ready
        };
        for (_, known) in ready {
            known();
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.inner.lock().version
    }

    /// How many rooms and namespaces there are.
    pub(crate) fn len(&self) -> usize {
        self.inner.lock().held.len()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.inner.lock().snapshot()
    }

    /// What others have not been told. Ends when there is something.
    pub(crate) async fn news(&self) -> News {
        loop {
            if let Some(news) = self.inner.lock().news() {
                return news;
            }
            self.changed.notified().await;
        }
    }
}

impl Inner {
    /// Whether it was not held before.
    fn hold(&mut self, key: u64, max_rooms: usize) -> bool {
        let is_new = self.held.insert(key);
        if is_new {
            self.add(key);
            if self.buckets.is_none() && self.held.len() > max_rooms {
                self.put_into_buckets();
            }
        }
        is_new
    }

    /// Whether it was held.
    fn let_go(&mut self, key: u64, max_rooms: usize) -> bool {
        let was_held = self.held.remove(&key);
        if was_held {
            self.remove(key);
            // Not as soon as it could, so that one room more or less does not turn everything over.
            if self.buckets.is_some() && self.held.len() <= max_rooms / 2 {
                self.take_out_of_buckets();
            }
        }
        was_held
    }

    fn change(&mut self, key: u64, is_held: bool) -> u64 {
        self.version += 1;
        self.changes.push((key, is_held));
        self.version
    }

    fn add(&mut self, key: u64) {
        let version = match &mut self.buckets {
            None => self.change(key, true),
            Some(buckets) => {
                let bucket = bucket_of(key);
                let rooms = buckets.entry(bucket).or_insert(0);
                *rooms += 1;
                if *rooms > 1 {
                    // Known as soon as the bucket is, and that is unknown as long as its latest change.
                    self.version
                } else {
                    self.change(bucket, true)
                }
            }
        };
        self.unknown_keys.insert(key, version);
        self.unknown.push_back((key, version));
    }

    fn remove(&mut self, key: u64) {
        match &mut self.buckets {
            None => _ = self.change(key, false),
            Some(buckets) => {
                let bucket = bucket_of(key);
                if let Some(rooms) = buckets.get_mut(&bucket) {
                    *rooms -= 1;
                    if *rooms == 0 {
                        buckets.remove(&bucket);
                        self.change(bucket, false);
                    }
                }
            }
        }
        self.unknown_keys.remove(&key);
    }

    fn put_into_buckets(&mut self) {
        let mut buckets = Keys::default();
        for key in &self.held {
            *buckets.entry(bucket_of(*key)).or_insert(0) += 1;
        }
        self.buckets = Some(buckets);
        self.is_new = true;
        self.version += 1;
    }

    fn take_out_of_buckets(&mut self) {
        self.buckets = None;
        self.is_new = true;
        self.version += 1;
    }

    fn snapshot(&self) -> Snapshot {
        let keys = match &self.buckets {
            None => self.held.iter().copied().collect(),
            Some(buckets) => buckets.keys().copied().collect(),
        };
        Snapshot {
            version: self.version,
            keys,
            bucketed: self.buckets.is_some(),
        }
    }

    fn news(&mut self) -> Option<News> {
        let changes = std::mem::take(&mut self.changes);
        let after = std::mem::replace(&mut self.told, self.version);
        if std::mem::take(&mut self.is_new) {
            return Some(News::Snapshot(self.snapshot()));
        }
        (!changes.is_empty()).then(|| {
            News::Changes(Changes {
                after,
                changes,
                bucketed: self.buckets.is_some(),
            })
        })
    }
}
