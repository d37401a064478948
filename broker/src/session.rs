//! One socket's corridor: from its CONNECT to its end, every event of it goes through here, one at a time.
//!
//! `handle` reads like the life of an event: packet → pipeline → router → fanout → ack. `admission` is what comes before,
//! `waiting` has what waits for the end of a window (as `coalesce` says), `delivery` does what the router says, `effects`
//! what policies want done besides, `expiry` is the end of what a socket was let in with (`watch` knows when that is), and
//! `refresh` what a client shows instead; `answer` tells the sender, and `later` when somebody else knows; `telling` is what
//! back ends and watchers hear of sockets, and `presence` how a socket comes to watch. Sockets of the Admin UI are
//! `operators`.

mod admission;
mod answer;
mod coalesce;
mod delivery;
mod effects;
mod expiry;
mod later;
mod operators;
mod presence;
mod refresh;
mod telling;
#[cfg(test)]
pub(crate) mod tests;
mod traced;
mod waiting;
mod watch;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::adminui::AdminUi;
use crate::admission::{Admission, UserPlace};
use crate::backend::Backend;
use crate::batch::Events;
use crate::event::{Attachments, Client, Code, Denial, Effect, Event};
use crate::fanout::{Asking, Expected, Fanout, Home, Member, Outlet};
use crate::moment::Moment;
use crate::packet;
use crate::pipeline::{Judged, Passage, Pipeline, Pipelines};
use crate::plugin::DisconnectReason;
use crate::record::{Draft, Recorder};
use crate::revocation::Table;
use crate::state::Store;
use crate::telemetry::events::{Connected, Disconnected};
use crate::telemetry::metrics::{DropReason, Held, metrics};
use crate::telemetry::trace;
pub(crate) use admission::{Refusal, Welcome, admit};
use answer::Answered;
use coalesce::Coalescer;
use expiry::Term;
pub(crate) use expiry::revoked;
pub(crate) use later::{Later, Owed};
pub(crate) use presence::Roll;
use waiting::Waiting;
pub(crate) use watch::Watches;

/// What all sessions share.
pub(crate) struct Broker {
    pub pipelines: ArcSwap<Pipelines>,
    pub fanout: Arc<Fanout>,
    /// What policies count; a socket's own counts go with it.
    pub store: Arc<Store>,
    /// What clients do, for whoever wants to know.
    pub recorder: Arc<Recorder>,
    /// Sockets that are in a namespace and of whose end nobody has been told yet.
    pub sessions: AtomicUsize,
    /// No new client is let in: the node is at its end, or is to be without clients for a while.
    pub draining: AtomicBool,
    /// Set once, at the end: nothing new is begun for others either.
    pub ending: AtomicBool,
    /// Answers that sockets wait for.
    pub owed: Owed,
    /// Who knows who is in a room.
    pub roll: Roll,
    /// What clients are asked.
    pub asking: Arc<Asking>,
    /// Whom and what is kept out.
    pub revocations: Table,
    /// Sessions that rest on something.
    pub watches: Watches,
    /// Who may come in.
    pub admission: Arc<Admission>,
    /// `None`: there is no NATS server.
    pub backend: Option<Arc<Backend>>,
    /// Events that leave together.
    pub gathered: Events,
    /// `None`: the official Admin UI cannot attach.
    pub admin_ui: Option<Arc<AdminUi>>,
}

type Entrance = (Vec<Effect>, Option<Expected>);

pub(crate) struct Session {
    pub(crate) client: Arc<Client>,
    outlet: Arc<dyn Outlet>,
    broker: Arc<Broker>,
    /// Its reactor's part of the fan-out.
    home: Home,
    /// Held while an event is handled. Events of a WebSocket come one by one anyway; those of a polling client may
    /// come in two requests at once.
    turn: Mutex<Turn>,
    brought: Mutex<Brought>,
    stage: AtomicU8,
    since: Moment,
    /// Answers that it waits for.
    owed: Owed,
    /// Made for those that rest on something.
    term: Mutex<Option<Box<Term>>>,
}

