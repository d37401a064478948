//! What a policy can see and ask of the broker: the imports of its world.
//!
//! `asks` lets it ask over HTTP, `current` tells it facts about the call, `effects` notes what it wants done, `session` what an identity rests on, `store` is its counters and values,
//! `memory` bounds what it may use.

mod asks;
mod current;
mod effects;
mod memory;
mod session;
mod store;

use std::sync::Arc;

use super::advance::Promise;
use super::bindings::{limits, log, metrics, types};
use super::clock::Clock;
use super::instance::Overrun;
use crate::config::Capability;
use crate::event::{Attachments, Client, Effect};
use crate::moment::Moment;
use crate::state::{BucketRule, Decision, PolicyState, SubjectRef};
use crate::telemetry::events::{Level, PolicyLog};
use crate::telemetry::metrics::OwnMetric;
pub(super) use asks::{A_CALL as REQUESTS_A_CALL, Asks, let_ask, one_less};
use effects::Wanted;
use memory::Memory;
pub(super) use memory::Usage;
pub(crate) use session::LONGEST_TOKEN;

/// The two outputs of a guest; the number is the resource's representation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout = 1,
    Stderr = 2,
}

impl Stream {
    fn index(self) -> usize {
        usize::from(self == Self::Stderr)
    }
}

/// Lines a policy may log during one call; what is over is counted in the last line.
const LINES_A_CALL: u32 = 16;

/// The call that is being served.
#[derive(Clone)]
pub(super) struct Current {
    pub client: Arc<Client>,
    pub event: Option<CurrentEvent>,
    /// When the call began: limits count by it, so that they read no clock of their own.
    pub since: Moment,
}

impl Current {
    /// A call that is about a socket and none of its events.
    pub(super) fn of_client(client: &Arc<Client>, since: Moment) -> Self {
        Self {
            client: client.clone(),
            event: None,
            since,
        }
    }
}

#[derive(Clone)]
pub(super) struct CurrentEvent {
    pub name: Arc<str>,
    /// Its number among the events of its socket.
    pub number: u64,
    /// `None`: there are none.
    pub attachments: Option<Attachments>,
}

/// What all instances of a policy share.
pub(super) struct Terms {
    pub policy: Arc<str>,
    pub state: Arc<PolicyState>,
    pub buckets: Vec<BucketRule>,
    pub metrics: Vec<OwnMetric>,
    pub granted: Vec<Capability>,
    pub clock: Clock,
    pub usage: Arc<Usage>,
}

impl Terms {
    /// Takes from the bucket of a client, or of whoever else is meant.
    pub(super) fn take(
        &self,
        rule: &BucketRule,
        whom: types::Subject,
        cost: u32,
        client: &Client,
        now: Moment,
    ) -> Decision {
        let identity;
        let subject = match whom {
            types::Subject::Socket => SubjectRef::Socket(client.peer.token),
            types::Subject::User => {
                identity = client.identity.read();
                let address = SubjectRef::Address(client.peer.address);
                identity.user.as_ref().map_or(address, SubjectRef::User)
            }
            types::Subject::Address => SubjectRef::Address(client.peer.address),
            types::Subject::Namespace => SubjectRef::Namespace(&client.namespace),
            types::Subject::Global => SubjectRef::Global,
        };
        self.state
            .take(rule, subject, cost, self.clock.millis_at(now))
    }
}

/// The data of one instance's store.
pub(super) struct Host {
    pub terms: Arc<Terms>,
    pub current: Option<Current>,
    pub memory: Memory,
    pub overrun: Overrun,
    /// `None`: nobody may be asked by this call.
    pub asks: Option<Asks>,
    /// What it has said in advance, while it was configured.
    pub promises: Vec<Promise>,
    wanted: Wanted,
    lines: u32,
    /// What the guest printed since its last line break.
    printed: [Vec<u8>; 2],
}

impl Host {
    pub(super) fn new(terms: Arc<Terms>, memory: u64) -> Self {
        Self {
            memory: Memory::new(memory, terms.usage.clone()),
            terms,
            current: None,
            overrun: Overrun::default(),
            asks: None,
            promises: Vec::new(),
            wanted: Wanted::default(),
            lines: 0,
            printed: [Vec::new(), Vec::new()],
        }
    }

