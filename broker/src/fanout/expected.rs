//! A socket that is about to be let in: what it will receive is known to other nodes before its client is told that it
//! is connected. So whatever is sent from any node after that reaches it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Fanout;
use super::nodes::Nodes;
use super::shard::room_of_user;
use crate::event::Client;

/// A node that has died and is not yet missed acknowledges nothing, and a client that comes from there is not to wait
/// for that.
const PATIENCE: Duration = Duration::from_secs(1);

/// Its namespace and rooms, which others are told of as long as this is kept.
pub(crate) struct Expected {
    nodes: Arc<Nodes>,
    keys: Vec<u64>,
}

impl Fanout {
    /// `more`: rooms beside those of its identity. `None`: there are no other nodes.
    pub(crate) fn expect<'a>(
        &self,
        client: &Client,
        more: impl Iterator<Item = &'a str>,
    ) -> Option<Expected> {
        let nodes = self.nodes.clone()?;
        let key = |room: Option<&str>| self.directory.key(&client.namespace, room);
        let mut keys = vec![key(None)];
        keys.extend(more.map(|room| key(Some(room))));
        let of_user = room_of_user(client);
        keys.extend(of_user.map(|room| key(Some(&room))));
        let identity = client.identity.read();
        keys.extend(identity.rooms.iter().map(|room| key(Some(room))));
        keys.iter().for_each(|key| nodes.interest.expect(*key));
        Some(Expected { nodes, keys })
    }
}

impl Expected {
    /// Ends when all other nodes know, or after a while.
    pub(crate) async fn known(&self) {
        let (told, known) = oneshot::channel();
        let tell = Box::new(|| _ = told.send(()));
        self.nodes.interest.when_known(&self.keys, tell);
        let _ = timeout(PATIENCE, known).await;
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        let interest = &self.nodes.interest;
        self.keys
            .iter()
            .for_each(|key| interest.expect_no_more(*key));
    }
}
