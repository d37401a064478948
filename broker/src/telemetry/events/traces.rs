//! What happens to traces on their way to a collector.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::warn;

use super::{MAX_DETAIL, NODE, cut};
use crate::moment::Moment;
use crate::telemetry::metrics::{SpanOutcome, metrics};

/// A record in so many milliseconds: a collector that is away is away for every batch.
const A_RECORD: u64 = 60_000;

/// A collector did not take some spans.
pub(crate) struct TracesFailed<'a> {
    pub spans: usize,
    pub reason: &'a str,
}

impl TracesFailed<'_> {
    pub(crate) fn emit(self) {
        static LAST: AtomicU64 = AtomicU64::new(0);
        metrics().traces.spans(SpanOutcome::Failed, self.spans);
        let now = Moment::now().millis().max(1);
        let last = LAST.load(Ordering::Relaxed);
        if last != 0 && now.saturating_sub(last) < A_RECORD {
            return;
        }
        LAST.store(now, Ordering::Relaxed);
        warn!(
            target: NODE,
            spans = self.spans,
            reason = &*cut(self.reason, MAX_DETAIL),
            "traces not exported"
        );
    }
}
