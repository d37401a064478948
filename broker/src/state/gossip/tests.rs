//! Several nodes in one process, with a network that is late, cut, or loses messages.

mod buckets;
mod distrust;
mod entries;
mod net;

use std::time::Duration;

use super::super::{Decision, Partition};
use super::*;
use crate::state::news::OfBucket;
use net::{Net, linked, without};

const TERMS: Terms = Terms {
    partition: Partition::Divide,
    missing: Duration::from_secs(60),
};

/// Between two messages of a node, and how long one is on its way.
const TICK: u64 = 100;
const LATE: u64 = 30;

fn tokens(burst: u32, per_second: f64) -> BucketRule {
    BucketRule {
        name: "b".into(),
        burst,
        per_second,
        window_ms: 0,
        scope: Scope::Cluster,
    }
}

fn window(burst: u32, window_ms: u32) -> BucketRule {
    BucketRule {
        window_ms,
        ..tokens(burst, 0.0)
    }
}

fn total(given: &[u64]) -> u64 {
    given.iter().sum()
}
