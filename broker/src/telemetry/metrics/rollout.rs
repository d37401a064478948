//! Modules that all nodes are to serve, in numbers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::add;

pub(crate) struct Rollouts {
    pub completed: Counter,
    pub refused: Counter,
    pub followed: Counter,
    pub failed: Counter,
    /// Modules that went from the store.
    pub deleted: Counter,
    /// Attempts at that which failed.
    pub untidy: Counter,
}

impl Rollouts {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            completed: add(
                r,
                "rollouts_completed",
                "Modules that were rolled out to all nodes through this one",
            ),
            refused: add(
                r,
                "rollouts_refused",
                "Modules that were to be rolled out through this node and serve nowhere",
            ),
            followed: add(
                r,
                "rollouts_followed",
                "Modules of the cluster that this node loaded because it had missed their roll-out",
            ),
            failed: add(
                r,
                "rollouts_failed",
                "Modules of the cluster that this node could not load",
            ),
            deleted: add(
                r,
                "rollouts_modules_deleted",
                "Modules that no node needs any more and that this one deleted from the store of the cluster",
            ),
            untidy: add(
                r,
                "rollouts_tidying_failed",
                "Times that this node could not delete what no node needs any more",
            ),
        }
    }
}
