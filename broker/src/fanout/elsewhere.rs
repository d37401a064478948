//! The fan-out as other nodes' messages find it, and what it is told of them.

use super::nodes::NodeId;
use super::waking::AtEnd;
use super::{Fanout, Message};

impl Fanout {
    /// Delivers what other nodes have sent to those that are here. It has been policed there. Reactors are woken when
    /// all of it has been handed in, so that they write once to each client.
    pub(crate) fn deliver_from_nodes(&self, messages: impl IntoIterator<Item = Message>) {
        let wakes = AtEnd::default();
        for message in messages {
            self.deliver_from_node(message, &wakes);
        }
        wakes.wake();
    }

    fn deliver_from_node(&self, message: Message, wakes: &AtEnd) {
        // They left while it was under way.
        let Some(presence) = self.directory.presence(&message.namespace) else {
            return;
        };
        let rooms = message.rooms.as_deref();
        let (namespace, presence) = (&message.namespace, Some(&*presence));
        let peers = self
            .directory
            .with_members(namespace, presence, rooms, None)
            .below(self.shards.len());
        self.tell(&peers, message, wakes);
    }

    /// A node takes a place among the peers. `reads`: what it says it does.
    pub(crate) fn open_node(&self, place: usize, id: NodeId, reads: u8) {
        self.directory.open_node(place, id);
        if let Some(nodes) = &self.nodes {
            nodes.outbox.open(place, id, reads);
        }
    }

    /// A node is gone.
    pub(crate) fn close_node(&self, place: usize) {
        self.directory.close_node(place);
        if let Some(nodes) = &self.nodes {
            nodes.outbox.close(place);
        }
    }

    /// A node has members of rooms that it had none of, or none any more.
    pub(crate) fn change_node(&self, place: usize, changes: &[(u64, bool)], bucketed: bool) {
        self.directory.change_node(place, changes, bucketed);
    }

    /// These are all the rooms that a node has members of.
    pub(crate) fn replace_node(&self, place: usize, keys: &[u64], bucketed: bool) {
        self.directory.replace_node(place, keys, bucketed);
    }
}
