//! A connection's sockets: what each is called by its client, and when its way out opens.
//!
//! What the broker writes by itself must not overtake what the library has still to write. So a socket's lane opens
//! behind the library's answer to its CONNECT; after an upgrade, behind a marker that is sent through the library's
//! queue after everything that went there before.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::Link;
use crate::edge::lane::Lane;
use crate::edge::manners::Namespaces;
use crate::edge::outlet::SocketOutlet;
use crate::edge::wire;

#[derive(Default)]
pub(super) struct Doors(Mutex<All>);

#[derive(Default)]
struct All {
    /// Most connections are in one namespace.
    first: Option<Door>,
    #[expect(
        clippy::box_collection,
        reason = "most connections are to have no room for it"
    )]
    more: Option<Box<Vec<Door>>>,
}

struct Door {
    namespace: Arc<str>,
    /// Weak, because a socket keeps its connection.
    outlet: Weak<SocketOutlet>,
    /// The client has been told that it is in.
    told: bool,
    /// It has said that it leaves.
    left: bool,
}

impl Namespaces for Link {
    fn is_in(&self, namespace: &str) -> bool {
        let doors = self.doors.0.lock();
        let mut doors = doors.iter();
        doors.any(|door| *door.namespace == *namespace && !door.left && door.is_open())
    }

    fn leaves(&self, namespace: &str) {
        let mut doors = self.doors.0.lock();
        if let Some(door) = doors.iter_mut().find(|door| *door.namespace == *namespace) {
            door.left = true;
        }
    }
}

impl Door {
    fn is_open(&self) -> bool {
        self.outlet.strong_count() > 0
    }
}

impl All {
    fn iter(&self) -> impl Iterator<Item = &Door> {
        let more = self.more.iter().flat_map(|more| more.iter());
        self.first.iter().chain(more)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Door> {
        let more = self.more.iter_mut().flat_map(|more| more.iter_mut());
        self.first.iter_mut().chain(more)
    }

    fn push(&mut self, door: Door) {
        match &mut self.first {
            first @ None => *first = Some(door),
            Some(_) => self.more.get_or_insert_default().push(door),
        }
    }

    fn retain(&mut self, is_kept: impl Fn(&Door) -> bool) {
        self.first = self.first.take().filter(&is_kept);
        if let Some(more) = &mut self.more {
            more.retain(&is_kept);
        }
    }
}

impl Link {
    /// A client is about to be told that it is in a namespace.
    pub(in crate::edge) fn enters(&self, outlet: &Arc<SocketOutlet>) {
        let namespace = &outlet.client.namespace;
        let mut doors = self.doors.0.lock();
        doors.retain(|door| door.namespace != *namespace && door.is_open());
        doors.push(Door {
            namespace: namespace.clone(),
            outlet: Arc::downgrade(outlet),
            told: false,
            left: false,
        });
    }

    /// A socket has ended; another one may be in its place.
    pub(in crate::edge) fn left(&self, outlet: &Arc<SocketOutlet>) {
        let is_it = |door: &Door| std::ptr::eq(door.outlet.as_ptr(), Arc::as_ptr(outlet));
        self.doors.0.lock().retain(|door| !is_it(door));
    }

    /// The packet that tells a client that it is in a namespace.
    pub(in crate::edge) fn welcome(&self, namespace: &str) -> Option<String> {
        let outlet = self.outlet(namespace)?;
        Some(wire::connected(namespace, outlet.name()))
    }

    /// The client has been told, or the packet that tells it is on its way.
    pub(in crate::edge) fn told(&self, namespace: &str) {
        let mut doors = self.doors.0.lock();
        if let Some(door) = doors.iter_mut().find(|door| *door.namespace == *namespace) {
            door.told = true;
        }
    }

    /// Opens the lane of a namespace's socket.
    pub(in crate::edge) fn open_lane(&self, namespace: &str, lane: &Arc<Lane>) {
        if let Some(outlet) = self.outlet(namespace) {
            outlet.open(lane);
        }
    }

    /// The client has moved over from polling: nothing more goes through the library, and the lanes open behind what
    /// does already. False: there is nothing to wait for.
    pub(in crate::edge) fn move_over(&self, marker: &str) -> bool {
        self.goes_over_websocket();
        let told = self.told_outlets();
        for outlet in &told {
            outlet.wait();
        }
        // All namespaces of a connection share the library's queue.
        told.first()
            .is_some_and(|outlet| outlet.send_marker(marker))
    }

    /// The marker has come out of the library's queue.
    pub(in crate::edge) fn moved_over(&self, lane: &Arc<Lane>) {
        for outlet in self.told_outlets() {
            outlet.open(lane);
        }
    }

    fn told_outlets(&self) -> Vec<Arc<SocketOutlet>> {
        let doors = self.doors.0.lock();
        let told = doors.iter().filter(|door| door.told);
        told.filter_map(|door| door.outlet.upgrade()).collect()
    }

    /// Of all its sockets.
    pub(in crate::edge) fn outlets(&self) -> Vec<Arc<SocketOutlet>> {
        let doors = self.doors.0.lock();
        let outlets = doors.iter().filter_map(|door| door.outlet.upgrade());
        outlets.collect()
    }

    /// The way out of the connection's socket in a namespace.
    pub(in crate::edge) fn outlet(&self, namespace: &str) -> Option<Arc<SocketOutlet>> {
        let doors = self.doors.0.lock();
        let door = doors.iter().find(|door| *door.namespace == *namespace)?;
        door.outlet.upgrade()
    }
}
