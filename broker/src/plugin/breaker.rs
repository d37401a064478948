//! A policy's breaker: one that keeps failing is not called for a while, so that it costs nothing but its verdicts.
//!
//! It is closed, open or half-open, in one place for all reactors. Closed, calls are made, and a call costs it two loads.
//! It opens when, within a window that begins with a failure, enough calls have failed, *and at least as many as have
//! not*. Both are counted by socket, and no socket counts for more than a third of what opens it: a client that knows
//! what makes a policy fail would otherwise switch the policy off for everyone, by failing over and over. As it is,
//! those for whom it fails have to be as many as those for whom it works meanwhile. What one client costs beyond that,
//! its own budget bounds (`budget.rs`). Open, no call is made until the back-off has passed. Then one call is made, and
//! meanwhile no other (half-open): it closes the breaker, or opens it again for twice as long. Who made that one fail
//! is not the next to try. Closed again, a window begins, so that those for whom it works are heard first.
//!
//! A new generation of a policy begins with a closed one.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use super::slots;
use crate::config::PolicyBreaker;

/// Bytes kept of what the last fault said.
const LONGEST_FAULT: usize = 256;

/// Part of the back-off that chance may take away, so that nodes which share a cause do not try it all at once.
const JITTER: f64 = 0.25;

/// The state as calls see it. `Relaxed` is enough: it guards no data, and whoever changes it holds the lock.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// The policy's.
    id: u64,
    settings: PolicyBreaker,
    /// The time from which all others are counted, in milliseconds.
    start: Instant,
    state: AtomicU8,
    /// When the window ends, or the back-off.
    until: AtomicU64,
    /// The number of the window, for what threads remember of it.
    window: AtomicU32,
    /// Calls of the window that did not fail, as far as they count.
    worked: AtomicU32,
    inner: Mutex<Inner>,
}

/// Closed, and nothing has failed for a while: what works is not counted.
const QUIET: u8 = 0;
/// Closed, and a window runs, in which calls that work are counted too.
const WATCHING: u8 = 1;
const OPEN: u8 = 2;
const HALF_OPEN: u8 = 3;

#[derive(Debug)]
struct Inner {
    /// Calls of the window that failed, as far as they count.
    failed: u32,
    /// All of them, and the trials that failed since.
    failures: u64,
    last_fault: Option<String>,
    /// Since when it has been open, or closed.
    since: u64,
    backoff: Duration,
    /// The socket whose trial failed last.
    tried: Option<u64>,
}

/// The right to make a call. A trial that is given up without an end is another call's to make.
#[must_use]
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    /// Of a trial only.
    trial: Option<&'a Breaker>,
}

/// What the end of a call has changed, to be told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// No call is made for this long, after so many failures.
    Opened { failures: u64, pause: Duration },
    /// It has been open for this long.
    Closed { open_for: Duration },
}

/// A breaker as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BreakerStatus {
    pub state: BreakerState,
    /// Half-open counts as open.
    pub since: SystemTime,
    pub open_for: Duration,
    /// In the window that runs or that opened it, with the trials since.
    pub failures: u64,
    pub last_fault: Option<String>,
    /// When a call will be tried.
    pub retry_at: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BreakerState {
    Closed,
    Open,
    HalfOpen,
}

// === impl Breaker ===

impl Breaker {
    pub(crate) fn new(id: u64, settings: PolicyBreaker, now: Instant) -> Self {
        Self {
            id,
            settings,
            start: now,
            state: AtomicU8::new(QUIET),
            until: AtomicU64::new(0),
            window: AtomicU32::new(0),
            worked: AtomicU32::new(0),
            inner: Mutex::new(Inner {
                failed: 0,
                failures: 0,
                last_fault: None,
                since: 0,
                backoff: settings.backoff,
                tried: None,
            }),
        }
    }

