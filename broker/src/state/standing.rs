//! How a node stands among the others: which part of what all nodes share is its own to give away, and what time it
//! is for what they write.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::moment::unix_millis;

/// Steps of the clock in a millisecond: what is written within one is told apart by them.
const STEPS: u64 = 1 << 16;

/// A node whose clock is ahead by more is not followed: what it writes would win for as long.
const AHEAD: Duration = Duration::from_secs(60 * 60);

/// What is asked on every take, and what decides about it.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Nodes that are heard, in the upper half, of those there should be. 0: the node is alone.
    part: AtomicU64,
    /// Whether others are told what is taken.
    tells: AtomicBool,
    /// Whether there are others at all.
    shares: AtomicBool,
    clock: AtomicU64,
    census: Mutex<Census>,
}

/// The nodes there should be.
#[derive(Debug, Clone, Copy, Default)]
struct Census {
    expected: u32,
    /// Since when fewer are heard.
    short_since: Option<u64>,
}

/// What a node does with what all share while it does not hear all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Partition {
    /// It keeps to the part of those that it hears.
    Divide,
    /// It goes on with all of it.
    Full,
}

/// How many nodes are there, as one of them sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Itself included.
    pub live: u32,
    pub is_connected: bool,
}

/// How long a node that has fallen silent keeps its part, and whether there are parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub partition: Partition,
    pub missing: Duration,
}

impl Standing {
    /// The nodes that are heard, and those there should be; `None`: they are the same.
    pub(super) fn part(&self) -> Option<(u32, u32)> {
        match self.part.load(Ordering::Relaxed) {
            0 => None,
            both => Some(((both >> 32) as u32, both as u32)),
        }
    }

    pub(super) fn tells(&self) -> bool {
        self.tells.load(Ordering::Relaxed)
    }

    /// There are others from now on.
    pub(super) fn shares(&self) {
        self.shares.store(true, Ordering::Relaxed);
    }

    /// Whether what is written here is to be told at all, now or later.
    pub(super) fn is_shared(&self) -> bool {
        self.shares.load(Ordering::Relaxed)
    }

    /// A time that is later than any this node has given or heard.
    pub(super) fn version(&self) -> u64 {
        let wall = wall();
        let next = |last: u64| wall.max(last + 1);
        let update = |last| Some(next(last));
        let last = self
            .clock
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        // It never fails: `update` always answers.
        next(last.unwrap_or(0))
    }

    /// Whether something may have been written then; if so, what is written here from now on is later.
    pub(super) fn heard(&self, version: u64) -> bool {
        let ahead = AHEAD.as_millis() as u64 * STEPS;
        let is_sane = version <= wall() + ahead;
        if is_sane {
            self.clock.fetch_max(version, Ordering::Relaxed);
        }
        is_sane
    }

    /// Looks at who is there. Nodes that are missing count for a while: they may be cut off, and give away their part.
    /// Who is cut off itself never takes the others for gone.
    pub(super) fn look(&self, seen: Seen, terms: Terms, now: u64) {
        let live = if seen.is_connected { seen.live } else { 1 };
        let mut census = self.census.lock();
        if live >= census.expected {
            *census = Census {
                expected: live,
                short_since: None,
            };
        } else {
            let since = *census.short_since.get_or_insert(now);
            let missing = terms.missing.as_millis() as u64;
            if seen.is_connected && now.saturating_sub(since) >= missing {
                census.expected = live;
                census.short_since = None;
            }
        }
        let is_part = live < census.expected && terms.partition == Partition::Divide;
        let part = u64::from(live) << 32 | u64::from(census.expected);
        self.part
            .store(if is_part { part } else { 0 }, Ordering::Relaxed);
        let tells = live > 1 && seen.is_connected;
        self.tells.store(tells, Ordering::Relaxed);
    }

    /// A node has said that it goes.
    pub(super) fn left(&self) {
        let mut census = self.census.lock();
        census.expected = census.expected.saturating_sub(1).max(1);
    }

    /// Nodes there should be.
    pub(super) fn expected(&self) -> u32 {
        self.census.lock().expected.max(1)
    }
}

fn wall() -> u64 {
    unix_millis() * STEPS
}
