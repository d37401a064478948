//! The arithmetic of one bucket: tokens that come back with time, or a [window](super::window) that slides.

use std::sync::Arc;

use super::window::Window;

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
    pub scope: Scope,
}

/// Where state is kept: by each node for itself, or by all nodes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    #[default]
    Node,
    Cluster,
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

    /// The part of it that belongs to `live` of `all` nodes. A burst is never less than 1: nothing could be taken.
    pub(super) fn part(&self, live: u32, all: u32) -> Self {
        let part = f64::from(live) / f64::from(all.max(1));
        Self {
            name: Arc::clone(&self.name),
            burst: ((f64::from(self.burst) * part) as u32).max(1),
            per_second: self.per_second * part,
            ..*self
        }
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
    pub(super) fn allow(remaining: u32) -> Self {
        Self {
            allowed: true,
            remaining,
            retry_after_ms: 0,
        }
    }

    pub(super) fn deny(remaining: u32, wait: u64) -> Self {
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

    /// Takes what another node has taken already, whatever there is: the bucket may be in debt after that, by no more
    /// than `most` bursts. `rule` is read where nothing has been taken here before.
    pub(super) fn debit(&mut self, rule: &BucketRule, count: u32, most: u32, now: u64) {
        match self {
            Self::Tokens(tokens) => tokens.debit(count, most, now),
            Self::Window(window) => window.debit(rule, count, most, now),
        }
    }

    /// From when on it is as if nothing had ever been taken.
    pub(super) fn recovers_at(&self) -> u64 {
        match self {
            Self::Tokens(tokens) => tokens.full_at(),
            Self::Window(window) => window.empty_at(),
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
            Self::Window(window) => window.stamps(),
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

    fn debit(&mut self, count: u32, most: u32, now: u64) {
        let now = now.max(self.at);
        let there = self.there(self.burst, self.per_ms, now);
        let deepest = -f64::from(self.burst) * f64::from(most);
        self.tokens = (there - f64::from(count)).max(deepest);
        self.at = now;
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
