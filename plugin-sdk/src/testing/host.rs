//! What `current`, `take` and the others ask for natively: the world of the harness whose policy is being called.

use std::cell::RefCell;
use std::rc::Rc;

use super::buckets::Key;
use super::effects::Effect;
use super::world::{Call, Socket, World};
use crate::http::{Error, Request, Response};
use crate::log::Level;
use crate::{
    Advance, Capabilities, ClientCertificate, Decision, Hooks, MetricKind, Scope, Subject, Target,
    Verdict,
};

thread_local! {
    /// A policy that is called without a harness finds an empty world.
    static WORLD: RefCell<Rc<RefCell<World>>> = RefCell::new(Rc::new(RefCell::new(World::new())));
}

/// Calls a policy in a world. What it wants done comes with its answer.
pub(super) fn serve<T>(
    world: &Rc<RefCell<World>>,
    call: Option<Call>,
    hook: impl FnOnce() -> T,
) -> (T, Vec<Effect>) {
    /// Puts the former world back, also when a test fails inside the hook.
    struct Restore(Rc<RefCell<World>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            WORLD.with_borrow_mut(|current| std::mem::swap(current, &mut self.0));
            self.0.borrow_mut().call = None;
        }
    }
    world.borrow_mut().call = call;
    let _restore = Restore(WORLD.replace(Rc::clone(world)));
    let answer = hook();
    let call = world.borrow_mut().call.take();
    (answer, call.map(|call| call.effects).unwrap_or_default())
}

fn with<T>(read: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow(|world| read(&mut world.borrow_mut()))
}

/// Empty or none where nothing is being served.
fn of_call<T: Default>(read: impl FnOnce(&Call) -> T) -> T {
    with(|world| world.call.as_ref().map(read).unwrap_or_default())
}

pub(crate) fn now_ms() -> u64 {
    with(|world| world.now_ms)
}

pub(crate) fn socket_id() -> String {
    of_call(|call| format!("socket-{}", call.socket.token))
}

pub(crate) fn event_id() -> String {
    of_call(|call| call.event_id.clone())
}

pub(crate) fn event_name() -> String {
    of_call(|call| call.event.clone())
}

pub(crate) fn namespace() -> String {
    of_call(|call| call.socket.namespace.clone())
}

pub(crate) fn user() -> Option<String> {
    of_call(|call| call.socket.user.clone())
}

pub(crate) fn attribute(name: &str) -> Option<String> {
    of_call(|call| call.socket.attributes.get(name).cloned())
}

pub(crate) fn address() -> String {
    of_call(|call| call.socket.address.clone())
}

pub(crate) fn header(name: &str) -> Option<String> {
    of_call(|call| call.socket.headers.get(&name.to_ascii_lowercase()).cloned())
}

pub(crate) fn query(name: &str) -> Option<String> {
    of_call(|call| call.socket.query.get(name).cloned())
}

pub(crate) fn client_certificate() -> Option<ClientCertificate> {
    of_call(|call| call.socket.certificate.clone())
}

pub(crate) fn is_refresh() -> bool {
    of_call(|call| call.is_refresh)
}

pub(crate) fn in_room(room: &str) -> bool {
    of_call(|call| call.socket.rooms.contains(room))
}

pub(crate) fn rooms() -> Vec<String> {
    of_call(|call| call.socket.rooms.iter().cloned().collect())
}

pub(crate) fn attachment_count() -> u32 {
    of_call(|call| u32::try_from(call.attachments.len()).unwrap_or(u32::MAX))
}

pub(crate) fn attachment_len(index: u32) -> u32 {
    of_call(|call| {
        let attachment = call.attachments.get(index as usize);
        attachment.map_or(0, |bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX))
    })
}

pub(crate) fn attachment(index: u32, offset: u32, max_len: u32) -> Vec<u8> {
    of_call(|call| {
        let attachment = call.attachments.get(index as usize)?;
        let part = attachment.get(offset as usize..)?;
        Some(part.iter().copied().take(max_len as usize).collect())
    })
    .unwrap_or_default()
}

