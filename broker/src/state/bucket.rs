//! The arithmetic of one bucket: tokens that come back with time, or a window that slides.

use std::collections::VecDeque;
use std::sync::Arc;

/// Up to this burst a window keeps every millisecond in which something was taken; above it, and for the length of
/// a granule, this many granules.
const EXACT: u32 = 1024;

/// Granules of a window that is kept coarsely because there are too many time stamps.
const COARSE: u32 = 64;

/// Tokens are binary fractions: ten tenths make a little less than one. What is forgiven adds up to a token in a
/// million.
const ROUNDING: f64 = 1e-6;

/// A bucket as a policy's configuration asks for it; see `bucket-rule` in the contract.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BucketRule {
    pub name: Arc<str>,
    /// Tokens that a bucket holds, or takes that a window allows.
    pub burst: u32,
    /// Tokens that come back a second; 0: none ever. Not read when there is a window.
    pub per_second: f64,
    /// The length of the window; 0: a token bucket.
    pub window_ms: u32,
}

/// Why a rule makes no bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RuleError {
    #[error("a bucket needs a name")]
    Nameless,
    #[error("a bucket's burst is at least 1")]
    NoBurst,
    #[error("a bucket's rate is a number that is not negative")]
    Rate,
}

/// The answer of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    pub allowed: bool,
    /// What could still be taken at once.
    pub remaining: u32,
    /// After how many milliseconds the same take is allowed if no one else takes: exact for token buckets and for
    /// windows up to a burst of 1024. 0 when allowed, `u32::MAX` when it never is.
    pub retry_after_ms: u32,
}

/// What is known of one subject in one bucket.
#[derive(Debug)]
pub(super) enum Cell {
    Tokens(Tokens),
    Window(Window),
}

#[derive(Debug)]
pub(super) struct Tokens {
    tokens: f64,
    at: u64,
    /// The rule's numbers at the last take: what `tokens` is a part of, and how fast it grows.
    burst: u32,
    per_ms: f64,
}

#[derive(Debug, Default)]
pub(super) struct Window {
    /// Oldest first. As many as milliseconds, or granules, in which something was taken.
    stamps: VecDeque<Stamp>,
    /// The sum of their counts.
    taken: u32,
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

// === impl BucketRule ===

impl BucketRule {
    pub(crate) fn check(&self) -> Result<(), RuleError> {
        if self.name.is_empty() {
            return Err(RuleError::Nameless);
        }
        if self.burst == 0 {
            return Err(RuleError::NoBurst);
        }
        if !(self.per_second.is_finite() && self.per_second >= 0.0) {
            return Err(RuleError::Rate);
        }
        Ok(())
    }

    fn per_ms(&self) -> f64 {
        // A rule that was never checked refills nothing rather than everything.
        if self.per_second.is_finite() {
            self.per_second.max(0.0) / 1000.0
        } else {
            0.0
        }
    }
}

// === impl Decision ===

impl Decision {
    fn allow(remaining: u32) -> Self {
        Self {
            allowed: true,
            remaining,
            retry_after_ms: 0,
        }
    }

    fn deny(remaining: u32, wait: u64) -> Self {
        Self {
            allowed: false,
            remaining,
            retry_after_ms: u32::try_from(wait).unwrap_or(u32::MAX),
        }
    }
}

// === impl Cell ===

impl Cell {
    pub(super) fn new(rule: &BucketRule, now: u64) -> Self {
        if rule.window_ms == 0 {
            Self::Tokens(Tokens {
                tokens: f64::from(rule.burst),
                at: now,
                burst: rule.burst,
                per_ms: rule.per_ms(),
            })
        } else {
            Self::Window(Window::default())
        }
    }

    /// With `tight`, a window that would need one more time stamp is kept in a 64th of its length from then on: it
    /// may deny that much too early, and never allows more.
    pub(super) fn take(&mut self, rule: &BucketRule, cost: u32, now: u64, tight: bool) -> Decision {
        if matches!(self, Self::Tokens(_)) != (rule.window_ms == 0) {
            *self = Self::new(rule, now);
        }
        match self {
            Self::Tokens(tokens) => tokens.take(rule, cost, now),
            Self::Window(window) => window.take(rule, cost, now, tight),
        }
    }

    /// From when on it is as if nothing had ever been taken.
    pub(super) fn recovers_at(&self) -> u64 {
        match self {
            Self::Tokens(tokens) => tokens.full_at(),
            Self::Window(window) => window.empty_at,
        }
    }

    /// What could be taken at once, by the rule of the last take.
    pub(super) fn remaining(&self, now: u64) -> u32 {
        match self {
            Self::Tokens(tokens) => whole(tokens.there(tokens.burst, tokens.per_ms, now)),
            Self::Window(window) => window.remaining(now),
        }
    }

