//! What the benchmarks in `benches/` and the test of allocations need of the inside. Not an interface: it changes with
//! the rooms it opens.

mod fanout;

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use crate::cli::Exit;
use crate::config::{self, Env};
pub use crate::edge::bench::{Inward, Lanes, ack_frame, event_frame, msgpack_frame};
use crate::event::{Client, Event, Identity, Peer};
use crate::moment::Moment;
use crate::pipeline::{Judged, Passage, Pipeline};
use crate::state::{BucketRule, Millis, PolicyState, SubjectRef};
use crate::telemetry::metrics::{Hook, PolicyMetrics, VerdictKind, metrics};
use crate::{app, packet, plugin, router};
pub use fanout::Fan;

/// A component whose one function does nothing: the floor that the rest is held against.
pub struct Floor(plugin::Empty);

impl Floor {
    /// # Errors
    /// The engine cannot be had on this machine.
    pub fn new() -> Result<Self, Exit> {
        let failed = |error: wasmtime::Error| Exit::Internal(error.to_string());
        let engine = plugin::Engine::new().map_err(failed)?;
        plugin::Empty::new(&engine).map(Self).map_err(failed)
    }

    /// False: the call failed.
    #[must_use]
    pub fn call(&mut self) -> bool {
        self.0.call().is_ok()
    }
}

/// What a policy costs that is no more than a bucket, without WebAssembly: a bucket for a user, and the time.
pub struct Bucket {
    state: PolicyState,
    rule: BucketRule,
    user: Arc<str>,
}

impl Bucket {
    #[must_use]
    pub fn new(user: &str, burst: u32, per_second: f64) -> Self {
        Self {
            state: PolicyState::default(),
            rule: BucketRule {
                name: "bench".into(),
                burst,
                per_second,
                window_ms: 0,
                scope: crate::state::Scope::Node,
            },
            user: user.into(),
        }
    }

    /// False: there is nothing left in it.
    #[must_use]
    pub fn take(&self) -> bool {
        let user = SubjectRef::User(&self.user);
        self.state.take(&self.rule, user, 1, Millis::now()).allowed
    }
}

/// What it costs to record a call: a policy more in a chain is a reading of the clock, a place in a histogram and a
/// verdict counted.
pub struct Recording {
    metrics: PolicyMetrics,
    at: Moment,
}

impl Recording {
    #[must_use]
    pub fn new() -> Self {
        Self {
            metrics: metrics().policy("bench", Hook::Event),
            at: Moment::now(),
        }
    }

    pub fn call(&mut self) {
        let now = Moment::now();
        self.metrics.duration(now.nanos_since(self.at));
        self.metrics.verdict(VerdictKind::Pass);
        self.at = now;
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

/// The way of an event from its text to the router's answer, with the policies of a configuration.
pub struct Line {
    pipeline: Arc<Pipeline>,
    client: Arc<Client>,
}

/// An event that has been read, to be judged again and again: in the broker no event is copied on its way either.
pub struct Ready {
    event: RefCell<Option<Event>>,
    args: Arc<str>,
}

impl Line {
    /// Loads the policies of a configuration for a client of `/` with this user.
    ///
    /// # Errors
    /// As `sluice run`.
    pub fn new(config: &Path, user: &str) -> Result<Self, Exit> {
        // Not the environment of this process: a benchmark measures what its file says.
        let loaded = config::load(Some(config), Env::default())?;
        let pipeline = app::pipelines(loaded)?
            .at("/")
            .cloned()
            .ok_or_else(|| Exit::Configuration("there is no namespace `/`".to_owned()))?;
        Ok(Self {
            pipeline,
            client: client(1, user),
        })
    }

    /// The same policies for another client, as another reactor would use them.
    #[must_use]
    pub fn beside(&self, token: u64, user: &str) -> Self {
        Self {
            pipeline: self.pipeline.clone(),
            client: client(token, user),
        }
    }

    /// Reads an event's text.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Ready> {
        let (name, args) = packet::read(text, 0).ok()?;
        Some(Ready {
            args: args.clone(),
            event: RefCell::new(Some(Event {
                name,
                args,
                attachments: Arc::new([]),
                volatile: false,
            })),
        })
    }

    /// Passes one event through the policies alone. False: it was refused. An event that a policy coalesces is not: in
    /// a benchmark every one begins a window.
    #[must_use]
    pub fn judge(&self, ready: &Ready) -> bool {
        let Some(event) = ready.event.take() else {
            return false;
        };
        let mut effects = Vec::new();
        let passage = Passage::new(event, 0, false);
        let mut event = match self.pipeline.judge(&self.client, passage, &mut effects) {
            Judged::Passed(event) => event,
            Judged::Coalesced(passage, ..) => passage.event,
            _ => return false,
        };
        if !Arc::ptr_eq(&event.args, &ready.args) {
            event.args = ready.args.clone();
        }
        ready.event.replace(Some(event));
        true
    }

    /// Asks the router alone. False: there is no route for the event, or it does not say its room.
    #[must_use]
    pub fn route(&self, ready: &Ready) -> bool {
        let event = ready.event.borrow();
        let routes = &self.pipeline.namespace.routes;
        event
            .as_ref()
            .is_some_and(|event| router::route(routes, event).is_ok())
    }

    /// Passes one event through, from its text to the router's answer. False: it was denied, which a benchmark does not
    /// want to measure by mistake.
    #[must_use]
    pub fn event(&self, text: &str) -> bool {
        let Some(event) = self.read(text).and_then(|ready| ready.event.take()) else {
            return false;
        };
        let mut effects = Vec::new();
        let passage = Passage::new(event, 0, false);
        match self.pipeline.judge(&self.client, passage, &mut effects) {
            Judged::Passed(event) => router::route(&self.pipeline.namespace.routes, &event).is_ok(),
            _ => false,
        }
    }
}

fn client(token: u64, user: &str) -> Arc<Client> {
    Arc::new(Client {
        peer: Peer {
            token,
            name: "bench".into(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            handshake: Arc::default(),
        },
        namespace: "/".into(),
        identity: parking_lot::RwLock::new(Identity {
            user: Some(user.into()),
            ..Identity::default()
        }),
        rooms: Default::default(),
    })
}
