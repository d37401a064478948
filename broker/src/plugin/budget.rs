//! What failing calls may cost.
//!
//! A call that runs over its deadline holds up its reactor for that long. One costs its client that event; thousands,
//! sent at once by a client that knows which input does it, would hold up everyone on the reactor for a minute. So
//! the time that failing calls take is budgeted, by socket and policy and by reactor and policy. When a budget is
//! used up, what would be the next failing call is not made: the event counts as failed at once.

use std::time::Duration;

use crate::moment::Moment;

/// Failing calls of one policy may take this much of each second that a socket sends.
pub(crate) const OF_A_SOCKET: Limit = Limit {
    most: Duration::from_millis(100),
    a_second: Duration::from_millis(100),
};

/// And this much of each second of a reactor, whoever sends: half of it is left to everyone else.
pub(crate) const OF_A_REACTOR: Limit = Limit {
    most: Duration::from_millis(500),
    a_second: Duration::from_millis(500),
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// What can be spent at once, after a time without failures.
    most: Duration,
    /// What comes back in a second.
    a_second: Duration,
}

/// The time that failing calls have cost, as far as it is not forgiven yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    spent: Duration,
    at: Moment,
}

impl Spent {
    pub(crate) fn nothing(now: Moment) -> Self {
        Self {
            spent: Duration::ZERO,
            at: now,
        }
    }

    /// Nothing more may be spent now.
    pub(crate) fn is_all(&self, limit: Limit, now: Moment) -> bool {
        self.left_over(limit, now) >= limit.most
    }

    /// As if nothing had ever been spent.
    pub(crate) fn is_forgiven(&self, limit: Limit, now: Moment) -> bool {
        self.left_over(limit, now).is_zero()
    }

    pub(crate) fn add(&mut self, cost: Duration, limit: Limit, now: Moment) {
        *self = Self {
            spent: self.left_over(limit, now) + cost,
            at: now,
        };
    }

    fn left_over(&self, limit: Limit, now: Moment) -> Duration {
        let forgiven = limit.a_second.mul_f64(now.since(self.at).as_secs_f64());
        self.spent.saturating_sub(forgiven)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit {
        most: Duration::from_millis(100),
        a_second: Duration::from_millis(50),
    };

    #[test]
    fn what_is_used_up_comes_back_with_time() {
        let start = Moment::now();
        let after = |ms| start.later(Duration::from_millis(ms));
        let mut spent = Spent::nothing(start);
        assert!(!spent.is_all(LIMIT, start));
        spent.add(Duration::from_millis(60), LIMIT, start);
        assert!(!spent.is_all(LIMIT, start));
        spent.add(Duration::from_millis(60), LIMIT, start);
        assert!(spent.is_all(LIMIT, start));
        assert!(spent.is_all(LIMIT, after(399)));
        assert!(!spent.is_all(LIMIT, after(401)));
        // What is spent in part is not forgotten.
        assert!(!spent.is_forgiven(LIMIT, after(2_399)));
        assert!(spent.is_forgiven(LIMIT, after(2_401)));
        spent.add(Duration::from_millis(10), LIMIT, after(10_000));
        assert!(!spent.is_all(LIMIT, after(10_000)));
    }
}
