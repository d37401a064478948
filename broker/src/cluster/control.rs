//! The conversation of the nodes: signs of life, rooms and their acknowledgements, questions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::letter::{Beat, Body, Letter, pack, unpack};
use super::link::To;
use super::members::{Heard, Part, Step, Told};
use super::{Cluster, SEND, events};
use crate::fanout::nodes::{Changes, News, NodeId, Snapshot};
use crate::telemetry::events::{NodeGone, NodeJoined, NodeUnreadable};
use crate::telemetry::metrics::metrics;

/// Keys in one letter: half a megabyte.
const KEYS: usize = 1 << 16;

/// Between two attempts to begin.
const AGAIN: Duration = Duration::from_millis(500);

/// Sends letters in their order. Those that find no connection are lost: whoever misses one asks again.
pub(super) async fn send(cluster: Arc<Cluster>, mut letters: mpsc::Receiver<(To, Bytes)>) {
    let state = cluster.link.state();
    while let Some((to, letter)) = letters.recv().await {
        if !state.borrow().is_connected {
            continue;
        }
        let sending = cluster.link.send(to, letter);
        if !matches!(tokio::time::timeout(SEND, sending).await, Ok(Ok(()))) {
            metrics().cluster.letters_lost.inc();
        }
    }
}

/// Tells others of the rooms here as they come and go.
pub(super) async fn tell_rooms(cluster: Arc<Cluster>) {
    loop {
        let news = cluster.nodes.interest.news().await;
        metrics()
            .cluster
            .rooms
            .set(i64::try_from(cluster.nodes.interest.len()).unwrap_or(i64::MAX));
        // Whoever comes later asks for all.
        if cluster.is_cut_off() || cluster.members.lock().len() == 0 {
            cluster.nodes.interest.known(u64::MAX);
            continue;
        }
        match news {
            News::Changes(changes) => cluster.tell_changes(&changes),
            News::Snapshot(snapshot) => cluster.tell_all_rooms(To::All, &snapshot),
        }
    }
}

/// Gives signs of life, and notices who gives none.
pub(super) async fn beat(cluster: Arc<Cluster>) {
    let heartbeat = cluster.config.heartbeat;
    let mut state = cluster.link.state();
    let mut ticks = tokio::time::interval(heartbeat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connections = 0;
    let mut last = Instant::now();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = state.changed() => if changed.is_err() {
                return;
            }
        }
        let now = Instant::now();
        let connection = *state.borrow_and_update();
        let is_back = connection.is_connected && connection.connections != connections;
        let was_away = now.duration_since(last) > cluster.config.node_timeout / 2;
        last = now;
        if !connection.is_connected {
            cluster.hears_nobody(now);
            continue;
        }
        if is_back || was_away {
            connections = connection.connections;
            cluster.members.lock().forgive(now);
        }
        cluster.post(To::All, cluster.beat(is_back || was_away, false));
        cluster.remind();
        cluster.nodes.outbox.mark();
        cluster.answers.forget();
        if cluster.is_heard() {
            cluster.bury(now);
        } else {
            cluster.hears_nobody(now);
        }
    }
}

/// Reads what others say, for as long as the process lives.
pub(super) async fn take(cluster: Arc<Cluster>) {
    let mut streams = loop {
        match cluster.link.open(cluster.id).await {
            Ok(streams) => break streams,
            Err(error) => {
                NodeUnreadable {
                    reason: &error.to_string(),
                }
                .emit();
                tokio::time::sleep(AGAIN).await;
            }
        }
    };
    tokio::spawn(events::take(cluster.clone(), streams.sockets));
    // Only now is it heard what others answer.
    cluster.post(To::All, cluster.beat(true, false));
    while let Some(bytes) = streams.control.next().await {
        match Letter::read(&bytes) {
            Some(letter) => cluster.read(letter),
            None => NodeUnreadable {
                reason: "a letter that is not understood",
            }
            .emit(),
        }
    }
}

impl Cluster {
    fn is_cut_off(&self) -> bool {
        !self.link.state().borrow().is_connected || !self.is_heard()
    }

    fn read(self: &Arc<Self>, letter: Letter) {
        let Letter { from, body } = letter;
        if from == self.id {
            if matches!(body, Body::Beat(_)) {
                *self.echo.lock() = Instant::now();
                self.changed.notify_waiters();
            }
            return;
        }
        match body {
            Body::Beat(beat) => self.heard(from, *beat),
            Body::Bye => self.gone(from, "left"),
            Body::Changes {
                after,
                added,
                removed,
                count,
                bucketed,
            } => {
                let changes = unpack(&added).map(|key| (key, true));
                let changes = changes.chain(unpack(&removed).map(|key| (key, false)));
                let told = Told {
                    after,
                    count,
                    changes: changes.collect(),
                    bucketed,
                };
                let steps = self.members.lock().told(from, told, Instant::now());
                self.carry_out(steps.into_iter().flatten().flatten());
            }
            Body::Ack { version } => {
                self.members.lock().acked(from, version);
                self.rooms_are_known();
            }
            Body::Want => self.tell_all_rooms(To::Node(from), &self.nodes.interest.snapshot()),
            Body::Rooms {
                version,
                part,
                parts,
                keys,
                bucketed,
            } => {
                let part = Part {
                    version,
                    bucketed,
                    part,
                    parts,
                    keys: unpack(&keys).collect(),
                };
                let steps = self.members.lock().part(from, part);
                self.carry_out(steps);
            }
            Body::Ask {
                id,
                topic,
                question,
            } => self.asked(from, id, &topic, question),
            Body::Answer {
                id,
                part,
                parts,
                answer,
            } => self.answers.answered(from, id, (part, parts), answer),
            Body::News { topic, news } => self.heard_news(from, &topic, news),
        }
    }

