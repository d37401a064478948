//! Who is where, and the way of an event to everyone it is for.
//!
//! Sockets are known by the `Outlet` that the edge gives them; this room knows no protocol. Each reactor has a `shard`:
//! its own sockets, their rooms, and an `inbox` for what others emit. An event is delivered in its sender's shard at
//! once; every other shard that has members of its rooms, by the `directory`, is sent one `message`. Events of one
//! sender reach each recipient in the order in which they are handed in: delivery in its own shard is done before
//! `emit` returns, and an inbox is one queue for all rooms.
//!
//! Other nodes are peers as the reactors are: the directory knows what they have, and they are sent the same `message`,
//! by way of `nodes`. What comes from one is handed in as what comes from a reactor is.

mod asked;
mod directory;
mod elsewhere;
mod expected;
mod inbox;
mod message;
mod names;
mod namespace;
pub(crate) mod nodes;
mod orders;
mod outside;
mod pages;
mod room;
mod shard;
mod waking;

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use crate::event::{Client, Event, Recipients};
use crate::telemetry::trace::{self, Opened};
pub(crate) use asked::{Answer, Asked, Asking, Question};
use directory::{Directory, Peer, Peers};
pub(crate) use expected::Expected;
pub(crate) use message::Message;
use nodes::{NodeId, Nodes, TAG};
pub(crate) use orders::Selection;
use shard::Shard;
use waking::{ByTurn, Wake};

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

    /// The same, because the broker has a reason of its own.
    fn end(&self, why: Ending) {
        let _ = why;
        self.disconnect();
    }

    /// As [`encode`](Self::encode), for recipients who are to answer by this number.
    fn encode_asking(&self, event: &Event, id: i64) -> Frame {
        let _ = id;
        self.encode(event)
    }

    /// As [`send`](Self::send), and keeps the question until the client answers it or is gone.
    fn ask(&self, frame: &Frame, question: Question) {
        self.send(frame);
        drop(question);
    }

    /// What an operator may want to know.
    fn about(&self) -> About {
        About {
            transport: "",
            since: SystemTime::UNIX_EPOCH,
        }
    }

    /// Ends it as an operator or a back end wants it; `connection`: with all that its client has on this connection.
    fn dismiss(&self, connection: bool) {
        let _ = connection;
        self.disconnect();
    }
}

/// Who wants to know what sockets are handed. Called with their shard locked: it does not come back to the fan-out, and
/// does not wait.
pub(crate) trait Listener: Send + Sync {
    /// Asked for every event.
    fn listens(&self) -> bool;

    fn sent(&self, client: &Client, event: &Event);
}

/// Why the broker itself ends a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// What it was let in with has expired.
    Expired,
    /// That has been revoked.
    Revoked,
}

/// What only the edge knows of a socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub transport: &'static str,
    pub since: SystemTime,
}

/// A socket that takes part in a namespace.
#[derive(Clone)]
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

/// The shards of all reactors, and the way to other nodes.
pub(crate) struct Fanout {
    shards: Vec<Arc<Shard>>,
    directory: Arc<Directory>,
    id: NodeId,
    nodes: Option<Arc<Nodes>>,
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
    /// A node without others, for tests and benchmarks.
    pub(crate) fn alone(reactors: usize) -> Self {
        Self::new(reactors, NodeId(0), None)
    }

    /// `nodes`: what is known of others; `None`: the node is alone.
    pub(crate) fn new(reactors: usize, id: NodeId, nodes: Option<Arc<Nodes>>) -> Self {
        let directory = Arc::new(Directory::new(reactors, nodes.clone()));
        let shards = (0..reactors)
            .map(|number| Arc::new(Shard::new(Peer(number), directory.clone())))
            .collect();
        Self {
            shards,
            directory,
            id,
            nodes,
        }
    }

    /// What the names of sockets begin with, where other nodes are to find them by it.
    pub(crate) fn socket_tag(&self) -> Option<[u8; TAG]> {
        (!self.is_alone()).then(|| self.id.tag())
    }

