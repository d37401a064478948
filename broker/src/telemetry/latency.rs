//! A histogram of durations that reactors can write at once: the library's has a mutex, and every event writes here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

use super::spread::{PLACES, add, place};

/// Upper bounds in nanoseconds: a native call takes less than the first, a policy's deadline is at most the last.
const BOUNDS: [u64; 20] = [
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
];

#[derive(Debug, Clone, Default)]
pub(super) struct Latency(Arc<Inner>);

/// Each thread's part by itself; see `spread`.
#[derive(Debug, Default)]
struct Inner([Part; PLACES]);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Part {
    /// One more than bounds: what is above the last.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum: AtomicU64,
}

impl Latency {
    pub(super) fn observe(&self, nanos: u64) {
        // From the front: nearly all calls are in the first few.
        let bucket = BOUNDS.iter().position(|bound| nanos <= *bound);
        let bucket = bucket.unwrap_or(BOUNDS.len());
        let place = place();
        let Some(part) = self.0.0.get(place) else {
            return;
        };
        if let Some(bucket) = part.buckets.get(bucket) {
            add(bucket, 1, place);
        }
        add(&part.sum, nanos, place);
    }

    /// How many there are in each bucket.
    fn counts(&self) -> [u64; BOUNDS.len() + 1] {
        let mut counts = [0; BOUNDS.len() + 1];
        for part in &self.0.0 {
            for (count, bucket) in counts.iter_mut().zip(&part.buckets) {
                *count += bucket.load(Ordering::Relaxed);
            }
        }
        counts
    }
}

/// How many took how long, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Durations([u64; BOUNDS.len() + 1]);

impl Latency {
    pub(super) fn durations(&self) -> Durations {
        Durations(self.counts())
    }

    pub(super) fn quantile(&self, part: f64) -> Option<Duration> {
        self.durations().quantile(part)
    }
}

impl Durations {
    /// Those that came after an earlier moment.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut counts = self.0;
        for (count, before) in counts.iter_mut().zip(earlier.0) {
            *count = count.saturating_sub(before);
        }
        Self(counts)
    }

    /// Linear inside a bucket, as Prometheus' `histogram_quantile`. What is above the last bound counts as that.
    pub(crate) fn quantile(&self, part: f64) -> Option<Duration> {
        let counts = &self.0;
        let total: u64 = counts.iter().sum();
        let rank = part * total as f64;
        let mut below = 0;
        let mut lower = 0;
        for (bound, count) in BOUNDS.into_iter().zip(counts) {
            let through = below + count;
            if *count > 0 && through as f64 >= rank {
                let share = (rank - below as f64) / *count as f64;
                let nanos = lower as f64 + (bound - lower) as f64 * share;
                return Some(Duration::from_nanos(nanos as u64));
            }
            (below, lower) = (through, bound);
        }
        (total > 0).then(|| Duration::from_nanos(lower))
    }
}

impl TypedMetric for Latency {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Latency {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let bounds = BOUNDS.iter().map(|nanos| *nanos as f64 / 1e9);
        // Each is read once, so that the count is what the buckets add up to.
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(self.counts()).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sums = self.0.0.iter().map(|part| part.sum.load(Ordering::Relaxed));
        let sum = sums.sum::<u64>() as f64 / 1e9;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_in_the_buckets_that_hold_them() {
        let latency = Latency::default();
        assert_eq!(latency.quantile(0.5), None);
        for _ in 0..98 {
            latency.observe(1_500);
        }
        latency.observe(150_000);
        latency.observe(150_000);
        let half = latency.quantile(0.5).unwrap();
        assert!(half > Duration::from_nanos(1_000) && half <= Duration::from_nanos(2_000));
        let most = latency.quantile(0.99).unwrap();
        assert!(most > Duration::from_micros(100) && most <= Duration::from_micros(200));
        let before = latency.durations();
        latency.observe(5_000_000_000);
        let after = latency.durations().since(&before);
        assert_eq!(after.quantile(0.01), Some(Duration::from_secs(1)));
        assert_eq!(latency.quantile(1.0), Some(Duration::from_secs(1)));
    }
}
