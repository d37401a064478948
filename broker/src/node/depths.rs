//! What waits in this node, when the metrics are read.

use super::Node;
use crate::admin;
use crate::telemetry::metrics::Depths;

impl Node {
    pub(crate) fn depths(&self) -> Depths {
        let (inboxes, outbox) = self.broker.fanout.depths();
        Depths {
            is_ready: admin::Node::not_ready(self).is_empty(),
            inboxes,
            outbox,
        }
    }
}
