//! An active policy: a module with its settings, resolved once so that an event costs numbers only.
//!
//! `answers` checks what the guest says; `guarded` asks its breaker.

mod answers;
mod guarded;

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;

use super::advance::Advance;
use super::asking::Asking;
use super::bindings::types;
use super::breaker::Breaker;
use super::contract::{hooks, implements};
use super::engine::Engine;
use super::host::{Current, CurrentEvent, Host, Terms};
use super::instance::{Fault, Instance};
use super::module::Module;
use super::signature::Signer;
use super::slots;
use crate::config;
use crate::event::{Client, Denial, Effect, Event, Identity, Verdict};
use crate::glob::Glob;
use crate::moment::Moment;
use crate::telemetry::events::PolicyTrapped;
use crate::telemetry::metrics::{Hook, PolicyMetrics, TrapKind, VerdictKind};

pub(super) use answers::{MAX_IDENTITY, checked};

/// An event rule, ready for matching.
pub(super) struct Rule {
    pub glob: Glob,
    pub args: bool,
    /// What it answers without a call.
    pub advance: Option<Advance>,
}

pub(crate) struct Policy {
    pub(super) id: u64,
    pub settings: Arc<config::Policy>,
    pub name: Arc<str>,
    /// Stands for the name where that would be counted as one more reference: reactors would pull it from each other.
    pub key: u64,
    pub module: Arc<Module>,
    /// Who vouches for the module, by the keys that are trusted now.
    pub signer: ArcSwapOption<Signer>,
    /// Where it comes from, for the API.
    pub source: Source,
    /// The namespaces it takes part in; `None`: as the namespaces say (or, dropped in, all of them).
    pub namespaces: Option<Vec<String>>,
    pub generation: u64,
    pub since: SystemTime,
    pub(super) config: String,
    /// What the configuration makes of it, in its own words.
    pub interests: types::Interests,
    pub(super) rules: Vec<Rule>,
    /// Of rooms that clients ask to join.
    pub(super) rooms: Vec<Glob>,
    /// What its instances share.
    pub(super) terms: Arc<Terms>,
    /// For a connect hook that may ask over HTTP.
    pub(super) asking: Option<Asking>,
    pub(super) engine: Arc<Engine>,
    pub(super) metrics: HookMetrics,
    pub breaker: Breaker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Configured,
    DroppedIn,
}

/// `None` for hooks that the policy does not have: they would only fill the metrics with zeros.
pub(super) struct HookMetrics {
    pub connect: Option<PolicyMetrics>,
    pub event: Option<PolicyMetrics>,
    pub subscribe: Option<PolicyMetrics>,
    pub disconnect: Option<PolicyMetrics>,
}

/// What a policy says to a connection.
pub(crate) enum Admission {
    Pass,
    Accept(Identity),
    Deny(Denial),
}

/// When a call begins, and how long it may take.
#[derive(Clone, Copy)]
struct Span {
    begin: Moment,
    deadline: Duration,
}

/// An event that policies are asked about.
pub(crate) struct Asked<'a> {
    pub event: &'a Event,
    /// Its number among the events of its socket.
    pub number: u64,
    pub wants_ack: bool,
    /// An earlier policy has replaced its arguments.
    pub replaced: bool,
    /// When the policy before it was done. Every reading of a clock is a tenth of a call.
    pub at: &'a Cell<Option<Moment>>,
}

impl Policy {
    pub(super) fn engine(&self) -> &wasmtime::Engine {
        &self.engine.wasm
    }

    pub(super) fn config(&self) -> &str {
        &self.config
    }

    pub(super) fn host(&self) -> Host {
        Host::new(self.terms.clone(), self.settings.memory)
    }

    /// How many instances there are, on all threads, and how many bytes of memory they have.
    pub(crate) fn usage(&self) -> (usize, usize) {
        self.terms.usage.now()
    }

    pub(crate) fn has(&self, hook: Hook) -> bool {
        implements(self.module.description.hooks, hook)
    }

    pub(crate) fn hooks(&self) -> impl Iterator<Item = Hook> + Clone {
        hooks(self.module.description.hooks)
    }

    /// The first rule that matches an event, and its number.
    fn interest(&self, event: &str) -> Option<(u32, &Rule)> {
        let mut rules = self.rules.iter().zip(0..);
        let (rule, number) = rules.find(|(rule, _)| rule.glob.matches(event))?;
        Some((number, rule))
    }

