//! The connect hook of a policy that may ask over HTTP, or that counts over all nodes as one.
//!
//! Its calls wait, so they run in stores of their own kind, apart from those of the other hooks: a reactor goes on
//! with its other clients meanwhile. Each call has an instance to itself; as many may be under way as requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Func, Instance, InstancePre};
use wasmtime::{Engine, Store};

use super::bindings::types;
use super::contract::{Contract, implements};
use super::fetch::{Fetcher, Fetchers, Unusable};
use super::host::{Asks, Current, Host, REQUESTS_A_CALL};
use super::instance::{Fault, fault, store, ticks};
use super::module::Module;
use super::policy::Policy;
use super::slots;
use super::tally::PATIENCE;
use crate::config;
use crate::event::{Client, Effect};
use crate::moment::Moment;
use crate::telemetry::metrics::{Hook, TrapKind};

/// Instances that are kept for the next clients, of all reactors together.
const IDLE: usize = 8;

/// Calls of a policy that asks no back end which may be under way: each has an instance.
const COUNTING: usize = 32;

/// What a policy has that asks.
pub(super) struct Asking {
    pre: InstancePre<Host>,
    /// `None`: it only counts.
    fetcher: Option<Arc<Fetcher>>,
    /// Calls that may be under way: each has an instance, and memory.
    places: Semaphore,
    /// A list with a lock, and not one a reactor, so that it goes with the policy: a call may end long after its
    /// reactor has forgotten the policies that are gone.
    idle: Mutex<Vec<Asker>>,
}

/// An instance for the connect hook, and for nothing else.
struct Asker {
    store: Store<Host>,
    on_connect: Func,
}

/// A call that failed, and what it has cost beside what it has waited.
struct Failure {
    fault: Fault,
    cost: Duration,
}

impl Asking {
    /// `None`: the policy asks nobody, or nobody is served.
    pub(super) fn of(
        fetchers: &Fetchers,
        module: &Module,
        settings: &config::Policy,
    ) -> Result<Option<Self>, Unusable> {
        let Some(pre) = &module.asking else {
            return Ok(None);
        };
        let http = settings.http.as_ref();
        // Also where nobody is served, because that is where settings are checked.
        let fetcher = http.map(|http| fetchers.of(&settings.name, http));
        let fetcher = fetcher.transpose()?;
        let may_wait = fetcher.is_some() || module.counts_strictly;
        Ok((fetchers.serve() && may_wait).then(|| Self {
            pre: pre.clone(),
            places: Semaphore::new(http.map_or(COUNTING, |http| http.max_requests)),
            fetcher,
            idle: Mutex::default(),
        }))
    }

