//! Who is where, and the way of an event to everyone it is for.
//!
//! Sockets are known by the `Outlet` that the edge gives them; this room knows no protocol. Each reactor has a `shard`:
//! its own sockets, their rooms, and an `inbox` for what others emit. An event is delivered in its sender's shard at
//! once; every other shard that has members of its rooms, by the `directory`, is sent one `message`. Events of one
//! sender reach each recipient in the order in which they are handed in: delivery in its own shard is done before
//! `emit` returns, and an inbox is one queue for all rooms.
//!
//! A shard is one peer among others, and what peers need of each other is in the message: one could as well live in
//! another process.

mod directory;
mod inbox;
mod message;
mod namespace;
mod room;
mod shard;
mod waking;

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::event::{Client, Event, Recipients};
use directory::{Directory, Peer, Peers};
use message::{Message, Receipt};
use shard::Shard;

/// An event, encoded once for all its recipients of a shard, in whatever form their outlets share.
pub(crate) struct Frame(Box<dyn Any + Send + Sync>);

impl Frame {
    pub(crate) fn new<T: Send + Sync + 'static>(encoded: T) -> Self {
        Self(Box::new(encoded))
    }

    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// The way to one socket. Called with its shard locked, and where its reactor has fallen behind from another thread:
/// what is called here does not come back to the fan-out, and does not wait.
pub(crate) trait Outlet: Send + Sync {
    /// Encodes an event for every socket of this one's namespace.
    fn encode(&self, event: &Event) -> Frame;

    /// Hands a frame over without waiting. A socket that cannot take it is closed by its outlet, and counted there:
    /// nothing is skipped in silence.
    fn send(&self, frame: &Frame);

    /// Answers an event that asked for it; `args` is the text of a JSON array.
    fn ack(&self, id: i64, args: &str);

    /// Tells the client that the server ends it, and ends it. Official clients do not come back by themselves then.
    fn disconnect(&self);
}

/// A socket that takes part in a namespace.
pub(crate) struct Member {
    pub client: Arc<Client>,
    pub outlet: Arc<dyn Outlet>,
}

/// Rooms one socket may be in; each costs memory that the client decides on.
const MAX_ROOMS: usize = 1024;

/// A reactor drains its inbox within milliseconds. When it does not, whoever waits for a delivery does it himself.
const PATIENCE: Duration = Duration::from_secs(1);

/// The socket is in as many rooms as it may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyRooms;

/// Names are the clients' choice, so nobody may know how they are hashed.
type ByName<V> = HashMap<Arc<str>, V, foldhash::quality::RandomState>;

/// By token, which is the broker's choice. Its values lie side by side: a broadcast walks along them.
type ByToken<V> = IndexMap<u64, V, foldhash::fast::RandomState>;

/// The shards of all reactors.
pub(crate) struct Fanout {
    shards: Vec<Arc<Shard>>,
    directory: Arc<Directory>,
}

/// The shard that a socket belongs to: its reactor's.
#[derive(Clone)]
pub(crate) struct Home(Arc<Shard>);

/// A namespace as the API shows it.
pub(crate) struct Census {
    pub namespace: Arc<str>,
    pub sockets: usize,
    pub rooms: usize,
}

// === impl Fanout ===

impl Fanout {
    pub(crate) fn new(reactors: usize) -> Self {
        let directory = Arc::new(Directory::new(reactors));
        let shards = (0..reactors)
            .map(|number| Arc::new(Shard::new(Peer(number), directory.clone())))
            .collect();
        Self { shards, directory }
    }

    /// One for each reactor, in their order.
    pub(crate) fn homes(&self) -> impl Iterator<Item = Home> {
        self.shards.iter().cloned().map(Home)
    }

    /// Delivers an event of a client.
    pub(crate) fn emit(&self, home: &Home, sender: &Client, to: &Recipients, event: &Event) {
        let whole = None::<&[&str]>;
        let token = Some(sender.peer.token);
        match to {
            Recipients::Sender => home.0.send_to(sender, event),
            Recipients::All => self.emit_to(home, sender, whole, None, event),
            Recipients::Others => self.emit_to(home, sender, whole, token, event),
            Recipients::Room {
                name,
                include_sender,
            } => {
                let without = token.filter(|_| !include_sender);
                self.emit_to(home, sender, Some(&[name]), without, event);
            }
            Recipients::SenderRooms { include_sender } => {
                let rooms = sender.rooms_seen();
                let without = token.filter(|_| !include_sender);
                self.emit_to(home, sender, Some(&rooms), without, event);
            }
        }
    }