    /// `None`: the policy is not interested and was not called. What it wants done besides is added to `effects`.
    pub(crate) fn on_event(
        &self,
        client: &Arc<Client>,
        asked: &Asked<'_>,
        effects: &mut Vec<Effect>,
    ) -> Option<Result<Verdict, Fault>> {
        let event = asked.event;
        let (number, rule) = self.interest(&event.name)?;
        let advance = rule.advance.as_ref();
        if let Some(verdict) = advance.and_then(|it| self.in_advance(it, client, asked.at)) {
            return Some(Ok(verdict));
        }
        let permit = match self.permit(Hook::Event, client) {
            Ok(permit) => permit,
            Err(fault) => return Some(Err(fault)),
        };
        let traits = traits(&[
            (types::EventTraits::WANTS_ACK, asked.wants_ack),
            (
                types::EventTraits::HAS_ATTACHMENTS,
                !event.attachments.is_empty(),
            ),
            (types::EventTraits::REPLACED, asked.replaced),
        ]);
        let args = if rule.args { &*event.args } else { "" };
        let before = effects.len();
        let hook = Hook::Event;
        let verdict = self.with_instance(hook, client, asked.at, effects, |instance, call| {
            let attachments = &event.attachments;
            let current = Current {
                client: client.clone(),
                event: Some(CurrentEvent {
                    name: event.name.clone(),
                    number: asked.number,
                    attachments: (!attachments.is_empty()).then(|| attachments.clone()),
                }),
                since: call.begin,
            };
            instance.on_event(current, call.deadline, number, traits, args)
        });
        let verdict = verdict.and_then(|verdict| {
            let verdict = self.verdict(event, verdict);
            verdict.map_err(|wrong| self.wrong(Hook::Event, client, wrong))
        });
        if verdict.is_err() {
            effects.truncate(before);
        }
        self.ended(permit, Hook::Event, client, &verdict);
        Some(verdict)
    }

    /// `None`: the policy is not interested in the room.
    pub(crate) fn on_subscribe(
        &self,
        client: &Arc<Client>,
        room: &str,
        effects: &mut Vec<Effect>,
    ) -> Option<Result<Result<(), Denial>, Fault>> {
        let rule = self.rooms.iter().position(|glob| glob.matches(room))? as u32;
        let permit = match self.permit(Hook::Subscribe, client) {
            Ok(permit) => permit,
            Err(fault) => return Some(Err(fault)),
        };
        let (hook, at) = (Hook::Subscribe, Cell::new(None));
        let answer = self.with_instance(hook, client, &at, effects, |instance, call| {
            let current = Current::of_client(client, call.begin);
            instance.on_subscribe(current, call.deadline, rule, room)
        });
        self.ended(permit, Hook::Subscribe, client, &answer);
        Some(answer.map(|answer| match answer {
            types::Subscription::Pass => Ok(()),
            types::Subscription::Deny(denial) => Err(self.denial(denial)),
        }))
    }

