//! What one thread keeps of the policies: an instance of each, and what failing calls have cost.
//!
//! An instance a thread and policy, because a shared one would need a lock, and loses to one thread alone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::budget::{OF_A_REACTOR, OF_A_SOCKET, Spent};
use super::instance::Instance;
use super::policy::Policy;
use crate::moment::Moment;

/// Sockets whose failures are remembered before those that are forgiven are looked for and let go.
const REMEMBERED: usize = 1024;

/// Sockets of one reactor whose calls a breaker hears about in one of its windows.
const WITNESSES: usize = 4096;

thread_local! {
    static SLOTS: RefCell<Slots> = RefCell::default();
}

#[derive(Default)]
struct Slots {
    /// As many as policies, so a list is the faster map.
    instances: Vec<(u64, Box<Instance>)>,
    /// By policy.
    reactor: HashMap<u64, Spent>,
    /// By policy and socket.
    sockets: HashMap<(u64, u64), Spent>,
    /// By policy.
    told: HashMap<u64, Told>,
}

/// What a breaker has been told in a window: by socket, how many calls worked and how many failed.
#[derive(Default)]
struct Told {
    window: u32,
    sockets: HashMap<u64, [u32; 2]>,
}

/// Takes this thread's instance out of its place, so that one that fails is simply not put back.
pub(super) fn take(policy: u64) -> Option<Box<Instance>> {
    SLOTS.with_borrow_mut(|slots| {
        let position = slots.instances.iter().position(|(id, _)| *id == policy)?;
        Some(slots.instances.swap_remove(position).1)
    })
}

pub(super) fn put(policy: u64, instance: Box<Instance>) {
    SLOTS.with_borrow_mut(|slots| slots.instances.push((policy, instance)));
}

/// Whether a call may be made, given what earlier ones have cost that failed.
pub(super) fn may_call(policy: u64, socket: u64, now: Moment) -> bool {
    SLOTS.with_borrow(|slots| {
        // Empty unless something fails.
        let reactor = slots.reactor.get(&policy);
        if reactor.is_none() {
            return true;
        }
        let socket = slots.sockets.get(&(policy, socket));
        !reactor.is_some_and(|spent| spent.is_all(OF_A_REACTOR, now))
            && !socket.is_some_and(|spent| spent.is_all(OF_A_SOCKET, now))
    })
}

/// Counts what a failing call has cost.
pub(super) fn failed(policy: u64, socket: u64, cost: Duration, now: Moment) {
    SLOTS.with_borrow_mut(|slots| {
        if slots.sockets.len() >= REMEMBERED {
            slots
                .sockets
                .retain(|_, spent| !spent.is_forgiven(OF_A_SOCKET, now));
        }
        let nothing = || Spent::nothing(now);
        slots
            .reactor
            .entry(policy)
            .or_insert_with(nothing)
            .add(cost, OF_A_REACTOR, now);
        slots
            .sockets
            .entry((policy, socket))
            .or_insert_with(nothing)
            .add(cost, OF_A_SOCKET, now);
    });
}

/// Whether one more call of a socket counts for a breaker, which hears of at most so many in a window. A socket never
/// leaves its reactor, so this is all there is to know about it.
pub(super) fn counts(policy: u64, window: u32, socket: u64, failed: bool, most: u32) -> bool {
    SLOTS.with_borrow_mut(|slots| {
        let told = slots.told.entry(policy).or_default();
        if told.window != window {
            *told = Told {
                window,
                ..Told::default()
            };
        }
        if told.sockets.len() >= WITNESSES && !told.sockets.contains_key(&socket) {
            return false;
        }
        let [worked, broke] = told.sockets.entry(socket).or_default();
        let count = if failed { broke } else { worked };
        let is_heard = *count < most;
        *count += u32::from(is_heard);
        is_heard
    })
}

/// Frees what belongs to policies that are no longer active.
pub(crate) fn prune(active: &[Arc<Policy>]) {
    let is_active = |id: u64| active.iter().any(|policy| policy.id == id);
    SLOTS.with_borrow_mut(|slots| {
        slots.instances.retain(|(id, _)| is_active(*id));
        slots.reactor.retain(|id, _| is_active(*id));
        slots.sockets.retain(|(id, _), _| is_active(*id));
        slots.told.retain(|id, _| is_active(*id));
    });
}
