//! Who is where, and the way of an event to everyone it is for.
//!
//! Sockets are known by the `Outlet` that the edge gives them; this room knows no protocol. Events of one sender
//! reach each recipient in the order in which they are handed in, because delivery is done before `emit` returns.

mod namespace;

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::event::{Client, Event, Recipients};
use crate::telemetry::metrics::metrics;
use namespace::Namespace;

/// An event, encoded once for all its recipients in whatever form their outlets share.
pub(crate) struct Frame(Box<dyn Any + Send + Sync>);

impl Frame {
    pub(crate) fn new<T: Send + Sync + 'static>(encoded: T) -> Self {
        Self(Box::new(encoded))
    }

    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// The way to one socket.
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

/// The socket is in as many rooms as it may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyRooms;

/// All namespaces that have sockets.
#[derive(Default)]
pub(crate) struct Fanout {
    namespaces: RwLock<HashMap<Arc<str>, Arc<Namespace>>>,
}

/// A namespace as the API shows it.
pub(crate) struct Census {
    pub namespace: Arc<str>,
    pub sockets: usize,
    pub rooms: usize,
}

impl Fanout {
    /// From now on the socket receives what is sent to its namespace, and to the rooms of its identity.
    pub(crate) fn enter(&self, member: Arc<Member>) {
        let name = member.client.namespace.clone();
        // The namespace stays locked until the member is in it, so that it cannot vanish as an empty one meanwhile.
        let mut namespaces = self.namespaces.write();
        let namespace = namespaces.entry(name).or_default();
        namespace.enter(member);
        metrics().connections.inc();
    }

    /// The socket leaves its rooms and its namespace; empty ones vanish.
    pub(crate) fn exit(&self, client: &Client) {
        let mut namespaces = self.namespaces.write();
        let Some(namespace) = namespaces.get(&client.namespace) else {
            return;
        };
        if namespace.exit(client) {
            metrics().connections.dec();
        }
        if namespace.is_empty() {
            namespaces.remove(&client.namespace);
        }
    }

    /// Puts a socket into a room: when this returns, what is sent to the room reaches it.
    pub(crate) fn join(&self, client: &Client, room: &str) -> Result<(), TooManyRooms> {
        match self.namespace(&client.namespace) {
            Some(namespace) => namespace.join(client, room),
            None => Ok(()),
        }
    }

    pub(crate) fn leave(&self, client: &Client, room: &str) {
        if let Some(namespace) = self.namespace(&client.namespace) {
            namespace.leave(client, room);
        }
    }

    /// Delivers an event of a client; the answer is the number of sockets that it went to.
    pub(crate) fn emit(&self, sender: &Client, to: &Recipients, event: &Event) -> usize {
        let Some(namespace) = self.namespace(&sender.namespace) else {
            return 0;
        };
        namespace.emit(sender, to, event)
    }

    /// Delivers an event of a back end: to the sockets of any of the rooms (of the whole namespace where none is
    /// named) that are in none of `except`. `None`: the namespace has no sockets.
    pub(crate) fn publish(
        &self,
        namespace: &str,
        rooms: &[String],
        except: &[String],
        event: &Event,
    ) -> usize {
        self.namespace(namespace)
            .map_or(0, |namespace| namespace.publish(rooms, except, event))
    }

    pub(crate) fn census(&self) -> Vec<Census> {
        let namespaces = self.namespaces.read();
        let mut census: Vec<_> = namespaces
            .iter()
            .map(|(name, namespace)| {
                let (sockets, rooms) = namespace.count();
                Census {
                    namespace: name.clone(),
                    sockets,
                    rooms,
                }
            })
            .collect();
        census.sort_by(|a, b| a.namespace.cmp(&b.namespace));
        census
    }

    fn namespace(&self, name: &str) -> Option<Arc<Namespace>> {
        self.namespaces.read().get(name).cloned()
    }
}

#[cfg(test)]
mod tests;
