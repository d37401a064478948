//! One socket's corridor: from its CONNECT to its end, every event of it goes through here, one at a time.
//!
//! `handle` reads like the life of an event: packet → pipeline → router → fanout → ack.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::event::{Attachments, Client, Code, Delivery, Denial, Event};
use crate::fanout::{Fanout, Member, Outlet};
use crate::packet;
use crate::pipeline::{Judged, Pipeline, Pipelines};
use crate::plugin::DisconnectReason;
use crate::router;
use crate::state::Store;
use crate::telemetry::events::{
    Connected, ConnectionDenied, Disconnected, EventDenied, UnknownNamespace,
};
use crate::telemetry::metrics::{DropReason, metrics};

/// What all sessions share.
pub(crate) struct Broker {
    pub pipelines: ArcSwap<Pipelines>,
    pub fanout: Fanout,
    /// What policies count; a socket's own counts go with it.
    pub store: Arc<Store>,
    /// Sockets that are in a namespace and of whose end nobody has been told yet.
    pub sessions: AtomicUsize,
    /// Set once, at the end: no new client is let in.
    pub draining: AtomicBool,
}

/// Longest name of a namespace, in bytes. Names are the client's choice where the configuration has a pattern.
const MAX_NAMESPACE: usize = 256;

pub(crate) struct Session {
    pub(crate) client: Arc<Client>,
    outlet: Arc<dyn Outlet>,
    broker: Arc<Broker>,
    transport: &'static str,
    /// Held while an event is handled. Events of a WebSocket come one by one anyway; those of a polling client may
    /// come in two requests at once.
    turn: Mutex<Turn>,
    stage: AtomicU8,
    since: Instant,
}

/// The pipeline that the last event went through; looked up again when the table has been replaced. Weak, so that a
/// socket that sends nothing does not keep the modules of a generation that is gone.
struct Turn {
    generation: u64,
    pipeline: Weak<Pipeline>,
}

/// The stages of a session; it goes through them in this order and may skip the middle one.
const NEW: u8 = 0;
const OPEN: u8 = 1;
const CLOSED: u8 = 2;

/// Why a connection to a namespace was refused.
pub(crate) enum Refusal {
    /// There is no such namespace: the protocol has its own words for that.
    NoNamespace,
    Denied(Denial),
}

/// Asks the policies of a namespace whether to let a client in. `auth` is the text that came with its CONNECT.
pub(crate) fn admit(
    broker: &Broker,
    client: &Arc<Client>,
    auth: Option<&str>,
) -> Result<(), Refusal> {
    let pipelines = broker.pipelines.load();
    let pipeline = match pipelines.at(&client.namespace) {
        Some(pipeline) if client.namespace.len() <= MAX_NAMESPACE => pipeline,
        _ => {
            UnknownNamespace { client }.emit();
            return Err(Refusal::NoNamespace);
        }
    };
    let verdict = if broker.draining.load(Ordering::Relaxed) {
        Err(Denial::broker(
            Code::Draining,
            "this server is shutting down",
        ))
    } else {
        check_auth(auth).and_then(|auth| pipeline.admit(client, auth))
    };
    verdict.map_err(|denial| {
        broker.store.forget_socket(client.peer.token);
        ConnectionDenied {
            client,
            denial: &denial,
        }
        .emit();
        Refusal::Denied(denial)
    })
}

/// Policies get JSON or nothing.
fn check_auth(auth: Option<&str>) -> Result<&str, Denial> {
    match auth {
        None => Ok("{}"),
        Some(text) => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Ok(text),
            Err(_) => Err(Denial::broker(
                Code::InvalidPacket,
                "the auth payload is not JSON",
            )),
        },
    }
}

// === impl Session ===

impl Session {
    pub(crate) fn new(
        broker: Arc<Broker>,
        client: Arc<Client>,
        outlet: Arc<dyn Outlet>,
        transport: &'static str,
    ) -> Self {
        Self {
            client,
            outlet,
            broker,
            transport,
            turn: Mutex::new(Turn {
                generation: 0,
                pipeline: Weak::new(),
            }),
            stage: AtomicU8::new(NEW),
            since: Instant::now(),
        }
    }

