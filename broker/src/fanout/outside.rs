//! Events that no client of this moment emits: of back ends, and those that were gathered. All reactors
//! that have somebody for them are handed them alike.

use std::sync::Arc;

use super::message::{Message, Receipt};
use super::waking::AtOnce;
use super::{Fanout, PATIENCE};
use crate::event::Event;
use crate::telemetry::trace;

impl Fanout {
    /// Delivers an event of a back end: to the sockets of any of the rooms (of the whole namespace where none is
    /// named) that are in none of `except`. The answer is the number of sockets of this node that it went to, known
    /// once all reactors have delivered it.
    pub(crate) async fn publish(
        &self,
        namespace: &str,
        rooms: &[String],
        except: &[String],
        event: &Event,
    ) -> usize {
        let rooms = Some(rooms).filter(|rooms| !rooms.is_empty());
        let presence = self.directory.presence(namespace);
        let peers = self
            .directory
            .with_members(namespace, presence.as_deref(), rooms, None);
        if peers.is_empty() {
            return 0;
        }
        let receipt = Arc::new(Receipt::new(self.shards_of(&peers).count()));
        let told = Some(receipt.clone());
        let span = trace::open("fanout");
        let name = presence.map_or_else(|| namespace.into(), |presence| presence.name.clone());
        let message = Message::new(&name, rooms, except, event, told);
        self.tell(&peers, message, &AtOnce);
        let complete = tokio::time::timeout(PATIENCE, receipt.complete());
        if complete.await.is_err() {
            for shard in self.shards_of(&peers) {
                while !receipt.is_complete() && shard.deliver_waiting() {}
            }
        }
        let deliveries = receipt.deliveries();
        if let Some(span) = span {
            span.with("sluice.recipients", deliveries).close();
        }
        deliveries
    }

    /// Whether anybody is in a namespace, on any node.
    pub(crate) fn has_sockets(&self, namespace: &str) -> bool {
        let presence = self.directory.presence(namespace);
        let all = None::<&[&str]>;
        let peers = self
            .directory
            .with_members(namespace, presence.as_deref(), all, None);
        !peers.is_empty()
    }

    /// Delivers an event of the broker's own to the members that a room has on this node.
    pub(crate) fn tell_here(&self, namespace: &Arc<str>, room: &str, event: Event) {
        let rooms = Some(vec![room.into()]);
        let message = Message::from_node(namespace.clone(), rooms, Vec::new(), event);
        self.deliver_from_nodes([message]);
    }

    /// Delivers an event of nobody in particular to everyone in the rooms (`None`: in the namespace), here and on other
    /// nodes. Events arrive in the order in which they are handed in, one call after the other.
    pub(crate) fn spread(&self, namespace: &Arc<str>, rooms: Option<&[Arc<str>]>, event: &Event) {
        let presence = self.directory.presence(namespace);
        let peers = self
            .directory
            .with_members(namespace, presence.as_deref(), rooms, None);
        if !peers.is_empty() {
            let message = Message::new(namespace, rooms, &[], event, None);
            self.tell(&peers, message, &AtOnce);
        }
    }
}
