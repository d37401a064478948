//! How many sockets each user has on this node.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use parking_lot::Mutex;

/// Locks, so that reactors that let sockets in and out do not meet.
const LOCKS: usize = 16;

type Counts = HashMap<Arc<str>, usize, foldhash::fast::RandomState>;

#[derive(Default)]
pub(super) struct Users {
    shards: [Mutex<Counts>; LOCKS],
    hasher: foldhash::fast::RandomState,
}

impl Users {
    /// False: there are as many as there may be.
    pub(super) fn enter(&self, user: &Arc<str>, most: usize) -> bool {
        let mut counts = self.shard(user).lock();
        match counts.get_mut(user) {
            Some(count) if *count >= most => return false,
            Some(count) => *count += 1,
            None => {
                counts.insert(user.clone(), 1);
            }
        }
        true
    }

    pub(super) fn leave(&self, user: &str) {
        let mut counts = self.shard(user).lock();
        if let Some(count) = counts.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(user);
            }
        }
    }

    fn shard(&self, user: &str) -> &Mutex<Counts> {
        let number = self.hasher.hash_one(user) as usize % LOCKS;
        // There are as many.
        &self.shards[number]
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|it| it.lock().len()).sum()
    }
}
