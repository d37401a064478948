//! Tokens that come back with time, in one number (the generic cell rate algorithm, ITU-T I.371).

use std::time::Duration;

use crate::config::Rate;

/// The moment, in nanoseconds, at which it will be full again. One that is full is as a new one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bucket(u64);

impl Bucket {
    /// Takes one of as many as the rate has in a period. Otherwise the time until there is one.
    pub(super) fn take(&mut self, rate: Rate, now: u64) -> Result<(), Duration> {
        let period = u64::try_from(rate.period.as_nanos()).unwrap_or(u64::MAX);
        let each = period / u64::from(rate.count.max(1));
        // A rate that has become slower owes no more than its own period.
        let full = self.0.clamp(now, now.saturating_add(period));
        let then = full.saturating_add(each);
        let wait = then.saturating_sub(now).saturating_sub(period);
        if wait > 0 {
            return Err(Duration::from_nanos(wait));
        }
        self.0 = then;
        Ok(())
    }

    pub(super) fn is_full(self, now: u64) -> bool {
        self.0 <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        count: 10,
        period: Duration::from_secs(1),
    };
    const TENTH: u64 = 100_000_000;

    #[test]
    fn a_burst_and_then_the_pace() {
        let mut bucket = Bucket::default();
        let now = 7 * TENTH;
        for _ in 0..10 {
            assert_eq!(bucket.take(RATE, now), Ok(()));
        }
        assert_eq!(bucket.take(RATE, now), Err(Duration::from_millis(100)));
        // Being refused costs nothing.
        assert_eq!(bucket.take(RATE, now + TENTH), Ok(()));
        assert_eq!(
            bucket.take(RATE, now + TENTH + TENTH / 2),
            Err(Duration::from_millis(50))
        );
        assert!(!bucket.is_full(now + 10 * TENTH));
        assert!(bucket.is_full(now + 11 * TENTH));
        for _ in 0..10 {
            assert_eq!(bucket.take(RATE, now + 30 * TENTH), Ok(()));
        }
        assert!(bucket.take(RATE, now + 30 * TENTH).is_err());
    }

    #[test]
    fn another_rate_counts_from_now_on() {
        let mut bucket = Bucket::default();
        let slow = Rate {
            count: 1,
            period: Duration::from_secs(3600),
        };
        assert_eq!(bucket.take(slow, 0), Ok(()));
        assert!(bucket.take(slow, 0).is_err());
        // It owes a second at most.
        assert!(bucket.take(RATE, 0).is_err());
        assert_eq!(bucket.take(RATE, 36_000 * TENTH), Ok(()));
    }
}
