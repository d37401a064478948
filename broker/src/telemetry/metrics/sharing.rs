//! What nodes share of the state of policies, in numbers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::add;

pub(crate) struct Sharing {
    pub told: Counter,
    pub heard: Counter,
    pub missed: Counter,
    pub forgotten: Counter,
    pub caught_up: Counter,
}

impl Sharing {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            told: add(
                r,
                "state_told",
                "Messages to other nodes about state of cluster scope",
            ),
            heard: add(
                r,
                "state_heard",
                "Messages of other nodes about state of cluster scope",
            ),
            missed: add(
                r,
                "state_missed",
                "Messages of other nodes about state of cluster scope that never came",
            ),
            forgotten: add(
                r,
                "state_forgotten",
                "Changes of state of cluster scope that other nodes were not told of, for want of room",
            ),
            caught_up: add(
                r,
                "state_caught_up",
                "Times that another node was asked for all of its state of cluster scope",
            ),
        }
    }
}