    /// To those of these rooms: here at once, and wherever else there are any.
    fn emit_to<S: AsRef<str>>(
        &self,
        home: &Home,
        sender: &Client,
        rooms: Option<&[S]>,
        without: Option<u64>,
        event: &Event,
    ) {
        let (shard, namespace) = (&home.0, &sender.namespace);
        let peers = match self.shards.len() {
            1 => Peers::default(),
            _ => shard.others_with_members(namespace, rooms),
        };
        if peers.is_empty() {
            shard.deliver(namespace, rooms, &[], without, event);
            return;
        }
        shard.waking.soon();
        shard.deliver(namespace, rooms, &[], without, event);
        // The sender is a member of its own shard only.
        let message = Message::new(namespace, rooms, &[], event, None);
        self.tell(&peers, message, |other| shard.waking.later(other));
    }

    /// Delivers an event of a back end: to the sockets of any of the rooms (of the whole namespace where none is
    /// named) that are in none of `except`. The answer is the number of sockets that it went to, known once all
    /// reactors have delivered it.
    pub(crate) async fn publish(
        &self,
        namespace: &str,
        rooms: &[String],
        except: &[String],
        event: &Event,
    ) -> usize {
        let rooms = Some(rooms).filter(|rooms| !rooms.is_empty());
        let Some(presence) = self.directory.presence(namespace) else {
            return 0;
        };
        let peers = self.directory.with_members(&presence, rooms, None);
        let receipt = Arc::new(Receipt::new(peers.len()));
        let told = Some(receipt.clone());
        let message = Message::new(&presence.name, rooms, except, event, told);
        self.tell(&peers, message, |shard| shard.wake());
        let complete = tokio::time::timeout(PATIENCE, receipt.complete());
        if complete.await.is_err() {
            for shard in self.shards_of(&peers) {
                while !receipt.is_complete() && shard.deliver_waiting() {}
            }
        }
        receipt.deliveries()
    }

    fn tell(&self, peers: &Peers, message: Message, wake: impl Fn(&Arc<Shard>)) {
        let message = Arc::new(message);
        for shard in self.shards_of(peers) {
            if shard.hand_in(&message) {
                wake(shard);
            }
        }
    }

    fn shards_of<'a>(&'a self, peers: &'a Peers) -> impl Iterator<Item = &'a Arc<Shard>> {
        let shards = self.shards.iter();
        shards.filter(|shard| peers.contains(shard.peer))
    }

    pub(crate) fn census(&self) -> Vec<Census> {
        let mut census = self.directory.census();
        census.sort_by(|a, b| a.namespace.cmp(&b.namespace));
        census
    }
}

// === impl Home ===

impl Home {
    /// From now on the socket receives what is sent to its namespace, to the rooms of its identity and to its name.
    pub(crate) fn enter(&self, member: Member) {
        self.0.enter(member);
    }

    /// The socket leaves its rooms and its namespace; empty ones vanish.
    pub(crate) fn exit(&self, client: &Client) {
        self.0.exit(client);
    }

    /// Puts a socket into a room: when this returns, what is sent to the room from anywhere reaches it.
    pub(crate) fn join(&self, client: &Client, room: &str) -> Result<(), TooManyRooms> {
        self.0.join(client, room)
    }

    pub(crate) fn leave(&self, client: &Client, room: &str) {
        self.0.leave(client, room);
    }

    /// Delivers what waits in its inbox, for a benchmark that has no reactor.
    pub(crate) fn deliver_waiting(&self) {
        while self.0.deliver_waiting() {}
    }

    /// Delivers what other reactors and the API hand in, for as long as it is polled: on this shard's reactor.
    pub(crate) async fn serve(self) {
        self.0.serve().await;
    }
}

#[cfg(test)]
mod tests;
