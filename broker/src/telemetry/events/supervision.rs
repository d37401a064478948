//! Whether the process is whole, and who is told of it.

use std::time::Duration;

use tracing::{error, warn};

use super::{NODE, millis};
use crate::telemetry::metrics::metrics;
use crate::telemetry::throttle::Throttle;

/// A reactor has not answered in time: its clients wait for it.
pub(crate) struct ReactorSilent {
    pub reactor: usize,
    pub patience: Duration,
}

impl ReactorSilent {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        metrics().supervision.silent.inc();
        if let Some(suppressed) = THROTTLE.admit() {
            error!(
                target: NODE,
                reactor = self.reactor,
                patience_ms = millis(self.patience),
                suppressed,
                "reactor does not answer"
            );
        }
    }
}

/// The supervisor that started the process does not take what it is told.
pub(crate) struct SupervisorUntold<'a> {
    pub error: &'a std::io::Error,
}

impl SupervisorUntold<'_> {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        metrics().supervision.untold.inc();
        if let Some(suppressed) = THROTTLE.admit() {
            warn!(target: NODE, reason = %self.error, suppressed, "supervisor not told");
        }
    }
}