    /// Tells what sockets are handed from now on; once.
    pub(crate) fn is_listened_to(&self, listener: &Arc<dyn Listener>) {
        for shard in &self.shards {
            shard.is_listened_to(listener.clone());
        }
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
            Recipients::Sender => {
                let span = trace::open("fanout");
                handed_over(span, home.0.send_to(sender, event), 0);
            }
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
        let peers = if self.shards.len() == 1 && self.nodes.is_none() {
            Peers::default()
        } else {
            shard.others_with_members(namespace, rooms)
        };
        let span = trace::open("fanout");
        if !peers.is_empty() {
            shard.waking.soon();
        }
        let recipients = shard.deliver(namespace, rooms, &[], without, event);
        if peers.is_empty() {
            return handed_over(span, recipients, 0);
        }
        // The sender is a member of its own shard only.
        let message = Message::new(namespace, rooms, &[], event, None);
        let others = self.tell(&peers, message, &ByTurn(&shard.waking));
        handed_over(span, recipients, others);
    }

    /// Whether an event for a room would reach anybody, on any node.
    pub(crate) fn has_members(&self, home: &Home, namespace: &str, room: &str) -> bool {
        if home.0.has_members(namespace, room) {
            return true;
        }
        let is_only = self.shards.len() == 1 && self.nodes.is_none();
        !is_only
            && !home
                .0
                .others_with_members(namespace, Some(&[room]))
                .is_empty()
    }

    /// To how many reactors and nodes it has been handed.
    fn tell(&self, peers: &Peers, message: Message, wake: &impl Wake) -> usize {
        let mut told = 0;
        if let Some(nodes) = &self.nodes
            && peers.reach(self.shards.len())
            && nodes.outbox.push(peers.beyond(self.shards.len()), &message)
        {
            wake.nodes(nodes);
        }
        let message = Arc::new(message);
        for shard in self.shards_of(peers) {
            told += 1;
            if shard.hand_in(&message) {
                wake.shard(shard);
            }
        }
        told
    }

    /// Calls back, from any thread, when whoever sends to a room from any node reaches its members here.
    pub(crate) fn when_known(&self, namespace: &str, room: &str, known: Box<dyn FnOnce() + Send>) {
        self.directory.when_known(namespace, room, known);
    }

    /// Whether a join is known everywhere when it returns.
    pub(crate) fn is_alone(&self) -> bool {
        self.nodes.is_none()
    }

    fn shards_of<'a>(&'a self, peers: &'a Peers) -> impl Iterator<Item = &'a Arc<Shard>> {
        let shards = self.shards.iter();
        shards.filter(|shard| peers.contains(shard.peer))
    }

    /// What waits for each reactor, and messages and bytes for other nodes.
    pub(crate) fn depths(&self) -> (Vec<usize>, Option<(usize, usize)>) {
        let inboxes = self.shards.iter().map(|shard| shard.depth()).collect();
        let outbox = self.nodes.as_ref().map(|nodes| nodes.outbox.depth());
        (inboxes, outbox)
    }

    pub(crate) fn census(&self) -> Vec<Census> {
        let mut census = self.directory.census();
        census.sort_by(|a, b| a.namespace.cmp(&b.namespace));
        census
    }
}

/// What a trace says of an event that has been handed to its recipients of this reactor, and to others' reactors.
fn handed_over(span: Option<Opened>, recipients: usize, reactors: usize) {
    if let Some(span) = span {
        span.with("sluice.recipients", recipients)
            .with("sluice.reactors", reactors)
            .close();
    }
}

// === impl Home ===

impl Home {
    /// Its reactor's.
    pub(crate) fn number(&self) -> usize {
        self.0.peer.0
    }

    /// From now on the socket receives what is sent to its namespace, to the rooms of its identity and to its name.
    pub(crate) fn enter(&self, member: Member) {
        self.0.enter(member);
    }

    /// The socket leaves its rooms, which are the answer, and its namespace; empty ones vanish.
    pub(crate) fn exit(&self, client: &Client) -> BTreeSet<Arc<str>> {
        self.0.exit(client)
    }

    /// Puts a socket into a room: when this returns, what is sent to the room from anywhere reaches it.
    /// Whether it was not there already.
    pub(crate) fn join(&self, client: &Client, room: &str) -> Result<bool, TooManyRooms> {
        self.0.join(client, room)
    }

    /// Whether it was there.
    pub(crate) fn leave(&self, client: &Client, room: &str) -> bool {
        self.0.leave(client, room)
    }

    /// Delivers what waits in its inbox, for a benchmark that has no reactor.
    pub(crate) fn deliver_waiting(&self) {
        while self.0.deliver_waiting() {}
    }

    /// Delivers what other reactors and the API hand in, for as long as it is polled: on this shard's reactor.
    pub(crate) async fn serve(self) {
        tokio::join!(self.0.serve(), self.0.orders.serve(&self));
    }
}

#[cfg(test)]
pub(crate) mod tests;