    fn heard(&self, from: NodeId, beat: Beat) {
        let (hello, owed, reads) = (beat.hello, beat.owed, beat.wire);
        let version = beat.vitals.version.clone();
        let (heard, step) = self.members.lock().heard(from, beat, Instant::now());
        if let Heard::New(place) = heard {
            self.fanout.open_node(place, from, reads);
            self.count();
            NodeJoined {
                node: from,
                version: &version,
            }
            .emit();
        }
        if hello || matches!(heard, Heard::New(_)) {
            // What it knows of the rooms here, if it was thought dead, it does not say of itself.
            self.post(To::Node(from), self.beat(false, true));
        }
        if owed {
            let known = self.members.lock().knows(from);
            self.carry_out(known.map(|version| Step::Ack(from, version)));
        }
        self.carry_out(step);
    }

    /// Acknowledgements may be lost: those who owe one are asked for it.
    fn remind(&self) {
        let version = self.nodes.interest.version();
        let owing = self.members.lock().owing(version);
        for node in owing {
            self.post(To::Node(node), self.beat(false, true));
        }
    }

    fn gone(&self, id: NodeId, how: &'static str) {
        let place = self.members.lock().remove(id);
        if let Some(place) = place {
            self.fanout.close_node(place);
            self.count();
            NodeGone { node: id, how }.emit();
            self.rooms_are_known();
        }
    }

    fn count(&self) {
        let nodes = 1 + self.members.lock().len();
        metrics()
            .cluster
            .nodes
            .set(i64::try_from(nodes).unwrap_or(i64::MAX));
    }

    /// That nobody can be heard says nothing about them. Nobody can be told of a join either.
    fn hears_nobody(&self, now: Instant) {
        self.members.lock().forgive(now);
        self.nodes.interest.known(u64::MAX);
    }

    /// Those that give no sign of life are gone.
    fn bury(&self, now: Instant) {
        let silent = self.members.lock().silent(now, self.config.node_timeout);
        for id in silent {
            self.gone(id, "silent");
            if let Some(tell) = self.mourner.get() {
                tell(id);
            }
        }
    }

    fn rooms_are_known(&self) {
        let known = self.members.lock().known();
        self.nodes.interest.known(known);
    }

    fn carry_out(&self, steps: impl IntoIterator<Item = Step>) {
        for step in steps {
            match step {
                Step::Change {
                    place,
                    changes,
                    bucketed,
                } => self.fanout.change_node(place, &changes, bucketed),
                Step::Replace {
                    place,
                    keys,
                    bucketed,
                } => self.fanout.replace_node(place, &keys, bucketed),
                Step::Ack(node, version) => self.post(To::Node(node), Body::Ack { version }),
                Step::Want(node) => self.post(To::Node(node), Body::Want),
            }
        }
    }

    fn tell_changes(&self, changes: &Changes) {
        let mut after = changes.after;
        for some in changes.changes.chunks(KEYS) {
            // What a room came to in the end is what counts.
            let last: HashMap<u64, bool> = some.iter().copied().collect();
            let keys = |held: bool| {
                let keys = last.iter().filter(move |(_, is_held)| **is_held == held);
                pack(keys.map(|(key, _)| *key))
            };
            let count = some.len() as u64;
            self.post(
                To::All,
                Body::Changes {
                    after,
                    added: keys(true),
                    removed: keys(false),
                    count,
                    bucketed: changes.bucketed,
                },
            );
            after += count;
        }
    }

    fn tell_all_rooms(&self, to: To, snapshot: &Snapshot) {
        let parts = snapshot.keys.len().div_ceil(KEYS).max(1);
        for part in 0..parts {
            let keys = snapshot.keys.iter().skip(part * KEYS).take(KEYS);
            self.post(
                to,
                Body::Rooms {
                    version: snapshot.version,
                    // Sixteen million keys are 256 of them.
                    part: u32::try_from(part).unwrap_or(u32::MAX),
                    parts: u32::try_from(parts).unwrap_or(u32::MAX),
                    keys: pack(keys.copied()),
                    bucketed: snapshot.bucketed,
                },
            );
        }
    }
}
