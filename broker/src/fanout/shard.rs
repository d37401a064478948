//! What one reactor has of the fan-out: its sockets, their namespaces and rooms, and its inbox.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

use super::directory::{Directory, Kind, Peer, Peers};
use super::inbox::{Inbox, Pushed};
use super::message::Message;
use super::namespace::Namespace;
use super::orders::{Orders, Selection};
use super::waking::Waking;
use super::{ByName, Listener, MAX_ROOMS, Member, TooManyRooms};
use crate::event::{Client, Event, hidden};
use crate::telemetry::metrics::metrics;
use crate::telemetry::trace;

/// Messages, and deliveries of them, that are done at a time; then the reactor's connections have their turn. Enough
/// that a connection's writes are gathered, little enough that they are not felt: a few milliseconds at the most.
const BATCH: usize = 256;
const BATCH_DELIVERIES: usize = 32_768;

pub(super) struct Shard {
    pub(super) peer: Peer,
    directory: Arc<Directory>,
    /// Used by its own reactor, and only when that has fallen behind by others: nobody waits for this lock. The
    /// directory is told while it is held, so that what it knows of this shard changes in the same order.
    namespaces: RwLock<ByName<Namespace>>,
    inbox: Inbox,
    pub(super) orders: Orders,
    /// Others to be woken.
    pub(super) waking: Waking,
    listener: OnceLock<Arc<dyn Listener>>,
}

impl Shard {
    pub(super) fn new(peer: Peer, directory: Arc<Directory>) -> Self {
        Self {
            peer,
            directory,
            namespaces: RwLock::default(),
            inbox: Inbox::new(),
            orders: Orders::new(),
            waking: Waking::default(),
            listener: OnceLock::new(),
        }
    }

    pub(super) fn is_listened_to(&self, listener: Arc<dyn Listener>) {
        // Said once, at start.
        let _ = self.listener.set(listener);
    }

    /// Whoever wants to know what is delivered at this moment.
    fn listener(&self) -> Option<&dyn Listener> {
        let listener = self.listener.get()?;
        listener.listens().then_some(&**listener)
    }

    pub(super) fn enter(&self, member: Member) {
        let client = member.client.clone();
        let mut namespaces = self.namespaces.write();
        let namespace = namespaces
            .entry(client.namespace.clone())
            .or_insert_with(|| Namespace::new(self.directory.open(&client.namespace)));
        let presence = namespace.presence.clone();
        presence.enter(self.peer);
        let add = |name: &str, kind| self.directory.add(&presence, name, kind, self.peer);
        add(&client.peer.name, Kind::Name);
        namespace.enter(member);
        // Rooms that policies named for this client; `MAX_ROOMS` bounds what clients ask for, not these.
        let rooms = std::mem::take(&mut client.identity.write().rooms);
        for room in rooms {
            if namespace.join(&client, &room).is_first {
                add(&room, Kind::of_room(&room));
            }
        }
        if let Some(room) = room_of_user(&client)
            && namespace.join_hidden(&client, &room)
        {
            add(&room, Kind::of_room(&room));
        }
        metrics().connections.inc();
    }

    pub(super) fn exit(&self, client: &Client) -> BTreeSet<Arc<str>> {
        let mut namespaces = self.namespaces.write();
        let Some(namespace) = namespaces.get_mut(&client.namespace) else {
            return BTreeSet::new();
        };
        if !namespace.exit(client) {
            return BTreeSet::new();
        }
        let presence = namespace.presence.clone();
        let remove = |name: &str, kind| self.directory.remove(&presence, name, kind, self.peer);
        let rooms = std::mem::take(&mut *client.rooms.lock());
        for room in &rooms {
            if namespace.leave(client, room) {
                remove(room, Kind::of_room(room));
            }
        }
        if let Some(room) = room_of_user(client)
            && namespace.leave(client, &room)
        {
            remove(&room, Kind::of_room(&room));
        }
        remove(&client.peer.name, Kind::Name);
        presence.exit(self.peer);
        if namespace.is_empty() {
            namespaces.remove(&client.namespace);
            self.directory.close(&presence);
        }
        metrics().connections.dec();
        rooms
    }

