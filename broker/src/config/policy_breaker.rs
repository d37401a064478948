//! `[policy.breaker]`: when a policy that keeps failing is not called for a while.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::section::Section;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PolicyBreaker {
    /// Failing calls that open it; 0: it never opens.
    pub failures: u32,
    /// The time in which they have to happen.
    pub window: Duration,
    /// How long no call is made, at first.
    pub backoff: Duration,
    /// And at most: each trial that fails doubles it.
    pub max_backoff: Duration,
}

const FAILURES: RangeInclusive<u32> = 0..=1_000_000;
const TIMES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);

impl PolicyBreaker {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let failures = s.within(
            "failures",
            "10",
            "Failing calls that open the breaker, of any one socket at most a third of them; 0 turns it off.",
            (FAILURES, "0 to 1000000"),
        );
        let window = time(s, "window", "10s", "The time in which they have to happen.");
        let backoff = time(
            s,
            "backoff",
            "1s",
            "How long the policy is not called then; one call after that tries whether it works again.",
        );
        let max_backoff = time(
            s,
            "max_backoff",
            "1m",
            "The longest that it is not called: each try that fails doubles the time.",
        );
        if TIMES.contains(&backoff) && max_backoff < backoff {
            let expected = Some("at least `backoff`");
            s.complain("max_backoff", "is less than `backoff`", expected);
        }
        Self {
            failures,
            window,
            backoff,
            max_backoff,
        }
    }
}

fn time(
    s: &mut Section<'_, '_>,
    key: &'static str,
    default: &'static str,
    doc: &'static str,
) -> Duration {
    s.within(key, default, doc, (TIMES, "1ms to 1h"))
}

#[cfg(test)]
impl Default for PolicyBreaker {
    /// As with nothing configured.
    fn default() -> Self {
        Self {
            failures: 10,
            window: Duration::from_secs(10),
            backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(60),
        }
    }
}
