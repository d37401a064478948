//! What `current`, `take` and `log` ask for natively: the world of the harness whose policy is being called.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::buckets::{Buckets, Key};
use crate::log::Level;
use crate::{Bucket, Decision, Subject};

/// Everything that a policy can ask about.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) now_ms: u64,
    pub(super) rules: Vec<Bucket>,
    pub(super) buckets: Buckets,
    pub(super) logs: Vec<(Level, String)>,
    /// None while no hook is being served.
    pub(super) call: Option<Call>,
}

/// The call that is being served.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) socket: Socket,
    pub(super) event: String,
    pub(super) attachments: Vec<Vec<u8>>,
}

/// A client.
#[derive(Debug, Clone)]
pub(super) struct Socket {
    pub(super) token: u64,
    pub(super) namespace: String,
    pub(super) address: String,
    pub(super) user: Option<String>,
    pub(super) attributes: BTreeMap<String, String>,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) rooms: BTreeSet<String>,
}

thread_local! {
    /// A policy that is called without a harness finds an empty world.
    static WORLD: RefCell<Rc<RefCell<World>>> = RefCell::default();
}

/// Calls a policy in a world.
pub(super) fn serve<T>(
    world: &Rc<RefCell<World>>,
    call: Option<Call>,
    hook: impl FnOnce() -> T,
) -> T {
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
    hook()
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

pub(crate) fn in_room(room: &str) -> bool {
    of_call(|call| call.socket.rooms.contains(room))
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
        let Some(rule) = world.rules.get(bucket) else {
            panic!("bucket {bucket} is not among the policy's interests");
        };
        let key = key(&call.socket, whom);
        world.buckets.take(rule, key, cost, world.now_ms)
    })
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