    pub(super) fn join(&self, client: &Client, room: &str) -> Result<bool, TooManyRooms> {
        let mut namespaces = self.namespaces.write();
        let Some(namespace) = namespaces.get_mut(&client.namespace) else {
            return Ok(false);
        };
        {
            let rooms = client.rooms.lock();
            if rooms.len() >= MAX_ROOMS && !rooms.contains(room) {
                return Err(TooManyRooms);
            }
        }
        let joined = namespace.join(client, room);
        if joined.is_first {
            self.directory
                .add(&namespace.presence, room, Kind::of_room(room), self.peer);
        }
        Ok(joined.is_new)
    }

    pub(super) fn leave(&self, client: &Client, room: &str) -> bool {
        let mut namespaces = self.namespaces.write();
        let was_in = client.rooms.lock().remove(room);
        if was_in
            && let Some(namespace) = namespaces.get_mut(&client.namespace)
            && namespace.leave(client, room)
        {
            self.directory
                .remove(&namespace.presence, room, Kind::of_room(room), self.peer);
        }
        was_in
    }

    /// Whether it has members here.
    pub(super) fn has_members(&self, namespace: &str, room: &str) -> bool {
        let namespaces = self.namespaces.read();
        let namespace = namespaces.get(namespace);
        namespace.is_some_and(|its| its.count(room) > 0)
    }

    /// The other peers that have members of any of the rooms.
    pub(super) fn others_with_members<S: AsRef<str>>(
        &self,
        namespace: &str,
        rooms: Option<&[S]>,
    ) -> Peers {
        let namespaces = self.namespaces.read();
        let elsewhere;
        let presence = match namespaces.get(namespace) {
            Some(namespace) => Some(&namespace.presence),
            // The last one here has gone, and its policies have something to say.
            None => {
                elsewhere = self.directory.presence(namespace);
                elsewhere.as_ref()
            }
        };
        let presence = presence.map(|presence| &**presence);
        self.directory
            .with_members(namespace, presence, rooms, Some(self.peer))
    }

    /// Whether it is here, as a number of deliveries.
    pub(super) fn send_to(&self, client: &Client, event: &Event) -> usize {
        let namespaces = self.namespaces.read();
        let namespace = namespaces.get(&client.namespace);
        let sent = namespace.map_or(0, |its| its.send_to(client.peer.token, event));
        metrics().deliveries.inc_by(sent as u64);
        if sent > 0
            && let Some(listener) = self.listener()
        {
            listener.sent(client, event);
        }
        sent
    }

    /// Delivers to the members that are here, and says how many.
    pub(super) fn deliver<S: AsRef<str>>(
        &self,
        namespace: &str,
        rooms: Option<&[S]>,
        except: &[Box<str>],
        without: Option<u64>,
        event: &Event,
    ) -> usize {
        let namespaces = self.namespaces.read();
        let sent = namespaces.get(namespace).map_or(0, |namespace| {
            let sent = namespace.deliver(rooms, except, without, event);
            if let Some(listener) = self.listener() {
                namespace.each_client(rooms, except, without, |it| listener.sent(it, event));
            }
            sent
        });
        metrics().deliveries.inc_by(sent as u64);
        sent
    }

    /// The members that are meant.
    pub(super) fn select(&self, selection: &Selection) -> Vec<Member> {
        let namespaces = self.namespaces.read();
        let namespace = namespaces.get(&*selection.namespace);
        namespace.map_or_else(Vec::new, |namespace| {
            namespace.select(selection.rooms.as_deref(), &selection.except)
        })
    }

