//! The namespaces that the library has at this moment, on one reactor.
//!
//! Clients name namespaces (a pattern serves many), so one is made when its first socket comes and taken away with
//! its last. One that is made a second time replaces the first, whose sockets the library then no longer finds: so it
//! never is. Two first sockets come one after the other, because they are on one thread.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use socketioxide::SocketIo;
use socketioxide_core::adapter::{BroadcastFlags, BroadcastOptions};

use super::adapter::{Adapter, Local};
use super::outlet::SocketOutlet;

#[derive(Default)]
pub(super) struct Namespaces {
    // Also held while the library registers a namespace, so that both tables always say the same.
    inner: Mutex<Inner>,
    /// Set as soon as the library is built; it is built around this.
    io: OnceLock<SocketIo<Adapter>>,
}

#[derive(Default)]
struct Inner {
    /// By their names, which their sockets share.
    locals: HashMap<Arc<str>, Local>,
    /// Those with a fixed name in the configuration, which stay when they are empty.
    kept: HashSet<String>,
    /// Those that sockets are about to enter, and how many.
    held: HashMap<Arc<str>, usize>,
}

/// A namespace that a socket is about to enter. It stays, although nobody may be in it yet, until this is dropped.
pub(super) struct Held {
    namespaces: Arc<Namespaces>,
    pub name: Arc<str>,
    pub local: Local,
}

impl Namespaces {
    pub(super) fn local(&self, path: &str) -> Option<Local> {
        self.inner.lock().locals.get(path).cloned()
    }

    /// Holds a namespace for a socket that asks to enter. `None`: it was taken away.
    pub(super) fn hold(self: &Arc<Self>, path: &str) -> Option<Held> {
        let mut inner = self.inner.lock();
        let (name, local) = inner.locals.get_key_value(path)?;
        let held = Held {
            namespaces: self.clone(),
            name: name.clone(),
            local: local.clone(),
        };
        *inner.held.entry(held.name.clone()).or_default() += 1;
        Some(held)
    }

    pub(super) fn paths(&self) -> Vec<Arc<str>> {
        self.inner.lock().locals.keys().cloned().collect()
    }

    /// Makes the library known, once.
    pub(super) fn belong_to(&self, io: SocketIo<Adapter>) {
        // Only ever called once, by the one who builds both.
        let _ = self.io.set(io);
    }

    /// True: the namespace has to be made.
    pub(super) fn keep(&self, path: &str) -> bool {
        let mut inner = self.inner.lock();
        inner.kept.insert(path.to_owned()) && !inner.locals.contains_key(path)
    }

    /// Called by the library for each namespace that it makes; `register` puts it into the library's own table.
    pub(super) fn insert(&self, local: Local, register: impl FnOnce()) {
        let mut inner = self.inner.lock();
        register();
        inner.locals.insert((**local.path()).into(), local);
    }

    /// Whether the socket came in by the namespace that is registered now.
    pub(super) fn holds(&self, outlet: &SocketOutlet) -> bool {
        let registered = self.local(outlet.local.path());
        registered.is_some_and(|local| Arc::ptr_eq(&local, &outlet.local)) && outlet.is_known()
    }

    /// Takes a namespace away if nobody is in it or about to be.
    pub(super) fn forget(&self, path: &str) {
        let mut inner = self.inner.lock();
        if !inner.kept.contains(path) && !inner.held.contains_key(path) {
            self.remove(&mut inner, path);
        }
    }

    fn remove(&self, inner: &mut Inner, path: &str) {
        if inner.locals.get(path).is_some_and(is_empty) {
            inner.locals.remove(path);
            if let Some(io) = self.io.get() {
                io.delete_ns(path);
            }
        }
    }

    /// Ends every socket of a namespace that is no longer served, and takes it away.
    pub(super) fn close(&self, path: &str) {
        self.inner.lock().kept.remove(path);
        if let Some(local) = self.local(path) {
            // One that cannot be told because its queue is full ends as a slow client at its next event.
            let _ = local.disconnect_socket(everyone());
        }
        // Also from under those who are about to enter: they find that it is gone.
        let mut inner = self.inner.lock();
        if !inner.kept.contains(path) {
            self.remove(&mut inner, path);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut inner = self.namespaces.inner.lock();
        if let Some(count) = inner.held.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                inner.held.remove(&self.name);
            }
        }
        drop(inner);
        self.namespaces.forget(&self.name);
    }
}

fn everyone() -> BroadcastOptions {
    let mut options = BroadcastOptions::default();
    options.add_flag(BroadcastFlags::Broadcast);
    options
}

fn is_empty(local: &Local) -> bool {
    local.sockets(everyone()).is_empty()
}
