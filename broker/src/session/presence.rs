//! Who is in a room: told to those of its members who ask, and from then on whenever somebody joins or leaves.
//!
//! Whoever asks is in a hidden room beside the one that it watches. Where a socket joins or leaves a room, whatever the
//! cause, those in the hidden room are told by an event like any other, on whatever node they are. A node that dies can
//! tell nothing: the others say so, and clients ask again.

#[cfg(test)]
mod tests;

use std::ops::Bound;
use std::sync::{Arc, OnceLock, Weak};

use serde::Serialize;
use tokio::runtime::Handle;

use super::answer::Answered;
use super::{Broker, Later, Session};
use crate::backend::{Happened, Present, Sockets};
use crate::event::{Client, Code, Denial, Event, Recipients, hidden};
use crate::fanout::Home;

/// Who says who is in a room, and the runtime on which that is found out.
#[derive(Default)]
pub(crate) struct Roll(OnceLock<(Weak<Sockets>, Handle)>);

/// What watchers are told of a socket.
#[derive(Serialize)]
struct Moved<'a> {
    room: &'a str,
    event: &'static str,
    socket: &'a str,
    user: Option<&'a str>,
}

/// What they are told of a node.
#[derive(Serialize)]
struct Gone<'a> {
    event: &'static str,
    node: &'a str,
}

/// What whoever asks is answered.
#[derive(Serialize)]
struct Members {
    ok: bool,
    members: Vec<Present>,
    silent: Vec<String>,
    /// There are more than are named.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

// === impl Roll ===

impl Roll {
    pub(crate) fn is_kept_by(&self, sockets: &Arc<Sockets>, runtime: Handle) {
        // Said once, at start.
        let _ = self.0.set((Arc::downgrade(sockets), runtime));
    }

    fn keeper(&self) -> Option<(Arc<Sockets>, &Handle)> {
        let (sockets, runtime) = self.0.get()?;
        Some((sockets.upgrade()?, runtime))
    }
}

// === impl Broker ===

impl Broker {
    /// Whoever leaves a room does not watch it any longer.
    pub(super) fn watch_no_longer(&self, home: &Home, client: &Client, room: &str) {
        if client.rooms.lock().contains(hidden::WATCHERS) {
            home.leave(client, &hidden::watching(room));
            if !watches(client) {
                home.leave(client, hidden::WATCHERS);
            }
        }
    }

    /// A node is gone, and those who were there have left without a word: whoever is here and watches a room asks again.
    pub(crate) fn tell_gone(&self, node: &str) {
        let pipelines = self.pipelines.load();
        for census in self.fanout.census() {
            let pipeline = pipelines.at(&census.namespace);
            if let Some(name) = pipeline.and_then(|it| it.namespace.presence()) {
                let gone = Gone {
                    event: "node_gone",
                    node,
                };
                let event = told(name, &gone);
                self.fanout
                    .tell_here(&census.namespace, hidden::WATCHERS, event);
            }
        }
    }

    /// Tells those who watch the room, but for the socket itself.
    pub(super) fn tell_watchers(
        &self,
        name: &Arc<str>,
        home: &Home,
        client: &Client,
        happened: Happened<'_>,
    ) {
        let (event, room) = match happened {
            Happened::Joined(room) => ("join", room),
            Happened::Left(room) => ("leave", room),
            Happened::Connected | Happened::Disconnected(_) => return,
        };
        let watching = hidden::watching(room);
        if !self.fanout.has_members(home, &client.namespace, &watching) {
            return;
        }
        let user = client.identity.read().user.clone();
        let moved = Moved {
            room,
            event,
            socket: &client.peer.name,
            user: user.as_deref(),
        };
        let to = Recipients::Room {
            name: watching,
            include_sender: false,
        };
        self.fanout.emit(home, client, &to, &told(name, &moved));
    }
}

/// Whether it watches any room.
fn watches(client: &Client) -> bool {
    let from = (Bound::Included(hidden::WATCHING), Bound::Unbounded);
    let rooms = client.rooms.lock();
    let first = rooms.range::<str, _>(from).next();
    first.is_some_and(|room| hidden::is_watching(room))
}

// === impl Session ===

impl Session {
    /// The sender is told of whoever joins or leaves the room from now on, and is answered who is in it.
    pub(super) fn watch(
        self: &Arc<Self>,
        room: &str,
        event: &Arc<str>,
        ack: Option<i64>,
    ) -> Result<Answered, Denial> {
        if !self.client.rooms.lock().contains(room) {
            let what = "only members of a room may ask who is in it";
            return Err(Denial::broker(Code::NotInRoom, what));
        }
        let overloaded = |what: &str| Denial::broker(Code::Overloaded, what);
        let later = match ack {
            Some(_) => Some(Later::new(self, event, ack)?),
            None => None,
        };
        for hidden in [hidden::WATCHERS, &hidden::watching(room)] {
            let joined = self.home.join(&self.client, hidden);
            if joined.is_err() {
                return refused(later, overloaded("in too many rooms already"));
            }
        }
        // Nobody asks for the list.
        let Some(later) = later else {
            return Ok(Answered::Now);
        };
        let Some((sockets, runtime)) = self.broker.roll.keeper() else {
            return refused(Some(later), overloaded("nobody can say it now"));
        };
        let (namespace, room) = (self.client.namespace.clone(), room.to_owned());
        runtime.spawn(async move {
            match sockets.present(&namespace, &room).await {
                Some(listed) => {
                    later.answer(&answer(listed.items, listed.silent, listed.truncated))
                }
                None => later.denied(&Denial::broker(
                    Code::Overloaded,
                    "too many ask who is in a room",
                )),
            }
        });
        Ok(Answered::Later)
    }
}

/// By whoever is to answer.
fn refused(later: Option<Later>, denial: Denial) -> Result<Answered, Denial> {
    match later {
        Some(later) => {
            later.denied(&denial);
            Ok(Answered::Later)
        }
        None => Err(denial),
    }
}

/// The text of the ack's arguments.
fn answer(members: Vec<Present>, silent: Vec<String>, truncated: bool) -> String {
    let members = Members {
        ok: true,
        members,
        silent,
        truncated,
    };
    // Texts and lists of them always serialize.
    serde_json::to_string(&[members]).unwrap_or_else(|_| "[]".to_owned())
}

fn told(name: &Arc<str>, news: &impl Serialize) -> Event {
    // Texts always serialize.
    let args = serde_json::to_string(&[news]).unwrap_or_else(|_| "[]".to_owned());
    Event {
        name: name.clone(),
        args: args.into(),
        attachments: Arc::new([]),
        volatile: false,
    }
}