/// What it came in with. Most come with nothing.
struct Brought {
    /// What policies wanted done when they let it in, and what others expect of it, until it is in.
    welcome: Option<Box<Entrance>>,
    /// Among its user's sockets, until it ends.
    place: Option<Box<UserPlace>>,
}

/// The pipeline that the last event went through; looked up again when the table has been replaced. Weak, so that a
/// socket that sends nothing does not keep the modules of a generation that is gone.
struct Turn {
    generation: u64,
    pipeline: Weak<Pipeline>,
    /// Events so far.
    events: u64,
    /// Made with the first event that a policy coalesces.
    windows: Option<Box<Windows>>,
}

/// Of a session, some of whose events wait.
struct Windows {
    waiting: Coalescer<Waiting>,
    /// When somebody comes to deliver what is due.
    comes: Option<Instant>,
}

/// The stages of a session; it goes through them in this order and may skip the middle one.
const NEW: u8 = 0;
const OPEN: u8 = 1;
const CLOSED: u8 = 2;

fn entrance(effects: Vec<Effect>, expected: Option<Expected>) -> Option<Box<Entrance>> {
    let is_something = !effects.is_empty() || expected.is_some();
    is_something.then(|| Box::new((effects, expected)))
}

// === impl Session ===

impl Drop for Session {
    /// One whose client went away before it could be told that it is in: nobody closes it.
    fn drop(&mut self) {
        if self.stage.load(Ordering::Acquire) == NEW {
            self.broker.store.forget_socket(self.client.peer.token);
        }
    }
}

impl Session {
    pub(crate) fn new(
        broker: Arc<Broker>,
        home: Home,
        client: Arc<Client>,
        outlet: Arc<dyn Outlet>,
        welcome: Welcome,
    ) -> Self {
        Self {
            client,
            outlet,
            broker,
            home,
            turn: Mutex::new(Turn {
                generation: 0,
                pipeline: Weak::new(),
                events: 0,
                windows: None,
            }),
            brought: Mutex::new(Brought {
                welcome: entrance(welcome.effects, welcome.expected),
                place: welcome.place.map(Box::new),
            }),
            stage: AtomicU8::new(NEW),
            since: Moment::now(),
            owed: Owed::default(),
            term: Mutex::default(),
        }
    }

    /// The client has been told that it is connected.
    pub(crate) fn open(self: &Arc<Self>) {
        if self
            .stage
            .compare_exchange(NEW, OPEN, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            return;
        }
        self.broker.sessions.fetch_add(1, Ordering::AcqRel);
        let member = Member {
            client: self.client.clone(),
            outlet: self.outlet.clone(),
        };
        self.broker.enter(&self.home, member);
        Connected {
            client: &self.client,
            transport: self.outlet.about().transport,
        }
        .emit();
        let welcome = self.brought.lock().welcome.take();
        if let Some(welcome) = welcome {
            let (effects, _expected) = *welcome;
            self.apply(effects);
        }
        self.is_operators();
        self.watch_term();
        self.end_if_revoked();
        // Closed between the two steps: nobody else will take it out again.
        if self.stage.load(Ordering::Acquire) == CLOSED {
            self.broker.leave_all(&self.home, &self.client);
            self.forget_term();
        }
    }

    /// The client is gone, for whatever reason.
    pub(crate) fn close(self: &Arc<Self>, reason: DisconnectReason, told: &'static str) {
        // One that was not open never was in the namespace, and nobody was told of it.
        if self.stage.swap(CLOSED, Ordering::AcqRel) == OPEN {
            self.leave(reason, told);
        }
        self.forget_term();
        self.broker.store.forget_socket(self.client.peer.token);
        let place = self.brought.lock().place.take();
        drop(place);
    }

    fn leave(self: &Arc<Self>, reason: DisconnectReason, told: &'static str) {
        self.deliver_all();
        self.broker.exit(&self.home, &self.client, told);
        let mut effects = Vec::new();
        self.broker.recorder.disconnect(&self.client, reason);
        if let Some(pipeline) = self.broker.pipelines.load().at(&self.client.namespace) {
            pipeline.farewell(&self.client, reason, &mut effects);
        }
        self.apply_without_socket(effects);
        Disconnected {
            client: &self.client,
            reason: told,
            after: Moment::now().since(self.since),
        }
        .emit();
        self.broker.sessions.fetch_sub(1, Ordering::AcqRel);
    }

