//! Who is woken at the end of a reactor's turn.
//!
//! What a turn of one reactor's tasks emits is handed to another one as it comes, and is worth waking it once: so it
//! delivers all of it together, and writes once to each client as the first one does. Only the wake waits. A reactor
//! that is awake anyway finds what is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::shard::Shard;

#[derive(Default)]
pub(super) struct Waking {
    asleep: Mutex<Vec<Arc<Shard>>>,
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
        if !self.is_served.load(Ordering::Acquire) {
            return shard.wake();
        }
        let mut asleep = self.asleep.lock();
        if !asleep.iter().any(|it| Arc::ptr_eq(it, shard)) {
            asleep.push(shard.clone());
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
            for shard in asleep.drain(..) {
                shard.wake();
            }
        }
    }
}