    pub(super) fn stamps(&self) -> usize {
        match self {
            Self::Tokens(_) => 0,
            Self::Window(window) => window.stamps.len(),
        }
    }
}

// === impl Tokens ===

impl Tokens {
    fn take(&mut self, rule: &BucketRule, cost: u32, now: u64) -> Decision {
        // Threads read the clock before they get here, so it can seem to go back.
        let now = now.max(self.at);
        let per_ms = rule.per_ms();
        let there = self.there(rule.burst, per_ms, now);
        let missing = f64::from(cost) - there;
        if missing <= ROUNDING {
            let left = (there - f64::from(cost)).max(0.0);
            if cost > 0 {
                self.tokens = left;
                self.at = now;
                self.burst = rule.burst;
                self.per_ms = per_ms;
            }
            return Decision::allow(whole(left));
        }
        // Nothing is written, so that no rounding adds up while a client keeps asking.
        let wait = if cost > rule.burst {
            u64::MAX
        } else {
            wait(missing, per_ms)
        };
        Decision::deny(whole(there), wait)
    }

    /// Reckoned when somebody asks, because a take has no use for it.
    fn full_at(&self) -> u64 {
        let missing = f64::from(self.burst) - self.tokens;
        self.at.saturating_add(wait(missing, self.per_ms))
    }

    /// The tokens there are. A bucket whose size has changed is filled to the same part as before; what has come
    /// back since the last take has done so at the new rate.
    fn there(&self, burst: u32, per_ms: f64, now: u64) -> f64 {
        let held = if burst == self.burst {
            self.tokens
        } else {
            self.tokens * f64::from(burst) / f64::from(self.burst.max(1))
        };
        let back = now.saturating_sub(self.at) as f64 * per_ms;
        (held + back).min(f64::from(burst))
    }
}

fn whole(tokens: f64) -> u32 {
    (tokens + ROUNDING) as u32
}

/// Milliseconds until `missing` tokens have come back.
fn wait(missing: f64, per_ms: f64) -> u64 {
    if missing <= ROUNDING {
        return 0;
    }
    // Dividing by 0 gives infinity, which the conversion cuts to the largest number: never.
    (((missing - ROUNDING) / per_ms).ceil() as u64).max(1)
}

// === impl Window ===

impl Window {
    /// A take at `t` is in the window until `t + window_ms`, and no longer at that moment: any stretch of that
    /// length that includes one of its ends has at most `burst`.
    fn take(&mut self, rule: &BucketRule, cost: u32, now: u64, tight: bool) -> Decision {
        let window = u64::from(rule.window_ms);
        let now = now.max(self.seen);
        self.seen = now;
        self.slide(window, now);
        let left = rule.burst.saturating_sub(self.taken);
        if cost > left {
            return Decision::deny(left, self.wait(rule, cost, now));
        }
        if cost > 0 {
            self.push(rule, cost, now, tight);
            self.empty_at = now.saturating_add(window);
            self.burst = rule.burst;
            self.window_ms = rule.window_ms;
        }
        Decision::allow(left - cost)
    }

    fn slide(&mut self, window: u64, now: u64) {
        while let Some(first) = self.stamps.front() {
            if first.at.saturating_add(window) > now {
                break;
            }
            self.taken -= first.count;
            self.stamps.pop_front();
        }
        if self.stamps.is_empty() {
            self.coarse = false;
        }
        if self.stamps.capacity() > 64 && self.stamps.len() < self.stamps.capacity() / 4 {
            self.stamps.shrink_to(self.stamps.len() * 2);
        }
    }

    fn push(&mut self, rule: &BucketRule, cost: u32, now: u64, tight: bool) {
        self.taken += cost;
        if self.extend(granule(rule, self.coarse), cost, now) {
            return;
        }
        if tight && !self.coarse {
            self.coarse = true;
            let granule = granule(rule, true);
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

    fn remaining(&self, now: u64) -> u32 {
        let window = u64::from(self.window_ms);
        let left = |stamp: &&Stamp| stamp.at.saturating_add(window) <= now;
        let gone: u32 = self.stamps.iter().take_while(left).map(|s| s.count).sum();
        self.burst.saturating_sub(self.taken - gone)
    }

    /// How long until `cost` fits.
    fn wait(&self, rule: &BucketRule, cost: u32, now: u64) -> u64 {
        if cost > rule.burst {
            return u64::MAX;
        }
        let mut taken = self.taken;
        for stamp in &self.stamps {
            taken -= stamp.count;
            if taken <= rule.burst - cost {
                return (stamp.at + u64::from(rule.window_ms)).saturating_sub(now);
            }
        }
        0
    }
}

fn granule(rule: &BucketRule, coarse: bool) -> u64 {
    let granules = match (coarse, rule.burst) {
        (true, _) => COARSE,
        (false, 0..=EXACT) => return 1,
        (false, _) => EXACT,
    };
    u64::from(rule.window_ms.div_ceil(granules)).max(1)
}
