//! An active policy: a module with its settings, resolved once so that an event costs numbers only.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::value::RawValue;

use super::bindings::types;
use super::engine::Engine;
use super::host::{Current, Host};
use super::instance::{Fault, Instance};
use super::module::Module;
use super::slots;
use crate::config;
use crate::event::{Client, Denial, Event, Identity, Verdict};
use crate::glob::Glob;
use crate::packet;
use crate::state::{BucketRule, PolicyState};
use crate::telemetry::events::PolicyTrapped;
use crate::telemetry::metrics::{Hook, PolicyMetrics, TrapKind, VerdictKind};

/// Bytes and rooms of an identity that one policy may give.
const MAX_IDENTITY: usize = 64 << 10;
const MAX_IDENTITY_ROOMS: usize = 1024;

/// An event rule, ready for matching.
pub(super) struct Rule {
    pub glob: Glob,
    pub args: bool,
}

pub(crate) struct Policy {
    pub(super) id: u64,
    pub settings: Arc<config::Policy>,
    pub name: Arc<str>,
    pub module: Arc<Module>,
    /// Where it comes from, for the API.
    pub source: Source,
    /// The namespaces it takes part in; `None`: as the namespaces say (or, dropped in, all of them).
    pub namespaces: Option<Vec<String>>,
    pub generation: u64,
    pub since: SystemTime,
    pub(super) config: String,
    pub(super) rules: Vec<Rule>,
    pub(super) buckets: Arc<[BucketRule]>,
    pub(super) state: Arc<PolicyState>,
    pub(super) engine: Arc<Engine>,
    pub(super) metrics: HookMetrics,
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
    pub disconnect: Option<PolicyMetrics>,
}

/// What a policy says to a connection.
pub(crate) enum Admission {
    Pass,
    Accept(Identity),
    Deny(Denial),
}

impl Policy {
    pub(super) fn engine(&self) -> &wasmtime::Engine {
        &self.engine.wasm
    }

    pub(super) fn host(&self) -> Host {
        Host::new(
            self.name.clone(),
            self.state.clone(),
            self.buckets.clone(),
            self.settings.memory,
        )
    }

    pub(crate) fn has(&self, hook: Hook) -> bool {
        implements(self.module.description.hooks, hook)
    }

    /// The number of the first rule that matches an event, and whether it wants the arguments.
    fn interest(&self, event: &str) -> Option<(u32, bool)> {
        let position = self
            .rules
            .iter()
            .position(|rule| rule.glob.matches(event))?;
        Some((position as u32, self.rules.get(position)?.args))
    }

    /// `None`: the policy is not interested and was not called.
    pub(crate) fn on_event(
        &self,
        client: &Arc<Client>,
        event: &Event,
        wants_ack: bool,
        replaced: bool,
    ) -> Option<Result<Verdict, Fault>> {
        let (number, args) = self.interest(&event.name)?;
        let traits = traits(&[
            (types::EventTraits::WANTS_ACK, wants_ack),
            (
                types::EventTraits::HAS_ATTACHMENTS,
                !event.attachments.is_empty(),
            ),
            (types::EventTraits::REPLACED, replaced),
        ]);
        let current = Current {
            client: client.clone(),
            event: Some((event.name.clone(), event.attachments.clone())),
        };
        let args = if args { &*event.args } else { "" };
        let result = self.with_instance(Hook::Event, client, |instance, deadline| {
            instance.on_event(current, deadline, number, traits, args)
        });
        Some(result.and_then(|verdict| match verdict {
            types::Verdict::Pass => Ok(Verdict::Pass(None)),
            types::Verdict::Replace(args) => self.replacement(client, event, args),
            types::Verdict::Deny(denial) => Ok(Verdict::Deny(self.denial(denial))),
            types::Verdict::Drop => Ok(Verdict::Drop),
        }))
    }

    /// Arguments from a policy are as little trusted as those of a client: a placeholder out of range would make
    /// every recipient close its connection.
    fn replacement(&self, client: &Client, event: &Event, args: String) -> Result<Verdict, Fault> {
        packet::check_args(&args, event.attachments.len()).map_err(|denial| {
            let detail = format!("its replacement cannot be delivered: {}", denial.message);
            self.fault(Hook::Event, client, TrapKind::Verdict, detail)
        })?;
        Ok(Verdict::Pass(Some(args.into())))
    }

    pub(crate) fn on_connect(&self, client: &Arc<Client>, auth: &str) -> Result<Admission, Fault> {
        let current = Current {
            client: client.clone(),
            event: None,
        };
        let admission = self.with_instance(Hook::Connect, client, |instance, deadline| {
            instance.on_connect(current, deadline, auth)
        })?;
        Ok(match admission {
            types::Admission::Pass => Admission::Pass,
            types::Admission::Accept(identity) => {
                Admission::Accept(self.identity(client, identity)?)
            }
            types::Admission::Deny(denial) => Admission::Deny(self.denial(denial)),
        })
    }