#[expect(
    clippy::panic,
    reason = "only tests get here, and this is a mistake in the policy"
)]
pub(crate) fn take(bucket: usize, whom: Subject, cost: u32) -> Decision {
    with(|world| {
        let Some(call) = &world.call else {
            panic!("a bucket was asked while no call was being served");
        };
        let key = key(&call.socket, whom);
        world.take(bucket, key, cost)
    })
}

impl World {
    #[expect(
        clippy::panic,
        reason = "only tests get here, and this is a mistake in the policy"
    )]
    fn take(&mut self, bucket: usize, key: Key, cost: u32) -> Decision {
        let Some(rule) = self.rules.get(bucket) else {
            panic!("bucket {bucket} is not among the policy's interests");
        };
        self.buckets.take(rule, key, cost, self.now_ms)
    }

    /// What a rule answers without a call; `None`: the policy is asked.
    pub(super) fn answer(&mut self, advance: &Advance, socket: &Socket) -> Option<Verdict> {
        match advance {
            Advance::PassWithin { bucket, whom, cost } => {
                let taken = self.take(*bucket, key(socket, *whom), *cost);
                taken.allowed.then_some(Verdict::Pass)
            }
            Advance::Coalesce {
                key,
                window,
                leading,
            } => Some(Verdict::Coalesce {
                key: key.clone(),
                window: *window,
                leading: *leading,
            }),
        }
    }
}

fn key(socket: &Socket, whom: Subject) -> Key {
    let address = || Key::Address(socket.address.clone());
    match whom {
        Subject::Socket => Key::Socket(socket.token),
        Subject::User => socket.user.clone().map_or_else(address, Key::User),
        Subject::Address => address(),
        Subject::Namespace => Key::Namespace(socket.namespace.clone()),
        Subject::Global => Key::Global,
    }
}

pub(crate) fn log(level: Level, message: &str) {
    with(|world| world.logs.push((level, message.to_owned())));
}

#[expect(
    clippy::panic,
    reason = "only tests get here, and this is a mistake in the policy"
)]
fn metric(index: usize, kind: MetricKind, change: impl FnOnce(&mut f64)) {
    with(|world| match world.metrics.get(index) {
        Some(metric) if metric.kind == kind => {
            change(world.values.entry(metric.name.clone()).or_default());
        }
        Some(metric) => panic!("metric {index}, `{}`, is no {kind:?}", metric.name),
        None => panic!("metric {index} is not among the policy's interests"),
    });
}

pub(crate) fn metric_add(index: usize, by: u64) {
    metric(index, MetricKind::Counter, |value| *value += by as f64);
}

pub(crate) fn metric_set(index: usize, to: f64) {
    metric(index, MetricKind::Gauge, |value| *value = to);
}

/// What the policy asks for in its description is granted, and nothing else.
fn granted(world: &World, capability: Capabilities, name: &str) -> Result<(), String> {
    if world.capabilities.contains(capability) {
        return Ok(());
    }
    Err(format!(
        "the policy has not asked for the capability `{name}`"
    ))
}

fn effect(needs: Option<(Capabilities, &str)>, effect: Effect) -> Result<(), String> {
    with(|world| {
        if let Some((capability, name)) = needs {
            granted(world, capability, name)?;
        }
        let call = world.call.as_mut();
        let call = call.ok_or("no call is being served")?;
        call.effects.push(effect);
        Ok(())
    })
}

const ROOMS: Option<(Capabilities, &str)> = Some((Capabilities::ROOMS, "rooms"));

pub(crate) fn emit(to: Target<'_>, event: &str, args: &str) -> Result<(), String> {
    let args: serde_json::Value = serde_json::from_str(args).map_err(|error| error.to_string())?;
    if !args.is_array() {
        return Err("the arguments are no JSON array".to_owned());
    }
    let (to, event) = (to.into(), event.to_owned());
    let emitted = Effect::Emit { to, event, args };
    effect(Some((Capabilities::EMIT, "emit")), emitted)
}

