//! A running policy: one instance a thread and policy, kept until it fails or its policy is replaced.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Store, UpdateDeadline};

use super::advance::Promise;
use super::bindings::types;
use super::contract::Guest;
use super::engine::TICK;
use super::host::{Current, Host};
use super::policy::Policy;
use crate::event::Effect;
use crate::telemetry::metrics::TrapKind;

/// A call that failed: it cost itself and its instance, and nothing else.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct Fault {
    pub kind: TrapKind,
    pub detail: String,
}

impl Fault {
    /// Of an instance that was to be like those before it.
    pub(super) fn inconsistent(reason: &str) -> Self {
        Self {
            kind: TrapKind::Instantiate,
            detail: format!("it refuses the configuration that it has accepted: {reason}"),
        }
    }
}

/// The call used up its time.
#[derive(Debug, thiserror::Error)]
#[error("the call ran over its deadline")]
struct DeadlineMissed;

/// The clock is the wall's, and a busy machine may have kept the thread off its core all that time. So a call that
/// is over its deadline gets this much of the processor before it is ended: an innocent one is done by then.
const GRACE: Duration = Duration::from_millis(5);

/// Bytes that one call of the host may take over from a guest: the largest arguments there are, and some.
const HOSTCALL_BYTES: usize = 8 << 20;

/// What the thread had used of the processor when the call ran over its deadline.
#[derive(Default)]
pub(super) struct Overrun(Option<Duration>);

pub(super) struct Instance {
    store: Store<Host>,
    guest: Guest,
}

/// What a configuration makes of a policy, and what it has said in advance.
pub(super) type Configured = (types::Interests, Vec<Promise>);

impl Instance {
    /// Instantiates a policy and configures it. `deadline` bounds both together with what the guest's start-up does.
    pub(super) fn new(
        policy: &Policy,
        deadline: Duration,
    ) -> Result<(Self, Result<Configured, String>), Fault> {
        let mut store = store(policy, deadline);
        let guest = match policy.module.pre.instantiate(&mut store) {
            Ok(guest) => guest,
            Err(error) => return Err(fault(&store, &error, TrapKind::Instantiate)),
        };
        let mut instance = Self { store, guest };
        let interests = instance.call(None, deadline, |guest, store| {
            guest.configure(store, &policy.config)
        })?;
        let promises = std::mem::take(&mut instance.store.data_mut().promises);
        Ok((instance, interests.map(|interests| (interests, promises))))
    }

    /// One call of the guest. After a fault the instance must be thrown away: a component refuses re-entry.
    pub(super) fn call<T>(
        &mut self,
        current: Option<Current>,
        deadline: Duration,
        hook: impl FnOnce(&Guest, &mut Store<Host>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        self.store.data_mut().begin(current);
        self.store.set_epoch_deadline(ticks(deadline));
        let result = hook(&self.guest, &mut self.store);
        self.store.data_mut().end();
        result.map_err(|error| fault(&self.store, &error, TrapKind::Trap))
    }

    pub(super) fn on_event(
        &mut self,
        current: Current,
        deadline: Duration,
        rule: u32,
        traits: types::EventTraits,
        args: &str,
    ) -> Result<types::Verdict, Fault> {
        let socket = current.client.peer.token;
        self.call(Some(current), deadline, |guest, store| {
            guest.on_event(store, socket, rule, traits, args)
        })
    }

    pub(super) fn on_subscribe(
        &mut self,
        current: Current,
        deadline: Duration,
        rule: u32,
        room: &str,
    ) -> Result<types::Subscription, Fault> {
        let socket = current.client.peer.token;
        self.call(Some(current), deadline, |guest, store| {
            guest.on_subscribe(store, socket, rule, room)
        })
    }

    /// Bytes of its memories and tables.
    pub(super) fn memory(&self) -> usize {
        self.store.data().memory.used
    }

    /// What the last call wanted done beside its verdict.
    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        self.store.data_mut().take_effects()
    }

    pub(super) fn on_connect(
        &mut self,
        current: Current,
        deadline: Duration,
        auth: &str,
    ) -> Result<types::Admission, Fault> {
        let socket = current.client.peer.token;
        self.call(Some(current), deadline, |guest, store| {
            guest.on_connect(store, socket, auth)
        })
    }

    pub(super) fn on_disconnect(
        &mut self,
        current: Current,
        deadline: Duration,
        reason: types::DisconnectReason,
    ) -> Result<(), Fault> {
        let socket = current.client.peer.token;
        self.call(Some(current), deadline, |guest, store| {
            guest.on_disconnect(store, socket, reason)
        })
    }
}

/// A store for an instance of a policy, whose start has a deadline.
pub(super) fn store(policy: &Policy, deadline: Duration) -> Store<Host> {
    let mut store = Store::new(policy.engine(), policy.host());
    store.limiter(|host| &mut host.memory);
    // What the host allocates for values that the guest hands it.
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    store.epoch_deadline_callback(|mut store| overrun(&mut store.data_mut().overrun));
    store.set_epoch_deadline(ticks(deadline));
    store
}

/// One more than asked, because the tick that is running has begun already.
pub(super) fn ticks(deadline: Duration) -> u64 {
    deadline.as_millis().div_ceil(TICK.as_millis()) as u64 + 1
}

/// Called at the deadline and at every tick after it.
fn overrun(overrun: &mut Overrun) -> wasmtime::Result<UpdateDeadline> {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let now = Duration::new(now.tv_sec as u64, now.tv_nsec as u32);
    match overrun.0 {
        Some(since) if now.saturating_sub(since) >= GRACE => Err(DeadlineMissed.into()),
        Some(_) => Ok(UpdateDeadline::Continue(1)),
        None => {
            overrun.0 = Some(now);
            Ok(UpdateDeadline::Continue(1))
        }
    }
}

pub(super) fn fault(store: &Store<Host>, error: &wasmtime::Error, otherwise: TrapKind) -> Fault {
    let kind = if error.downcast_ref::<DeadlineMissed>().is_some() {
        TrapKind::Deadline
    } else if store.data().memory.refused {
        TrapKind::Memory
    } else {
        otherwise
    };
    let detail = match kind {
        TrapKind::Memory => "the policy reached its memory limit".to_owned(),
        // The root cause is the trap; what stands before it is a backtrace of the guest.
        _ => error.root_cause().to_string(),
    };
    Fault { kind, detail }
}
