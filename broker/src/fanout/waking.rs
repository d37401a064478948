//! Who is woken at the end of a reactor's turn.
//!
//! What a turn of one reactor's tasks emits is handed to another one as it comes, and is worth waking it once: so it
//! delivers all of it together, and writes once to each client as the first one does. Only the wake waits. A reactor
//! that is awake anyway finds what is there.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::nodes::Nodes;
use super::shard::Shard;

#[derive(Default)]
pub(super) struct Waking {
    asleep: Mutex<Vec<Sleeper>>,
    turn: Notify,
    /// Somebody comes at the end of a turn.
    is_served: AtomicBool,
}

impl Waking {
    /// In this turn something will be handed over. Said before anything is delivered, so that others are woken before
    /// this reactor begins to write.
    pub(super) fn soon(&self) {
        self.turn.notify_one();
    }

    /// Wakes a shard at the end of this turn.
    pub(super) fn later(&self, shard: &Arc<Shard>) {
        self.add(Sleeper::Shard(shard.clone()));
    }

    /// The way to other nodes: at the end of this turn.
    pub(super) fn nodes_later(&self, nodes: &Arc<Nodes>) {
        self.add(Sleeper::Nodes(nodes.clone()));
    }

    fn add(&self, sleeper: Sleeper) {
        if !self.is_served.load(Ordering::Acquire) {
            return sleeper.wake();
        }
        let mut asleep = self.asleep.lock();
        if !asleep.iter().any(|it| it.is(&sleeper)) {
            asleep.push(sleeper);
            drop(asleep);
            self.turn.notify_one();
        }
    }

    /// Comes behind all tasks that were ready when it was woken. Never ends.
    pub(super) async fn serve(&self) {
        self.is_served.store(true, Ordering::Release);
        let mut asleep = Vec::new();
        loop {
            self.turn.notified().await;
            std::mem::swap(&mut asleep, &mut *self.asleep.lock());
            asleep.drain(..).for_each(|sleeper| sleeper.wake());
        }
    }
}

/// Who finds what was handed in.
enum Sleeper {
    Shard(Arc<Shard>),
    Nodes(Arc<Nodes>),
}

impl Sleeper {
    fn wake(&self) {
        match self {
            Self::Shard(shard) => shard.wake(),
            Self::Nodes(nodes) => nodes.outbox.wake(),
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Shard(a), Self::Shard(b)) => Arc::ptr_eq(a, b),
            // There is one.
            (Self::Nodes(_), Self::Nodes(_)) => true,
            _ => false,
        }
    }
}

/// When those to whom something was handed are woken.
pub(super) trait Wake {
    fn shard(&self, shard: &Arc<Shard>);

    fn nodes(&self, nodes: &Arc<Nodes>);
}

/// At the end of a reactor's turn.
pub(super) struct ByTurn<'a>(pub &'a Waking);

impl Wake for ByTurn<'_> {
    fn shard(&self, shard: &Arc<Shard>) {
        self.0.later(shard);
    }

    fn nodes(&self, nodes: &Arc<Nodes>) {
        self.0.nodes_later(nodes);
    }
}

/// When all has been handed in.
#[derive(Default)]
pub(super) struct AtEnd(RefCell<Vec<Arc<Shard>>>);

impl Wake for AtEnd {
    fn shard(&self, shard: &Arc<Shard>) {
        let mut asleep = self.0.borrow_mut();
        if !asleep.iter().any(|it| Arc::ptr_eq(it, shard)) {
            asleep.push(shard.clone());
        }
    }

    // What comes from a node is for those that are here.
    fn nodes(&self, _: &Arc<Nodes>) {}
}

pub(super) struct AtOnce;

impl Wake for AtOnce {
    fn shard(&self, shard: &Arc<Shard>) {
        shard.wake();
    }

    fn nodes(&self, nodes: &Arc<Nodes>) {
        nodes.outbox.wake();
    }
}

impl AtEnd {
    pub(super) fn wake(self) {
        self.0.into_inner().iter().for_each(|shard| shard.wake());
    }
}