    /// The client has been told that it is connected.
    pub(crate) fn open(&self) {
        if self
            .stage
            .compare_exchange(NEW, OPEN, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            return;
        }
        self.broker.sessions.fetch_add(1, Ordering::AcqRel);
        self.broker.fanout.enter(Arc::new(Member {
            client: self.client.clone(),
            outlet: self.outlet.clone(),
        }));
        Connected {
            client: &self.client,
            transport: self.transport,
        }
        .emit();
        // Closed between the two steps: nobody else will take it out again.
        if self.stage.load(Ordering::Acquire) == CLOSED {
            self.broker.fanout.exit(&self.client);
        }
    }

    /// The client is gone, for whatever reason.
    pub(crate) fn close(&self, reason: DisconnectReason, told: &'static str) {
        // One that was not open never was in the namespace, and nobody was told of it.
        if self.stage.swap(CLOSED, Ordering::AcqRel) == OPEN {
            self.leave(reason, told);
        }
        self.broker.store.forget_socket(self.client.peer.token);
    }

    fn leave(&self, reason: DisconnectReason, told: &'static str) {
        self.broker.fanout.exit(&self.client);
        if let Some(pipeline) = self.broker.pipelines.load().at(&self.client.namespace) {
            pipeline.farewell(&self.client, reason);
        }
        Disconnected {
            client: &self.client,
            reason: told,
            after: self.since.elapsed(),
        }
        .emit();
        self.broker.sessions.fetch_sub(1, Ordering::AcqRel);
    }

    /// One event, as it came: the text `["name",…]`, and its attachments.
    pub(crate) fn handle(&self, text: &str, attachments: Attachments, ack: Option<i64>) {
        let mut turn = self.turn.lock();
        metrics().events_received.inc();
        let (name, args) = match packet::read(text, attachments.len()) {
            Ok(read) => read,
            Err(denial) => return self.deny(&mut turn, None, &denial, ack),
        };
        let event = Event {
            name,
            args,
            attachments,
        };
        let Some(pipeline) = self.pipeline(&mut turn) else {
            let denial = Denial::broker(Code::NoRoute, "the namespace is no longer served");
            return self.deny(&mut turn, Some(&event.name), &denial, ack);
        };
        match pipeline.judge(&self.client, event, ack.is_some()) {
            Judged::Passed(event) => match self.route(&pipeline, &event) {
                Ok(()) => self.ok(ack),
                Err(denial) => self.deny(&mut turn, Some(&event.name), &denial, ack),
            },
            Judged::Denied(event, denial) => {
                self.deny(&mut turn, Some(&event.name), &denial, ack);
            }
            Judged::Dropped => {
                metrics().dropped(DropReason::Policy);
                // Silent: the sender is not to notice.
                self.ok(ack);
            }
        }
    }

    fn route(&self, pipeline: &Pipeline, event: &Event) -> Result<(), Denial> {
        let fanout = &self.broker.fanout;
        match router::route(&pipeline.namespace.routes, event)? {
            Delivery::Emit { name, to } => {
                let renamed;
                let event = if name == event.name {
                    event
                } else {
                    renamed = Event {
                        name,
                        ..event.clone()
                    };
                    &renamed
                };
                fanout.emit(&self.client, &to, event);
            }
            Delivery::Join(room) => fanout
                .join(&self.client, &room)
                .map_err(|_| Denial::broker(Code::Overloaded, "in too many rooms already"))?,
            Delivery::Leave(room) => fanout.leave(&self.client, &room),
            Delivery::Ignore => {}
        }
        Ok(())
    }

    fn ok(&self, ack: Option<i64>) {
        if let Some(id) = ack {
            self.outlet.ack(id, r#"[{"ok":true}]"#);
        }
    }

    /// Tells the sender why: through its ack, or else by the namespace's denial event.
    fn deny(&self, turn: &mut Turn, event: Option<&Arc<str>>, denial: &Denial, ack: Option<i64>) {
        EventDenied {
            client: &self.client,
            event: event.map_or("", |name| name),
            denial,
        }
        .emit();
        // A denial holds text, numbers and JSON that was checked; it always serializes.
        let object = serde_json::to_string(denial).unwrap_or_else(|_| "{}".to_owned());
        match ack {
            Some(id) => self.outlet.ack(id, &format!(r#"[{{"error":{object}}}]"#)),
            None => {
                let name = self.pipeline(turn).map_or_else(
                    || "error".into(),
                    |p| p.namespace.denial_event.as_str().into(),
                );
                let told = Event {
                    name,
                    args: format!("[{object}]").into(),
                    attachments: Arc::new([]),
                };
                self.outlet.send(&self.outlet.encode(&told));
            }
        }
        if denial.disconnect {
            self.outlet.disconnect();
        }
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