    /// For the one call that is made before a module belongs to a policy: `describe`.
    pub(super) fn undescribed(memory: u64) -> Self {
        let terms = Terms {
            policy: Arc::from("describe"),
            state: Arc::new(PolicyState::default()),
            buckets: Vec::new(),
            metrics: Vec::new(),
            granted: Vec::new(),
            clock: Clock::System,
            usage: Arc::default(),
        };
        Self::new(Arc::new(terms), memory)
    }

    /// Readies the host for one call.
    pub(super) fn begin(&mut self, current: Option<Current>) {
        self.current = current;
        self.overrun = Overrun::default();
        self.lines = 0;
    }

    /// Ends a call: nothing of it may be seen by the next one.
    pub(super) fn end(&mut self) {
        self.current = None;
        self.asks = None;
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.printed[stream.index()].is_empty() {
                self.print(stream, b"\n");
            }
        }
    }

    /// What the call wanted done beside its verdict.
    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        self.wanted.take()
    }

    fn log(&mut self, level: Level, message: &str) {
        self.lines += 1;
        if self.lines > LINES_A_CALL {
            return;
        }
        let message = if self.lines == LINES_A_CALL {
            "more lines than a call may log; the rest is left out"
        } else {
            message
        };
        if let Some(rehearsal) = self.terms.clock.rehearsal() {
            return rehearsal.log(level, message);
        }
        PolicyLog {
            policy: &self.terms.policy,
            level,
            message,
        }
        .emit();
    }

    /// Takes what the guest wrote to a stream and logs whole lines of it.
    pub(super) fn print(&mut self, stream: Stream, bytes: &[u8]) {
        /// A line longer than this is logged in pieces, so that a guest cannot fill the host's memory.
        const LINE: usize = 1024;
        let index = stream.index();
        for &byte in bytes {
            let full = self.printed[index].len() >= LINE;
            if byte == b'\n' || full {
                let line = std::mem::take(&mut self.printed[index]);
                if !line.is_empty() {
                    self.log(Level::Info, &String::from_utf8_lossy(&line));
                }
            }
            if byte != b'\n' {
                self.printed[index].push(byte);
            }
        }
    }

    /// Takes from the bucket of whoever is meant, which is nobody in particular while no call is served.
    fn take_of(&self, rule: &BucketRule, whom: types::Subject, cost: u32) -> Decision {
        let terms = &self.terms;
        match &self.current {
            Some(Current { client, since, .. }) => terms.take(rule, whom, cost, client, *since),
            None => {
                let now = terms.clock.millis();
                terms.state.take(rule, SubjectRef::Global, cost, now)
            }
        }
    }

    fn is_granted(&self, capability: Capability) -> bool {
        self.terms.granted.contains(&capability)
    }
}

impl types::Host for Host {}

impl limits::Host for Host {
    fn take(&mut self, bucket: u32, whom: limits::Subject, cost: u32) -> limits::Decision {
        let Some(rule) = self.terms.buckets.get(bucket as usize) else {
            // A number that `interests` did not declare: refused, so that the mistake shows, and the author is told.
            self.log(Level::Error, "take: there is no such bucket");
            return limits::Decision {
                allowed: false,
                remaining: 0,
                retry_after_ms: 0,
            };
        };
        let decision = self.take_of(rule, whom, cost);
        limits::Decision {
            allowed: decision.allowed,
            remaining: decision.remaining,
            retry_after_ms: decision.retry_after_ms,
        }
    }
}

impl log::Host for Host {
    fn write(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        Host::log(self, level, &message);
    }
}

impl metrics::Host for Host {
    fn add(&mut self, metric: u32, by: u64) {
        match self.terms.metrics.get(metric as usize) {
            Some(OwnMetric::Counter(counter)) => {
                let before = counter.inc_by(by);
                if let Some(rehearsal) = self.terms.clock.rehearsal() {
                    rehearsal.metric(metric, before.saturating_add(by) as f64);
                }
            }
            _ => self.log(Level::Error, "add: there is no such counter"),
        }
    }

    fn set(&mut self, metric: u32, value: f64) {
        match self.terms.metrics.get(metric as usize) {
            Some(OwnMetric::Gauge(gauge)) => {
                gauge.set(value);
                if let Some(rehearsal) = self.terms.clock.rehearsal() {
                    rehearsal.metric(metric, value);
                }
            }
            _ => self.log(Level::Error, "set: there is no such gauge"),
        }
    }
}
