//! Whether the process is whole, in numbers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::add;

pub(crate) struct Supervision {
    /// Times that a reactor was asked whether it is there, and did not answer in time.
    pub silent: Counter,
    /// Times that the supervisor did not take what it was told.
    pub untold: Counter,
}

impl Supervision {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            silent: add(
                r,
                "reactor_silent",
                "Times that a reactor did not answer in time when it was asked whether it is there",
            ),
            untold: add(
                r,
                "supervisor_untold",
                "Times that the supervisor of the process did not take what it was told",
            ),
        }
    }
}