pub(crate) fn join(room: &str) -> Result<(), String> {
    effect(ROOMS, Effect::Join(room.to_owned()))
}

pub(crate) fn leave(room: &str) -> Result<(), String> {
    effect(ROOMS, Effect::Leave(room.to_owned()))
}

pub(crate) fn disconnect() -> Result<(), String> {
    effect(ROOMS, Effect::Disconnect)
}

pub(crate) fn set_attribute(name: &str, value: &str) -> Result<(), String> {
    let (name, value) = (name.to_owned(), value.to_owned());
    effect(None, Effect::SetAttribute { name, value })
}

/// Calls the store, if the policy may.
fn store<T>(scope: Scope, call: impl FnOnce(&mut World) -> Result<T, String>) -> Result<T, String> {
    with(|world| {
        if scope == Scope::Cluster {
            granted(world, Capabilities::CLUSTER_STATE, "cluster-state")?;
        }
        call(world)
    })
}

pub(crate) fn store_add(scope: Scope, key: &str, by: i64, ttl_ms: u64) -> Result<i64, String> {
    store(scope, |world| {
        world.memory.add((scope, key), by, ttl_ms, world.now_ms)
    })
}

pub(crate) fn store_get(scope: Scope, key: &str) -> Result<Option<Vec<u8>>, String> {
    store(scope, |world| world.memory.get((scope, key), world.now_ms))
}

pub(crate) fn store_set(scope: Scope, key: &str, value: &[u8], ttl_ms: u64) -> Result<(), String> {
    store(scope, |world| {
        world
            .memory
            .put((scope, key), value.to_vec(), ttl_ms, world.now_ms)
    })
}

pub(crate) fn store_compare_and_swap(
    scope: Scope,
    key: &str,
    old: Option<&[u8]>,
    new: &[u8],
    ttl_ms: u64,
) -> Result<bool, String> {
    store(scope, |world| {
        let memory = &mut world.memory;
        memory.compare_and_swap((scope, key), (old, new), ttl_ms, world.now_ms)
    })
}

pub(crate) fn store_delete(scope: Scope, key: &str) -> Result<(), String> {
    store(scope, |world| world.memory.delete((scope, key)))
}

/// Requests that one call may make in the broker, additions that are counted strictly among them.
const REQUESTS_A_CALL: u32 = 4;

fn ask_once(world: &mut World) -> Result<(), String> {
    let call = world.call.as_mut().ok_or("no call is being served")?;
    call.asked += 1;
    if call.asked > REQUESTS_A_CALL {
        return Err(format!(
            "a call makes no more than {REQUESTS_A_CALL} requests"
        ));
    }
    Ok(())
}

pub(crate) fn store_add_strictly(key: &str, by: i64, ttl_ms: u64) -> Result<i64, String> {
    store(Scope::Cluster, |world| {
        let call = world.call.as_ref();
        if call.is_none_or(|call| call.hook != Hooks::CONNECT) {
            return Err("counting strictly is for `on_connect` only".to_owned());
        }
        ask_once(world)?;
        let apart = format!("strict/{key}");
        let key = if key.is_empty() { key } else { &apart };
        world
            .memory
            .add((Scope::Cluster, key), by, ttl_ms, world.now_ms)
    })
}

pub(crate) fn fetch(request: Request) -> Result<Response, Error> {
    with(|world| {
        granted(world, Capabilities::HTTP, "http").map_err(Error::Refused)?;
        if world
            .call
            .as_ref()
            .is_none_or(|call| call.hook != Hooks::CONNECT)
        {
            return Err(Error::Refused(
                "requests are for `on_connect` only".to_owned(),
            ));
        }
        ask_once(world).map_err(Error::Refused)?;
        world.upstream.fetch(request)
    })
}
