//! What carries messages from node to node. NATS does; in unit tests a network within the process.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::sync::watch;

use crate::fanout::nodes::NodeId;
use crate::nats::State;

/// Whom a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// The sockets of a node.
    Sockets(NodeId),
    /// The node itself.
    Node(NodeId),
    /// Every node, the sender included.
    All,
}

/// A message was not sent.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the message of {0} bytes is too large")]
    TooLarge(usize),
    #[error("{0}")]
    Failed(String),
}

/// What comes for a node. Each keeps the order of its senders.
pub(crate) struct Streams {
    pub sockets: BoxStream<'static, Bytes>,
    /// For the node, and for all.
    pub control: BoxStream<'static, Bytes>,
}

pub(crate) trait Link: Send + Sync + 'static {
    fn state(&self) -> watch::Receiver<State>;

    /// Bytes of the largest message that it carries now.
    fn largest(&self) -> usize;

    /// Hands a message over, in the order of the calls. Whether it arrives is for the receiver to notice.
    fn send(&self, to: To, message: Bytes) -> BoxFuture<'_, Result<(), LinkError>>;

    /// Ends when what was handed over has been written.
    fn flush(&self) -> BoxFuture<'_, ()>;

    /// Begins to take what comes.
    fn open(&self, id: NodeId) -> BoxFuture<'_, Result<Streams, LinkError>>;
}