    /// Whether a call may be made for a socket. `try_out`: it may be the one that is tried when the back-off has
    /// passed. `now` is asked only if it matters.
    pub(crate) fn may_call(
        &self,
        socket: u64,
        try_out: bool,
        now: impl FnOnce() -> Instant,
    ) -> Option<Permit<'_>> {
        match self.state.load(Ordering::Relaxed) {
            QUIET | WATCHING => Some(Permit { trial: None }),
            OPEN if try_out => {
                let now = now();
                let is_due = self.at(now) >= self.until.load(Ordering::Relaxed);
                is_due.then(|| self.trial(socket, now)).flatten()
            }
            _ => None,
        }
    }

    fn trial(&self, socket: u64, now: Instant) -> Option<Permit<'_>> {
        let inner = self.inner.lock();
        // Another thread may have been here meanwhile.
        match self.state.load(Ordering::Relaxed) {
            QUIET | WATCHING => return Some(Permit { trial: None }),
            OPEN => {}
            _ => return None,
        }
        let mut due = self.until.load(Ordering::Relaxed);
        if inner.tried == Some(socket) {
            // Whoever makes it fail and asks often would be the one to try it every time. So others come first.
            due = due.saturating_add(millis(inner.backoff));
        }
        if self.at(now) < due {
            return None;
        }
        self.state.store(HALF_OPEN, Ordering::Relaxed);
        Some(Permit { trial: Some(self) })
    }

    /// Takes note of how a call ended: `fault` tells how it failed. What works costs two loads, unless something has
    /// failed lately.
    pub(crate) fn ended(
        &self,
        mut permit: Permit<'_>,
        socket: u64,
        fault: Option<&str>,
        now: impl FnOnce() -> Instant,
    ) -> Option<Change> {
        if permit.trial.take().is_some() {
            return self.tried(socket, fault, now());
        }
        match (fault, self.state.load(Ordering::Relaxed)) {
            (None, WATCHING) => self.worked(socket, now()),
            (Some(fault), QUIET | WATCHING) => return self.failed(socket, fault, now()),
            // It began before the breaker opened, and changes nothing.
            _ => {}
        }
        None
    }

    fn worked(&self, socket: u64, now: Instant) {
        if self.at(now) >= self.until.load(Ordering::Relaxed) {
            let mut inner = self.inner.lock();
            if self.state.load(Ordering::Relaxed) == WATCHING && self.window_is_over(now) {
                self.state.store(QUIET, Ordering::Relaxed);
                inner.failures = 0;
            }
            return;
        }
        let window = self.window.load(Ordering::Relaxed);
        if slots::counts(self.id, window, socket, false, self.share()) {
            self.worked.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn failed(&self, socket: u64, fault: &str, now: Instant) -> Option<Change> {
        if self.settings.failures == 0 {
            return None;
        }
        let mut inner = self.inner.lock();
        match self.state.load(Ordering::Relaxed) {
            WATCHING if !self.window_is_over(now) => {}
            QUIET | WATCHING => self.watch(&mut inner, now),
            _ => return None,
        }
        inner.failures += 1;
        inner.last_fault = Some(clip(fault));
        let window = self.window.load(Ordering::Relaxed);
        if slots::counts(self.id, window, socket, true, self.share()) {
            inner.failed = inner.failed.saturating_add(1);
        }
        let is_enough = inner.failed >= self.settings.failures;
        if !is_enough || inner.failed < self.worked.load(Ordering::Relaxed) {
            return None;
        }
        inner.since = self.at(now);
        inner.backoff = self.settings.backoff;
        inner.tried = None;
        let pause = self.open(&inner, now);
        Some(Change::Opened {
            failures: inner.failures,
            pause,
        })
    }

    /// Begins a window.
    fn watch(&self, inner: &mut Inner, now: Instant) {
        inner.failed = 0;
        inner.failures = 0;
        self.worked.store(0, Ordering::Relaxed);
        self.window.fetch_add(1, Ordering::Relaxed);
        self.last_until(now, self.settings.window);
        self.state.store(WATCHING, Ordering::Relaxed);
    }

    /// A trial has ended.
    fn tried(&self, socket: u64, fault: Option<&str>, now: Instant) -> Option<Change> {
        let mut inner = self.inner.lock();
        let Some(fault) = fault else {
            let open_for = self.at(now).saturating_sub(inner.since);
            inner.since = self.at(now);
            // Whoever it works for is heard at once, before those who might want to open it again.
            self.watch(&mut inner, now);
            return Some(Change::Closed {
                open_for: Duration::from_millis(open_for),
            });
        };
        inner.failures += 1;
        inner.last_fault = Some(clip(fault));
        inner.tried = Some(socket);
        let doubled = inner.backoff.saturating_mul(2);
        inner.backoff = doubled.min(self.settings.max_backoff);
        self.open(&inner, now);
        None
    }

    /// Makes no calls for the back-off, or a little less.
    fn open(&self, inner: &Inner, now: Instant) -> Duration {
        let pause = inner.backoff.mul_f64(1.0 - JITTER * rand::random::<f64>());
        self.last_until(now, pause);
        self.state.store(OPEN, Ordering::Relaxed);
        pause
    }

    /// How it stands; `wall` is the same moment as `now`.
    pub(crate) fn status(&self, now: Instant, wall: SystemTime) -> BreakerStatus {
        let inner = self.inner.lock();
        let state = match self.state.load(Ordering::Relaxed) {
            QUIET | WATCHING => BreakerState::Closed,
            OPEN => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        };
        let is_closed = state == BreakerState::Closed;
        let is_over = is_closed && self.window_is_over(now);
        let lasted = Duration::from_millis(self.at(now).saturating_sub(inner.since));
        let until = self.until.load(Ordering::Relaxed);
        let rest = Duration::from_millis(until.saturating_sub(self.at(now)));
        let retry_at = wall.checked_add(rest).unwrap_or(wall);
        BreakerStatus {
            state,
            since: wall.checked_sub(lasted).unwrap_or(wall),
            open_for: if is_closed { Duration::ZERO } else { lasted },
            failures: if is_over { 0 } else { inner.failures },
            last_fault: inner.last_fault.clone(),
            retry_at: (state == BreakerState::Open).then_some(retry_at),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state.load(Ordering::Relaxed), QUIET | WATCHING)
    }

    /// What one socket may add to either count in a window.
    fn share(&self) -> u32 {
        (self.settings.failures / 3).max(1)
    }

    fn window_is_over(&self, now: Instant) -> bool {
        self.at(now) >= self.until.load(Ordering::Relaxed)
    }

    fn last_until(&self, now: Instant, time: Duration) {
        let until = self.at(now).saturating_add(millis(time));
        self.until.store(until, Ordering::Relaxed);
    }

    /// Threads may bring times a little out of order, but none from before the start.
    fn at(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.start))
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(breaker) = self.trial.take() {
            let _changing = breaker.inner.lock();
            breaker.state.store(OPEN, Ordering::Relaxed);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A policy says what it likes when it fails.
fn clip(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST_FAULT);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
