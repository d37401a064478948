//! The link over NATS: a subject for the sockets of each node, one for each node itself, one for all.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::select;
use tokio::sync::watch;

use super::link::{Link, LinkError, Streams, To};
use crate::fanout::nodes::NodeId;
use crate::nats::{Nats, State};

impl Link for Arc<Nats> {
    fn state(&self) -> watch::Receiver<State> {
        self.watch()
    }

    fn largest(&self) -> usize {
        self.client().max_payload()
    }

    fn send(&self, to: To, message: Bytes) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async move {
            let subject = match to {
                To::Sockets(node) => self.subjects.node(node),
                To::Node(node) => self.subjects.to_node(node),
                To::All => self.subjects.to_all(),
            };
            let size = message.len();
            // The server closes the connection over a message that it does not take.
            if size > self.largest() {
                return Err(LinkError::TooLarge(size));
            }
            let failed = |error: async_nats::PublishError| LinkError::Failed(error.to_string());
            self.client()
                .publish(subject, message)
                .await
                .map_err(failed)
        })
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move { drop(self.client().flush().await) })
    }

    fn open(&self, id: NodeId) -> BoxFuture<'_, Result<Streams, LinkError>> {
        Box::pin(async move {
            let failed = |error: async_nats::SubscribeError| LinkError::Failed(error.to_string());
            let subscribe = |subject: String| async {
                let messages = self.client().subscribe(subject).await.map_err(failed)?;
                Ok(messages.map(|message| message.payload))
            };
            let all = subscribe(self.subjects.to_all()).await?;
            let own = subscribe(self.subjects.to_node(id)).await?;
            Ok(Streams {
                sockets: subscribe(self.subjects.node(id)).await?.boxed(),
                control: select(all, own).boxed(),
            })
        })
    }
}
