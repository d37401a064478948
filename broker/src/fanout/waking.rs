//! Who is woken at the end of a reactor's turn.
//!
//! What a turn of one reactor's tasks emits is handed to another one as it comes, and is worth waking it once: so it
//! delivers all of it together, and writes once to each client as the first one does. Only the wake waits. A reactor
//! that is awake anyway finds what is there.

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
