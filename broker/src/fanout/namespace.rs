//! The sockets and rooms of one namespace.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;

use super::{Frame, MAX_ROOMS, Member, TooManyRooms};
use crate::event::{Client, Event, Recipients};
use crate::telemetry::metrics::metrics;

type Members = HashMap<u64, Arc<Member>>;

#[derive(Default)]
pub(super) struct Namespace {
    // One lock for both maps: a socket is never in a room without being in the namespace.
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    members: Members,
    rooms: HashMap<Arc<str>, Members>,
}

impl Namespace {
    pub(super) fn enter(&self, member: Arc<Member>) {
        let mut inner = self.inner.write();
        // Rooms that policies named for this client; `MAX_ROOMS` bounds what clients ask for, not these.
        let rooms = std::mem::take(&mut member.client.identity.write().rooms);
        for room in rooms {
            inner.join(&member, &room);
        }
        inner.members.insert(member.client.peer.token, member);
    }

    /// False: it was not here.
    pub(super) fn exit(&self, client: &Client) -> bool {
        let mut inner = self.inner.write();
        if inner.members.remove(&client.peer.token).is_none() {
            return false;
        }
        for room in std::mem::take(&mut *client.rooms.lock()) {
            inner.leave(client, &room);
        }
        true
    }

    pub(super) fn join(&self, client: &Client, room: &str) -> Result<(), TooManyRooms> {
        let mut inner = self.inner.write();
        let Some(member) = inner.members.get(&client.peer.token).cloned() else {
            return Ok(());
        };
        {
            let rooms = client.rooms.lock();
            if rooms.len() >= MAX_ROOMS && !rooms.contains(room) {
                return Err(TooManyRooms);
            }
        }
        inner.join(&member, room);
        Ok(())
    }

    pub(super) fn leave(&self, client: &Client, room: &str) {
        let mut inner = self.inner.write();
        client.rooms.lock().remove(room);
        inner.leave(client, room);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inner.read().members.is_empty()
    }

    /// Sockets and rooms.
    pub(super) fn count(&self) -> (usize, usize) {
        let inner = self.inner.read();
        (inner.members.len(), inner.rooms.len())
    }

    pub(super) fn emit(&self, sender: &Client, to: &Recipients, event: &Event) -> usize {
        let inner = self.inner.read();
        let token = sender.peer.token;
        let mut delivery = Delivery::new(event);
        match to {
            Recipients::All => delivery.each(&inner.members, |_| true),
            Recipients::Others => delivery.each(&inner.members, |other| other != token),
            Recipients::Sender => {
                if let Some(member) = inner.members.get(&token) {
                    delivery.one(member);
                }
            }
            Recipients::Room {
                name,
                include_sender,
            } => {
                if let Some(members) = inner.rooms.get(name.as_str()) {
                    delivery.each(members, |other| *include_sender || other != token);
                }
            }
            Recipients::SenderRooms { include_sender } => {
                let rooms = sender.rooms.lock();
                let members = rooms.iter().filter_map(|room| inner.rooms.get(room));
                delivery.each_once(members, |other| *include_sender || other != token);
            }
        }
        delivery.done()
    }

    pub(super) fn publish(&self, rooms: &[String], except: &[String], event: &Event) -> usize {
        let inner = self.inner.read();
        let excluded: HashSet<u64> = except
            .iter()
            .filter_map(|room| inner.rooms.get(room.as_str()))
            .flat_map(|members| members.keys().copied())
            .collect();
        let mut delivery = Delivery::new(event);
        if rooms.is_empty() {
            delivery.each(&inner.members, |token| !excluded.contains(&token));
        } else {
            let members = rooms
                .iter()
                .filter_map(|room| inner.rooms.get(room.as_str()));
            delivery.each_once(members, |token| !excluded.contains(&token));
        }
        delivery.done()
    }
}

impl Inner {
    fn join(&mut self, member: &Arc<Member>, room: &str) {
        let name = match self.rooms.get_key_value(room) {
            Some((name, _)) => name.clone(),
            None => {
                metrics().rooms.inc();
                Arc::from(room)
            }
        };
        member.client.rooms.lock().insert(name.clone());
        self.rooms
            .entry(name)
            .or_default()
            .insert(member.client.peer.token, member.clone());
    }

    fn leave(&mut self, client: &Client, room: &str) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(&client.peer.token);
            if members.is_empty() {
                self.rooms.remove(room);
                metrics().rooms.dec();
            }
        }
    }
}

/// One event on its way to several sockets.
struct Delivery<'a> {
    event: &'a Event,
    frame: Option<Frame>,
    count: usize,
}

impl<'a> Delivery<'a> {
    fn new(event: &'a Event) -> Self {
        Self {
            event,
            frame: None,
            count: 0,
        }
    }

    fn one(&mut self, member: &Member) {
        // Encoded at the first recipient: an event for an empty room costs nothing.
        let frame = self
            .frame
            .get_or_insert_with(|| member.outlet.encode(self.event));
        member.outlet.send(frame);
        self.count += 1;
    }

    fn each(&mut self, members: &Members, wanted: impl Fn(u64) -> bool) {
        for (token, member) in members {
            if wanted(*token) {
                self.one(member);
            }
        }
    }

    /// Who is in several of the rooms gets the event once.
    fn each_once<'m>(
        &mut self,
        rooms: impl Iterator<Item = &'m Members>,
        wanted: impl Fn(u64) -> bool,
    ) {
        let mut seen = HashSet::new();
        for members in rooms {
            for (token, member) in members {
                if wanted(*token) && seen.insert(*token) {
                    self.one(member);
                }
            }
        }
    }

    fn done(self) -> usize {
        metrics().deliveries.inc_by(self.count as u64);
        self.count
    }
}