    /// Asks the policy whether a client may connect.
    pub(super) async fn on_connect(
        &self,
        policy: &Policy,
        client: &Arc<Client>,
        auth: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<types::Admission, Fault> {
        let begin = Moment::now();
        policy.may_call(Hook::Connect, client, begin)?;
        let Some(_place) = self.place().await else {
            let detail = "not called: too many clients wait for the policy's back end already";
            return Err(policy.fault(Hook::Connect, client, TrapKind::Busy, detail.into()));
        };
        let result = self.call(policy, client, auth, effects).await;
        policy.took(Hook::Connect, Moment::now().nanos_since(begin));
        result.map_err(|Failure { fault, cost }| {
            slots::failed(policy.id, client.peer.token, cost, Moment::now());
            policy.report(Hook::Connect, client, &fault);
            fault
        })
    }

    /// Waits for a place among the calls that are under way, no longer than for an answer.
    async fn place(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(place) = self.places.try_acquire() {
            return Some(place);
        }
        let patience = self.patience();
        timeout(patience, self.places.acquire()).await.ok()?.ok()
    }

    /// The longest that one question takes.
    fn patience(&self) -> Duration {
        let fetching = self.fetcher.as_ref().map(|it| it.settings().timeout);
        fetching.unwrap_or_default().max(PATIENCE)
    }

    async fn call(
        &self,
        policy: &Policy,
        client: &Arc<Client>,
        auth: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<types::Admission, Failure> {
        let idle = self.idle.lock().pop();
        let mut asker = match idle {
            Some(asker) => asker,
            None => Asker::new(policy, &self.pre).await?,
        };
        let deadline = policy.settings.timeout;
        let longest = self.patience() * REQUESTS_A_CALL + deadline;
        let tally = policy.engine.tally.get().cloned();
        let asks = Asks::new(self.fetcher.clone(), tally, deadline);
        let call = asker.on_connect(asks, client, auth, deadline);
        let admission = match timeout(longest, call).await {
            Ok(result) => result?,
            // Its requests and its own time are bounded, so it is the machine that is too slow.
            Err(_) => {
                let fault = Fault {
                    kind: TrapKind::Deadline,
                    detail: "its requests have taken too long together".to_owned(),
                };
                return Err(Failure {
                    fault,
                    cost: asker.used(),
                });
            }
        };
        effects.append(&mut asker.store.data_mut().take_effects());
        let mut idle = self.idle.lock();
        if idle.len() < IDLE {
            idle.push(asker);
        }
        Ok(admission)
    }
}

impl Asker {
    /// As [`Instance::new`](super::instance::Instance::new), for calls that may wait.
    async fn new(policy: &Policy, pre: &InstancePre<Host>) -> Result<Self, Failure> {
        let begin = Instant::now();
        let cost = |fault| Failure {
            fault,
            cost: begin.elapsed(),
        };
        let deadline = policy.settings.timeout;
        let mut store = store(policy, deadline);
        let made = Self::start(&mut store, pre, policy.config()).await;
        match made {
            Ok((on_connect, Ok(_))) => Ok(Self { store, on_connect }),
            Ok((_, Err(reason))) => Err(cost(Fault::inconsistent(&reason))),
            Err(error) => Err(cost(fault(&store, &error, TrapKind::Instantiate))),
        }
    }

    async fn start(
        store: &mut Store<Host>,
        pre: &InstancePre<Host>,
        config: &str,
    ) -> wasmtime::Result<(Func, Result<types::Interests, String>)> {
        let instance = pre.instantiate_async(&mut *store).await?;
        let configure = export(&instance, store, "configure")?;
        let configure = configure.typed::<(&str,), (Result<types::Interests, String>,)>(&*store)?;
        let (configured,) = configure.call_async(&mut *store, (config,)).await?;
        store.data_mut().end();
        Ok((export(&instance, store, "on-connect")?, configured))
    }

    async fn on_connect(
        &mut self,
        asks: Asks,
        client: &Arc<Client>,
        auth: &str,
        deadline: Duration,
    ) -> Result<types::Admission, Failure> {
        let Self { store, on_connect } = self;
        store
            .data_mut()
            .begin(Some(Current::of_client(client, Moment::now())));
        store.data_mut().asks = Some(asks);
        store.set_epoch_deadline(ticks(deadline));
        let socket = client.peer.token;
        let result = match on_connect.typed::<(u64, &str), (types::Admission,)>(&*store) {
            Ok(on_connect) => on_connect.call_async(&mut *store, (socket, auth)).await,
            Err(error) => Err(error),
        };
        let cost = self.used();
        self.store.data_mut().end();
        let result = result.map(|(admission,)| admission);
        result.map_err(|error| Failure {
            fault: fault(&self.store, &error, TrapKind::Trap),
            cost,
        })
    }

    /// What the call that is under way has taken, without what it has waited.
    fn used(&self) -> Duration {
        let asks = self.store.data().asks.as_ref();
        asks.map_or(Duration::ZERO, Asks::used)
    }
}

/// A function of the world.
fn export(instance: &Instance, store: &mut Store<Host>, name: &str) -> wasmtime::Result<Func> {
    let function = instance.get_func(&mut *store, name);
    function.ok_or_else(|| wasmtime::Error::msg(format!("there is no export `{name}`")))
}

/// Whether a module's connect hook counts over all nodes as one: whether it imports what does that.
pub(super) fn counts_strictly(
    component: &Component,
    engine: &Engine,
    description: &types::Description,
) -> bool {
    let has_counting = |item: ComponentItem| match item {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .any(|(name, _)| name == "add-strictly"),
        _ => false,
    };
    let ty = component.component_type();
    let mut imports = ty.imports(engine);
    implements(description.hooks, Hook::Connect)
        && imports
            .any(|(name, item)| name.starts_with("sluice:policy/store@") && has_counting(item.ty))
}

/// Whether calls of a module's connect hook may wait.
pub(super) fn may_wait(contract: Contract, description: &types::Description) -> bool {
    contract == Contract::V0_2
        && description.capabilities.contains(types::Capabilities::HTTP)
        && implements(description.hooks, Hook::Connect)
}