    /// One event, as it came: the text `["name",…]`, and its attachments.
    pub(crate) fn handle(self: &Arc<Self>, text: &str, attachments: Attachments, ack: Option<i64>) {
        let mut turn = self.turn.lock();
        let begin = Moment::now();
        metrics().events_received.inc();
        let (name, args) = match packet::read(text, attachments.len()) {
            Ok(read) => read,
            Err(denial) => return self.deny(&mut turn, None, &denial, ack),
        };
        let event = Event {
            name,
            args,
            attachments,
            volatile: false,
        };
        let Some(pipeline) = self.pipeline(&mut turn) else {
            let denial = Denial::broker(Code::NoRoute, "the namespace is no longer served");
            return self.deny(&mut turn, Some(&event.name), &denial, ack);
        };
        if pipeline.namespace.is_operators {
            return self.command(&mut turn, &event, ack);
        }
        let session = &pipeline.namespace.session;
        if session.refreshes() && event.name == session.answer_event {
            return self.offers(&event.args, ack);
        }
        turn.events += 1;
        let traced = traced::event(self, &event);
        let seen = self
            .broker
            .recorder
            .event(&self.client, &event, ack.is_some());
        let passage = Passage::new(event, turn.events, ack.is_some());
        self.advance(&mut turn, &pipeline, passage, ack, seen);
        metrics().traffic.event_since(begin);
        drop(traced);
    }

    /// One event that cannot be read.
    pub(crate) fn refuse(self: &Arc<Self>, denial: &Denial, ack: Option<i64>) {
        let mut turn = self.turn.lock();
        metrics().events_received.inc();
        self.deny(&mut turn, None, denial, ack);
    }

    /// Takes an event through the policies that it has not passed yet, and does what they say.
    fn advance(
        self: &Arc<Self>,
        turn: &mut Turn,
        pipeline: &Arc<Pipeline>,
        passage: Passage,
        ack: Option<i64>,
        mut seen: Draft,
    ) {
        let mut effects = Vec::new();
        let mut next = Some(passage);
        while let Some(passage) = next.take() {
            let judged = pipeline.judge(&self.client, passage, &mut effects);
            seen.came_to(judged.as_str());
            traced::came_to(judged.as_str());
            match judged {
                Judged::Passed(event) => match self.route(pipeline, &event, ack, &mut effects) {
                    Ok(Answered::Now) => self.ok(ack),
                    Ok(Answered::Later) => {}
                    Err(denial) => self.deny(turn, Some(&event.name), &denial, ack),
                },
                Judged::Denied(event, denial) => {
                    self.deny(turn, Some(&event.name), &denial, ack);
                }
                Judged::Dropped => {
                    metrics().dropped(DropReason::Policy);
                    // Silent: the sender is not to notice.
                    self.ok(ack);
                }
                Judged::Answered(args) => self.answer(ack, &args),
                Judged::Coalesced(passage, policy, coalescing) => {
                    let waiting = Waiting {
                        passage,
                        pipeline: pipeline.clone(),
                        ack,
                        counted: Held::by(&metrics().traffic.coalescing),
                        trace: trace::here(),
                    };
                    next = self.coalesce(turn, policy, coalescing, waiting);
                }
            }
        }
        self.apply(effects);
    }

    /// The pipeline of this session's namespace, looked up once a generation.
    fn pipeline(&self, turn: &mut Turn) -> Option<Arc<Pipeline>> {
        let pipelines = self.broker.pipelines.load();
        if turn.generation == pipelines.generation
            && let Some(pipeline) = turn.pipeline.upgrade()
        {
            return Some(pipeline);
        }
        let pipeline = pipelines.at(&self.client.namespace)?;
        turn.pipeline = Arc::downgrade(pipeline);
        turn.generation = pipelines.generation;
        Some(pipeline.clone())
    }
}