    /// Waits only if the policy asks somebody else.
    pub(crate) async fn on_connect(
        &self,
        client: &Arc<Client>,
        auth: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<Admission, Fault> {
        let permit = self.permit(Hook::Connect, client)?;
        let before = effects.len();
        let admission = match &self.asking {
            None => {
                let (hook, at) = (Hook::Connect, Cell::new(None));
                self.with_instance(hook, client, &at, effects, |instance, call| {
                    let current = Current::of_client(client, call.begin);
                    instance.on_connect(current, call.deadline, auth)
                })
            }
            // Boxed, because all others would have to make room for it.
            Some(asking) => Box::pin(asking.on_connect(self, client, auth, effects)).await,
        };
        let mut admission = admission.and_then(|admission| {
            let admission = self.admission(admission);
            admission.map_err(|wrong| self.wrong(Hook::Connect, client, wrong))
        });
        let grant = answers::vouched(effects, before);
        if let Ok(Admission::Accept(identity)) = &mut admission {
            identity.grant = grant;
        }
        if admission.is_err() {
            effects.truncate(before);
        }
        self.ended(permit, Hook::Connect, client, &admission);
        admission
    }

    pub(crate) fn on_disconnect(
        &self,
        client: &Arc<Client>,
        reason: types::DisconnectReason,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        let permit = self.permit(Hook::Disconnect, client)?;
        let (hook, at) = (Hook::Disconnect, Cell::new(None));
        let farewell = self.with_instance(hook, client, &at, effects, |instance, call| {
            let current = Current::of_client(client, call.begin);
            instance.on_disconnect(current, call.deadline, reason)
        });
        self.ended(permit, Hook::Disconnect, client, &farewell);
        farewell
    }

    /// What a new instance takes: time, and bytes of memory.
    pub(crate) fn measure_instance(&self) -> Result<(Duration, usize), Fault> {
        let begin = Instant::now();
        let instance = self.instance(self.settings.timeout)?;
        Ok((begin.elapsed(), instance.memory()))
    }

    /// Makes this thread's instance before it is needed.
    pub(crate) fn warm_up(&self) -> Result<(), Fault> {
        slots::put(self.id, self.instance(self.settings.timeout)?);
        Ok(())
    }

    pub(crate) fn count(&self, hook: Hook, verdict: VerdictKind) {
        if let Some(metrics) = self.metrics(hook) {
            metrics.verdict(verdict);
        }
    }

    fn metrics(&self, hook: Hook) -> Option<&PolicyMetrics> {
        match hook {
            Hook::Connect => self.metrics.connect.as_ref(),
            Hook::Event => self.metrics.event.as_ref(),
            Hook::Subscribe => self.metrics.subscribe.as_ref(),
            Hook::Disconnect => self.metrics.disconnect.as_ref(),
        }
    }

    /// Runs a call on this thread's instance, made anew where there is none.
    fn with_instance<T>(
        &self,
        hook: Hook,
        client: &Client,
        at: &Cell<Option<Moment>>,
        effects: &mut Vec<Effect>,
        call: impl FnOnce(&mut Instance, Span) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let begin = at.get().unwrap_or_else(Moment::now);
        self.may_call(hook, client, begin)?;
        let deadline = self.settings.timeout;
        let result = self.instance(deadline).and_then(|mut instance| {
            let result = call(&mut instance, Span { begin, deadline });
            if result.is_ok() {
                effects.append(&mut instance.take_effects());
                slots::put(self.id, instance);
            }
            result
        });
        let end = Moment::now();
        at.set(Some(end));
        self.took(hook, end.nanos_since(begin));
        if let Err(fault) = &result {
            slots::failed(self.id, client.peer.token, end.since(begin), end);
            self.report(hook, client, fault);
        }
        result
    }

    /// Whether a call may be made, given what earlier ones have cost that failed.
    pub(super) fn may_call(&self, hook: Hook, client: &Client, now: Moment) -> Result<(), Fault> {
        let is_rehearsal = self.terms.clock.rehearsal().is_some();
        if is_rehearsal || slots::may_call(self.id, client.peer.token, now) {
            return Ok(());
        }
        let detail = "not called: its failing calls have taken all the time they may";
        Err(self.fault(hook, client, TrapKind::Budget, detail.into()))
    }

    pub(super) fn took(&self, hook: Hook, nanos: u64) {
        if let Some(metrics) = self.metrics(hook) {
            metrics.duration(nanos);
        }
    }

    /// This thread's instance, taken out of its place.
    fn instance(&self, deadline: Duration) -> Result<Box<Instance>, Fault> {
        if let Some(instance) = slots::take(self.id) {
            return Ok(instance);
        }
        let (instance, configured) = Instance::new(self, deadline)?;
        match configured {
            Ok(_) => Ok(Box::new(instance)),
            Err(reason) => Err(Fault::inconsistent(&reason)),
        }
    }

    /// An answer that cannot be followed.
    fn wrong(&self, hook: Hook, client: &Client, detail: String) -> Fault {
        self.fault(hook, client, TrapKind::Verdict, detail)
    }

    /// A fault that is no call's that was made and failed; it is reported here.
    pub(super) fn fault(
        &self,
        hook: Hook,
        client: &Client,
        kind: TrapKind,
        detail: String,
    ) -> Fault {
        let fault = Fault { kind, detail };
        self.report(hook, client, &fault);
        fault
    }

    pub(super) fn report(&self, hook: Hook, client: &Client, fault: &Fault) {
        if let Some(metrics) = self.metrics(hook) {
            metrics.trap(fault.kind);
        }
        PolicyTrapped {
            policy: &self.name,
            hook,
            kind: fault.kind,
            detail: &fault.detail,
            socket: &client.peer.name,
        }
        .emit();
    }
}

fn traits(flags: &[(types::EventTraits, bool)]) -> types::EventTraits {
    let set = flags.iter().filter(|(_, set)| *set);
    set.fold(types::EventTraits::empty(), |all, (flag, _)| all | *flag)
}
