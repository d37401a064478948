//! The arithmetic of a window that slides: what was taken when, exactly or nearly.

use std::collections::VecDeque;

use super::bucket::{BucketRule, Decision};

/// Up to this burst a window keeps every millisecond in which something was taken; above it, and for the length of
/// a granule, this many granules.
const EXACT: u32 = 1024;

/// Granules of a window that is kept coarsely because there are too many time stamps.
const COARSE: u32 = 64;

#[derive(Debug, Default)]
pub(super) struct Window {
    /// Oldest first. As many as milliseconds, or granules, in which something was taken.
    stamps: VecDeque<Stamp>,
    /// The sum of their counts.
    taken: u32,
    /// Taken on other nodes beyond what the window allows. It enters the window as other takes leave it, so that what
    /// was too much in one window is missing in those after it.
    owed: u32,
    /// Kept in few granules until it is empty again.
    coarse: bool,
    /// The latest time that anyone came with: what has left the window by then stays out of it.
    seen: u64,
    empty_at: u64,
    /// The rule's numbers at the last take.
    burst: u32,
    window_ms: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    /// The last take of its granule: so all of it leaves the window when that one does, and never earlier.
    at: u64,
    count: u32,
}

// === impl Window ===

impl Window {
    pub(super) fn empty_at(&self) -> u64 {
        self.empty_at
    }

    /// How many there are.
    pub(super) fn stamps(&self) -> usize {
        self.stamps.len()
    }

    /// A take at `t` is in the window until `t + window_ms`, and no longer at that moment: any stretch of that
    /// length that includes one of its ends has at most `burst`.
    pub(super) fn take(&mut self, rule: &BucketRule, cost: u32, now: u64, tight: bool) -> Decision {
        let window = u64::from(rule.window_ms);
        let now = now.max(self.seen);
        self.seen = now;
        self.slide(rule.burst, window, now);
        let left = self.left(rule.burst);
        if cost > left {
            return Decision::deny(left, self.wait(rule, cost, now));
        }
        if cost > 0 {
            self.burst = rule.burst;
            self.window_ms = rule.window_ms;
            self.push(cost, now, tight);
            self.empty_at = now.saturating_add(window);
        }
        Decision::allow(left - cost)
    }

    pub(super) fn debit(&mut self, rule: &BucketRule, count: u32, most: u32, now: u64) {
        if self.burst == 0 {
            self.burst = rule.burst;
            self.window_ms = rule.window_ms;
        }
        let (burst, window) = (self.burst, u64::from(self.window_ms));
        let now = now.max(self.seen);
        self.seen = now;
        self.slide(burst, window, now);
        let fits = count.min(self.left(burst));
        if fits > 0 {
            self.push(fits, now, false);
        }
        let owed = self.owed.saturating_add(count - fits);
        self.owed = owed.min(burst.saturating_mul(most));
        let windows = 1 + u64::from(self.owed.div_ceil(burst.max(1)));
        self.empty_at = now.saturating_add(window.saturating_mul(windows));
    }

    /// What could be taken now.
    fn left(&self, burst: u32) -> u32 {
        match self.owed {
            0 => burst.saturating_sub(self.taken),
            _ => 0,
        }
    }

    fn slide(&mut self, burst: u32, window: u64, now: u64) {
        while let Some(first) = self.stamps.front() {
            let gone_at = first.at.saturating_add(window);
            if gone_at > now {
                break;
            }
            self.taken -= first.count;
            self.stamps.pop_front();
            self.pay(burst, gone_at);
        }
        self.pay(burst, now);
        if self.stamps.is_empty() {
            self.coarse = false;
        }
        if self.stamps.capacity() > 64 && self.stamps.len() < self.stamps.capacity() / 4 {
            self.stamps.shrink_to(self.stamps.len() * 2);
        }
    }

    /// Lets what is owed into the window, as far as there is room since `at`.
    fn pay(&mut self, burst: u32, at: u64) {
        let paid = self.owed.min(burst.saturating_sub(self.taken));
        if paid > 0 {
            self.owed -= paid;
            self.taken += paid;
            let at = self.stamps.back().map_or(at, |last| last.at.max(at));
            self.stamps.push_back(Stamp { at, count: paid });
        }
    }

    fn push(&mut self, cost: u32, now: u64, tight: bool) {
        self.taken += cost;
        if self.extend(self.granule(self.coarse), cost, now) {
            return;
        }
        if tight && !self.coarse {
            self.coarse = true;
            let granule = self.granule(true);
            self.regroup(granule);
            if self.extend(granule, cost, now) {
                return;
            }
        }
        self.stamps.push_back(Stamp {
            at: now,
            count: cost,
        });
    }

    /// Adds to the newest stamp if that is of the same granule.
    fn extend(&mut self, granule: u64, cost: u32, now: u64) -> bool {
        match self.stamps.back_mut() {
            Some(last) if last.at / granule == now / granule => {
                last.at = now;
                last.count += cost;
                true
            }
            _ => false,
        }
    }

    fn regroup(&mut self, granule: u64) {
        let fine = std::mem::take(&mut self.stamps);
        for stamp in fine {
            if !self.extend(granule, stamp.count, stamp.at) {
                self.stamps.push_back(stamp);
            }
        }
    }

    pub(super) fn remaining(&self, now: u64) -> u32 {
        let window = u64::from(self.window_ms);
        let left = |stamp: &&Stamp| stamp.at.saturating_add(window) <= now;
        let gone: u32 = self.stamps.iter().take_while(left).map(|s| s.count).sum();
        self.burst
            .saturating_sub((self.taken - gone).saturating_add(self.owed))
    }

    /// How long until `cost` fits.
    fn wait(&self, rule: &BucketRule, cost: u32, now: u64) -> u64 {
        if cost > rule.burst {
            return u64::MAX;
        }
        let window = u64::from(rule.window_ms);
        if self.owed > 0 {
            // Each window that passes pays for a burst of it; nobody is told too short a time.
            let windows = 1 + u64::from(self.owed.saturating_add(cost).div_ceil(rule.burst.max(1)));
            let first = self.stamps.front().map_or(now, |first| first.at);
            return first
                .saturating_add(window.saturating_mul(windows))
                .saturating_sub(now);
        }
        let mut taken = self.taken;
        for stamp in &self.stamps {
            taken -= stamp.count;
            if taken <= rule.burst - cost {
                return (stamp.at + window).saturating_sub(now);
            }
        }
        0
    }

    fn granule(&self, coarse: bool) -> u64 {
        let granules = match (coarse, self.burst) {
            (true, _) => COARSE,
            (false, 0..=EXACT) => return 1,
            (false, _) => EXACT,
        };
        u64::from(self.window_ms.div_ceil(granules)).max(1)
    }
}
