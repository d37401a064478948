//! The time that policies are told: the machine's, or that of events which are played again.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::rehearsal::Rehearsal;
use crate::moment::Moment;
use crate::state::Millis;

/// Where the time comes from.
#[derive(Debug, Clone)]
pub(crate) enum Clock {
    System,
    /// Set by whoever plays the events.
    Rehearsal(Arc<Rehearsal>),
}

impl Clock {
    /// Milliseconds since the Unix epoch.
    pub(super) fn epoch_ms(&self) -> u64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as u64),
            Self::Rehearsal(rehearsal) => rehearsal.now(),
        }
    }

    /// What limits count by: no change of the machine's time moves it.
    pub(super) fn millis(&self) -> Millis {
        match self {
            Self::System => Millis::now(),
            Self::Rehearsal(rehearsal) => Millis::at(rehearsal.now()),
        }
    }

    /// The same for a moment that has been read already.
    pub(super) fn millis_at(&self, moment: Moment) -> Millis {
        match self {
            Self::System => Millis::of(moment),
            Self::Rehearsal(rehearsal) => Millis::at(rehearsal.now()),
        }
    }

    /// Where a policy is not serving clients but tried out.
    pub(super) fn rehearsal(&self) -> Option<&Arc<Rehearsal>> {
        match self {
            Self::System => None,
            Self::Rehearsal(rehearsal) => Some(rehearsal),
        }
    }
}
