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
use crate::edge::socketio::Place;
use crate::edge::wire;

#[derive(Default)]
pub(super) struct Doors(Mutex<Vec<Door>>);

struct Door {
    namespace: Arc<str>,
    /// Weak, because a place keeps its connection.
    place: Weak<Place>,
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
        self.place.strong_count() > 0
    }
}

impl Link {
    /// A client is about to be told that it is in a namespace.
    pub(in crate::edge) fn enters(&self, place: &Arc<Place>) {
        let namespace = place.namespace();
        let mut doors = self.doors.0.lock();
        doors.retain(|door| door.namespace != *namespace && door.is_open());
        // Most connections are in one.
        doors.reserve_exact(1);
        doors.push(Door {
            namespace: namespace.clone(),
            place: Arc::downgrade(place),
            told: false,
            left: false,
        });
    }

    /// A socket has ended; another one may be in its place.
    pub(in crate::edge) fn left(&self, place: &Arc<Place>) {
        let is_it = |door: &Door| std::ptr::eq(door.place.as_ptr(), Arc::as_ptr(place));
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
        let places = told.filter_map(|door| door.place.upgrade());
        places.map(|place| place.outlet.clone()).collect()
    }

    /// Of all its sockets.
    pub(in crate::edge) fn outlets(&self) -> Vec<Arc<SocketOutlet>> {
        let doors = self.doors.0.lock();
        let places = doors.iter().filter_map(|door| door.place.upgrade());
        places.map(|place| place.outlet.clone()).collect()
    }

    fn outlet(&self, namespace: &str) -> Option<Arc<SocketOutlet>> {
        self.place(namespace).map(|place| place.outlet.clone())
    }

    /// What belongs to the connection's socket in a namespace.
    pub(in crate::edge) fn place(&self, namespace: &str) -> Option<Arc<Place>> {
        let doors = self.doors.0.lock();
        let door = doors.iter().find(|door| *door.namespace == *namespace)?;
        door.place.upgrade()
    }
}
