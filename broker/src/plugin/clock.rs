//! The time that policies are told: the machine's, or that of a recording which is played again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::state::Millis;

/// Where the time comes from.
#[derive(Debug, Clone)]
pub(crate) enum Clock {
    System,
    /// Milliseconds since the Unix epoch, set by whoever plays events again.
    #[allow(dead_code, reason = "nothing plays events yet")]
    Set(Arc<AtomicU64>),
}

impl Clock {
    /// Milliseconds since the Unix epoch.
    pub(super) fn epoch_ms(&self) -> u64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as u64),
            Self::Set(time) => time.load(Ordering::Relaxed),
        }
    }

    /// What limits count by: no change of the machine's time moves it.
    pub(super) fn millis(&self) -> Millis {
        match self {
            Self::System => Millis::now(),
            Self::Set(time) => Millis::at(time.load(Ordering::Relaxed)),
        }
    }
}
