//! The sockets and rooms that one reactor has of a namespace.

use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::directory::Presence;
use super::names::Names;
use super::room::Room;
use super::{ByName, ByToken, Frame, Member, Outlet};
use crate::event::{Client, Event};

pub(super) struct Namespace {
    /// The same namespace, over all reactors.
    pub(super) presence: Arc<Presence>,
    members: ByToken<Member>,
    /// Every socket is in the room of its name. That room is not kept: a name leads to the socket.
    names: Names,
    rooms: ByName<Room>,
}

/// What a join has changed.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Joined {
    /// The socket was not in the room.
    pub is_new: bool,
    /// It is the first of this room here.
    pub is_first: bool,
}

type Tokens = HashSet<u64, foldhash::fast::RandomState>;

impl Namespace {
    pub(super) fn new(presence: Arc<Presence>) -> Self {
        Self {
            presence,
            members: ByToken::default(),
            names: Names::default(),
            rooms: ByName::default(),
        }
    }

    pub(super) fn enter(&mut self, member: Member) {
        let client = member.client.clone();
        self.members.insert(client.peer.token, member);
        self.names.insert(&client, &self.members);
    }

    /// False: it was not here. Its rooms are left one by one.
    pub(super) fn exit(&mut self, client: &Client) -> bool {
        self.names.remove(client);
        self.members.swap_remove(&client.peer.token).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn join(&mut self, client: &Client, room: &str) -> Joined {
        if !self.members.contains_key(&client.peer.token) {
            return Joined::default();
        }
        let name = self.name_of(room);
        Joined {
            is_new: client.rooms.lock().insert(name.clone()),
            is_first: self.put(client.peer.token, name),
        }
    }

    /// As [`join`](Self::join), for a room that does not count as one that the socket is in. True: it is the first there.
    pub(super) fn join_hidden(&mut self, client: &Client, room: &str) -> bool {
        let name = self.name_of(room);
        self.put(client.peer.token, name)
    }

    /// All members of a room share its name.
    fn name_of(&self, room: &str) -> Arc<str> {
        match self.rooms.get_key_value(room) {
            Some((name, _)) => name.clone(),
            None => room.into(),
        }
    }

    fn put(&mut self, token: u64, name: Arc<str>) -> bool {
        let Some(member) = self.members.get(&token) else {
            return false;
        };
        match self.rooms.entry(name) {
            Entry::Occupied(mut room) => {
                room.get_mut().insert(token, &member.outlet);
                false
            }
            Entry::Vacant(room) => {
                room.insert(Room::One(token, member.outlet.clone()));
                true
            }
        }
    }

    /// True: it was the last of this room here.
    pub(super) fn leave(&mut self, client: &Client, room: &str) -> bool {
        let Some(members) = self.rooms.get_mut(room) else {
            return false;
        };
        members.remove(client.peer.token);
        let is_empty = members.is_empty();
        if is_empty {
            self.rooms.remove(room);
        }
        is_empty
    }

    pub(super) fn send_to(&self, token: u64, event: &Event) -> usize {
        let mut delivery = Delivery::new(event);
        if let Some(member) = self.members.get(&token) {
            delivery.to(&member.outlet);
        }
        delivery.count
    }

    /// Delivers to whoever is in one of the rooms (`None`: in the namespace) and in none of `except`, and says to how
    /// many.
    pub(super) fn deliver<S: AsRef<str>>(
        &self,
        rooms: Option<&[S]>,
        except: &[Box<str>],
        without: Option<u64>,
        event: &Event,
    ) -> usize {
        let mut delivery = Delivery::new(event);
        self.each(rooms, except, without, |_, outlet| delivery.to(outlet));
        delivery.count
    }

    /// Those that an event was delivered to.
    pub(super) fn each_client<S: AsRef<str>>(
        &self,
        rooms: Option<&[S]>,
        except: &[Box<str>],
        without: Option<u64>,
        mut each: impl FnMut(&Client),
    ) {
        self.each(rooms, except, without, |token, _| {
            if let Some(member) = self.members.get(&token) {
                each(&member.client);
            }
        });
    }

    /// The members that are meant.
    pub(super) fn select<S: AsRef<str>>(
        &self,
        rooms: Option<&[S]>,
        except: &[String],
    ) -> Vec<Member> {
        let mut members = Vec::new();
        self.each(rooms, except, None, |token, _| {
            members.extend(self.members.get(&token).cloned());
        });
        members
    }

    /// Those of a room, or all, for as long as more are wanted.
    pub(super) fn find(&self, room: Option<&str>, mut each: impl FnMut(&Member) -> bool) {
        match room {
            None => _ = self.members.values().all(each),
            Some(room) => self.each_in(room, |token, _| {
                if let Some(member) = self.members.get(&token) {
                    each(member);
                }
            }),
        }
    }

    pub(super) fn rooms(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rooms.keys()
    }

    pub(super) fn count(&self, room: &str) -> usize {
        self.rooms.get(room).map_or(0, Room::len)
    }

    fn each<S: AsRef<str>, E: AsRef<str>>(
        &self,
        rooms: Option<&[S]>,
        except: &[E],
        without: Option<u64>,
        mut each: impl FnMut(u64, &Arc<dyn Outlet>),
    ) {
        let mut excluded = Tokens::default();
        for room in except {
            self.each_in(room.as_ref(), |token, _| _ = excluded.insert(token));
        }
        let mut to = |token, outlet: &Arc<dyn Outlet>| {
            if without != Some(token) && (excluded.is_empty() || !excluded.contains(&token)) {
                each(token, outlet);
            }
        };
        match rooms {
            None => {
                for (token, member) in &self.members {
                    to(*token, &member.outlet);
                }
            }
            Some([room]) => self.each_in(room.as_ref(), to),
            Some(rooms) => {
                let mut seen = Tokens::default();
                for room in rooms {
                    self.each_in(room.as_ref(), |token, outlet| {
                        if seen.insert(token) {
                            to(token, outlet);
                        }
                    });
                }
            }
        }
    }

    /// Everyone in a room, and the socket of that name.
    fn each_in(&self, room: &str, mut member: impl FnMut(u64, &Arc<dyn Outlet>)) {
        let members = self.rooms.get(room);
        if let Some((token, named)) = self.names.find(room, &self.members)
            && !members.is_some_and(|members| members.contains(token))
        {
            member(token, &named.outlet);
        }
        if let Some(members) = members {
            members.each(member);
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

    fn to(&mut self, outlet: &Arc<dyn Outlet>) {
        // Encoded at the first recipient: an event for an empty room costs nothing.
        let frame = self.frame.get_or_insert_with(|| outlet.encode(self.event));
        outlet.send(frame);
        self.count += 1;
    }
}