    /// An identity is kept for as long as its client is connected, so it has a bound.
    fn identity(&self, client: &Client, identity: types::Identity) -> Result<Identity, Fault> {
        let attributes = identity
            .attributes
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let rooms = identity.rooms.iter().map(String::len);
        let user = identity.user.iter().map(String::len);
        let bytes: usize = attributes.chain(rooms).chain(user).sum();
        if bytes > MAX_IDENTITY || identity.rooms.len() > MAX_IDENTITY_ROOMS {
            let detail = format!(
                "its identity has more than {MAX_IDENTITY} bytes or {MAX_IDENTITY_ROOMS} rooms"
            );
            return Err(self.fault(Hook::Connect, client, TrapKind::Verdict, detail));
        }
        Ok(Identity {
            user: identity.user.map(Into::into),
            attributes: identity.attributes,
            rooms: identity.rooms,
        })
    }

    pub(crate) fn on_disconnect(&self, client: &Arc<Client>, reason: types::DisconnectReason) {
        // A failure is logged and counted where it happens, and there is nobody left to tell.
        let _ = self.with_instance(Hook::Disconnect, client, |instance, deadline| {
            instance.on_disconnect(client.clone(), deadline, reason)
        });
    }

    fn denial(&self, denial: types::Denial) -> Denial {
        Denial {
            code: denial.code,
            message: denial.message,
            policy: Some(self.name.clone()),
            // Data that is not JSON would break the client's decoder.
            data: denial
                .data
                .and_then(|data| RawValue::from_string(data).ok()),
            retry_after_ms: denial.retry_after_ms,
            disconnect: denial.disconnect,
        }
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
            Hook::Disconnect => self.metrics.disconnect.as_ref(),
        }
    }

    /// Runs a call on this thread's instance, made anew where there is none.
    fn with_instance<T>(
        &self,
        hook: Hook,
        client: &Client,
        call: impl FnOnce(&mut Instance, Duration) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let begin = Instant::now();
        if !slots::may_call(self.id, client.peer.token, begin) {
            let detail = "not called: its failing calls have taken all the time they may";
            return Err(self.fault(hook, client, TrapKind::Budget, detail.into()));
        }
        let deadline = self.settings.timeout;
        let result = self.instance(deadline).and_then(|mut instance| {
            let result = call(&mut instance, deadline);
            if result.is_ok() {
                slots::put(self.id, instance);
            }
            result
        });
        let took = begin.elapsed();
        if let Some(metrics) = self.metrics(hook) {
            metrics.duration(took);
        }
        if let Err(fault) = &result {
            slots::failed(self.id, client.peer.token, took, begin + took);
            self.report(hook, client, fault);
        }
        result
    }

    /// This thread's instance, taken out of its place.
    fn instance(&self, deadline: Duration) -> Result<Box<Instance>, Fault> {
        if let Some(instance) = slots::take(self.id) {
            return Ok(instance);
        }
        let (instance, configured) = Instance::new(self, deadline)?;
        match configured {
            Ok(_) => Ok(Box::new(instance)),
            Err(reason) => Err(Fault {
                kind: TrapKind::Instantiate,
                detail: format!("it refuses the configuration that it has accepted: {reason}"),
            }),
        }
    }

    /// A fault that is no call's that was made and failed; it is reported here.
    fn fault(&self, hook: Hook, client: &Client, kind: TrapKind, detail: String) -> Fault {
        let fault = Fault { kind, detail };
        self.report(hook, client, &fault);
        fault
    }

    fn report(&self, hook: Hook, client: &Client, fault: &Fault) {
        if let Some(metrics) = self.metrics(hook) {
            metrics.trap(fault.kind);
        }
        PolicyTrapped {
            policy: &self.name,
            hook,
            kind: fault.kind,
            detail: &fault.detail,
            socket: &client.peer.id,
        }
        .emit();
    }
}

pub(super) fn implements(hooks: types::Hooks, hook: Hook) -> bool {
    hooks.contains(match hook {
        Hook::Connect => types::Hooks::CONNECT,
        Hook::Event => types::Hooks::EVENT,
        Hook::Disconnect => types::Hooks::DISCONNECT,
    })
}

fn traits(flags: &[(types::EventTraits, bool)]) -> types::EventTraits {
    let set = flags.iter().filter(|(_, set)| *set);
    set.fold(types::EventTraits::empty(), |all, (flag, _)| all | *flag)
}
