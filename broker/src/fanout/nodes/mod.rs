//! Other nodes, as far as the fan-out needs to know: what waits for the way to them, and what they are told of the
//! rooms here. No network: `crate::cluster` empties the outbox, and says who has what.

pub(crate) mod bundle;
mod interest;
mod outbox;
pub(crate) mod parts;
mod wire;

use crate::config;

pub(crate) use interest::{Changes, Interest, News, Snapshot, bucket_of};
pub(crate) use outbox::{Mark, Outbox, Parcel};
pub(crate) use wire::{Content, READS, read};

/// What other nodes have to be told.
pub(crate) struct Nodes {
    pub(crate) outbox: Outbox,
    pub(crate) interest: Interest,
}

/// A node, by the number that is its name.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub(crate) struct NodeId(pub u64);

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl NodeId {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }

    /// What the names of its sockets begin with, so that nobody has to be told of each.
    pub(crate) fn tag(self) -> [u8; TAG] {
        let [a, b, c, ..] = self.0.to_be_bytes();
        [a, b, c]
    }
}

/// Bytes of a tag: four characters of a name.
pub(crate) const TAG: usize = 3;

impl Nodes {
    pub(crate) fn new(id: NodeId, config: &config::Cluster) -> Self {
        Self {
            outbox: Outbox::new(id, config.max_queued_messages, config.max_queued_bytes),
            interest: Interest::new(config.max_rooms),
        }
    }
}
