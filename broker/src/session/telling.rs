//! What back ends are told of sockets: that one is there, which rooms it has really joined and left, and that it is gone.
//! Those who watch a room are told the same of it.
//!
//! Whoever moves a socket does it here, on the socket's own reactor, so that what is told has the order of what happened.

use std::sync::Arc;

use arc_swap::Guard;

use super::Broker;
use crate::backend::{Backend, Happened};
use crate::event::{Client, hidden};
use crate::fanout::{Home, Member, TooManyRooms};
use crate::pipeline::Pipelines;

impl Broker {
    /// A socket enters its namespace and the rooms of its identity.
    pub(super) fn enter(&self, home: &Home, member: Member) {
        let client = member.client.clone();
        let transport = member.outlet.about().transport;
        home.enter(member);
        let feed = &self.recorder.feed;
        if feed.is_on() {
            feed.connected(&client, transport);
            for room in client.rooms_seen() {
                feed.joined(&client, &room);
            }
        }
        if let Some(told) = self.told() {
            self.tell(&told, home, &client, Happened::Connected);
            for room in client.rooms_seen() {
                self.tell(&told, home, &client, Happened::Joined(&room));
            }
        }
    }

    /// It leaves them for good.
    pub(super) fn exit(&self, home: &Home, client: &Client, reason: &str) {
        self.leave_all(home, client);
        self.recorder.feed.disconnected(client, reason);
        if let Some(told) = self.told() {
            self.tell(&told, home, client, Happened::Disconnected(reason));
        }
    }

    /// It leaves its rooms and its namespace.
    pub(super) fn leave_all(&self, home: &Home, client: &Client) {
        let rooms = home.exit(client);
        for room in &rooms {
            self.recorder.feed.left(client, room);
        }
        if let Some(told) = self.told() {
            for room in rooms {
                self.tell(&told, home, client, Happened::Left(&room));
            }
        }
    }

    /// Puts it into a room; it may be there already.
    pub(crate) fn join(
        &self,
        home: &Home,
        client: &Client,
        room: &str,
    ) -> Result<(), TooManyRooms> {
        if !home.join(client, room)? {
            return Ok(());
        }
        self.recorder.feed.joined(client, room);
        if let Some(told) = self.told() {
            self.tell(&told, home, client, Happened::Joined(room));
        }
        Ok(())
    }

    /// Takes it out of a room; it may not be there.
    pub(crate) fn leave(&self, home: &Home, client: &Client, room: &str) {
        if !home.leave(client, room) {
            return;
        }
        self.recorder.feed.left(client, room);
        self.watch_no_longer(home, client, room);
        if let Some(told) = self.told() {
            self.tell(&told, home, client, Happened::Left(room));
        }
    }

    /// By which pipelines it is told what a socket does; `None`: in no namespace is anybody told of anything.
    fn told(&self) -> Option<Guard<Arc<Pipelines>>> {
        let pipelines = self.pipelines.load();
        pipelines.tells.then_some(pipelines)
    }

    fn tell(&self, pipelines: &Pipelines, home: &Home, client: &Client, happened: Happened<'_>) {
        if let Happened::Joined(room) | Happened::Left(room) = happened
            && hidden::is(room)
        {
            return;
        }
        let Some(pipeline) = pipelines.at(&client.namespace) else {
            return;
        };
        if let Some(name) = pipeline.namespace.presence() {
            self.tell_watchers(name, home, client, happened);
        }
        let lifecycle = pipeline.namespace.lifecycle.as_ref();
        let Some(lifecycle) = lifecycle.filter(|it| it.wants(happened.event())) else {
            return;
        };
        match &self.backend {
            Some(backend) => backend.tell(client, lifecycle, happened),
            // `cluster.nats_url` was added while the broker serves, and is read at the start only.
            None => Backend::untold(happened),
        }
    }
}