    pub(super) fn find(
        &self,
        namespace: Option<&str>,
        room: Option<&str>,
        most: usize,
        is_wanted: impl Fn(&Member) -> bool,
    ) -> Vec<Member> {
        let namespaces = self.namespaces.read();
        let mut found = Vec::new();
        let of_name = namespaces.iter();
        for (_, its) in of_name.filter(|(name, _)| namespace.is_none_or(|it| it == &***name)) {
            its.find(room, |member| {
                if found.len() < most && is_wanted(member) {
                    found.push(member.clone());
                }
                found.len() < most
            });
        }
        found
    }

    /// The names of its namespaces.
    pub(super) fn namespaces(&self) -> Vec<Arc<str>> {
        self.namespaces.read().keys().cloned().collect()
    }

    /// Calls back for every socket of a namespace, or of one of its rooms.
    pub(super) fn each(&self, namespace: &str, room: Option<&str>, mut each: impl FnMut(&Member)) {
        if let Some(its) = self.namespaces.read().get(namespace) {
            its.find(room, |member| {
                each(member);
                true
            });
        }
    }

    /// Calls back for every room of a namespace.
    pub(super) fn each_room(&self, namespace: &str, each: impl FnMut(&Arc<str>)) {
        if let Some(its) = self.namespaces.read().get(namespace) {
            its.rooms().for_each(each);
        }
    }

    pub(super) fn count(&self, namespace: &str, rooms: &[Arc<str>]) -> Vec<usize> {
        let namespaces = self.namespaces.read();
        let namespace = namespaces.get(namespace);
        let count = |room| namespace.map_or(0, |its| its.count(room));
        rooms.iter().map(|room| count(room)).collect()
    }

    /// Takes a message, which is delivered once the reactor has been woken; true: it is asleep. When there is no room for it, whoever brings it makes some: nothing is
    /// lost, nobody waits for one who waits for him, and it is the one who sends too much that it costs.
    pub(super) fn hand_in(&self, message: &Arc<Message>) -> bool {
        metrics().reactor_messages.inc();
        loop {
            match self.inbox.push(message) {
                Pushed::Seen => return false,
                Pushed::Asleep => return true,
                Pushed::Full => {
                    metrics().reactor_inbox_full.inc();
                    self.deliver_waiting();
                }
            }
        }
    }

    pub(super) fn wake(&self) {
        self.inbox.wake();
    }

    /// Delivers the oldest of what waits. False: there was nothing left.
    pub(super) fn deliver_waiting(&self) -> bool {
        let mut out = self.inbox.out();
        let mut deliveries = 0;
        for _ in 0..BATCH {
            let Some(message) = out.next() else {
                return false;
            };
            let Message {
                namespace,
                rooms,
                except,
                event,
                trace,
                ..
            } = &*message;
            let span = trace::apart(trace.as_ref(), "deliver", trace::Kind::Consumer);
            let sent = self.deliver(namespace, rooms.as_deref(), except, None, event);
            if let Some(span) = span {
                span.with("sluice.recipients", sent)
                    .with("sluice.reactor", self.peer.0)
                    .close();
            }
            message.delivered(sent);
            deliveries += sent;
            if deliveries >= BATCH_DELIVERIES {
                break;
            }
        }
        true
    }

    pub(super) fn depth(&self) -> usize {
        self.inbox.waiting()
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.inbox.len()
    }

    /// Never ends.
    pub(super) async fn serve(&self) {
        let deliver = async {
            loop {
                self.inbox.woken().await;
                while self.deliver_waiting() || !self.inbox.rest() {
                    tokio::task::yield_now().await;
                }
            }
        };
        tokio::join!(self.waking.serve(), deliver);
    }
}

/// Only sockets with a user pay for it. What policies said when they let the client in does not change.
pub(super) fn room_of_user(client: &Client) -> Option<String> {
    let identity = client.identity.read();
    identity.user.as_ref().map(|user| hidden::of_user(user))
}
