//! Events that leave together: gathered by a key until their window ends or there are enough of them.
//!
//! `open` is the gathering itself, without a clock or a lock of its own; here it gets both. `events` is what leaves to
//! clients; what leaves to back ends is in `backend::outbound`. Whatever leaves does so under the one lock, so two batches
//! of one key do not overtake each other: what is called back there hands over, and does not wait.

mod events;
mod open;
#[cfg(test)]
mod tests;

use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::config::Batch;
use crate::telemetry::metrics::{BatchEnd, metrics};
use crate::telemetry::trace::{self, Entered, Kind};
pub(crate) use events::Events;
use open::{Limits, Open};

/// What is gathered under one key.
pub(crate) trait Load: Default {
    type Item;

    /// Bytes that an item adds, nearly.
    fn weight(item: &Self::Item) -> usize;

    /// Whether it can leave with what is there.
    fn goes_with(&self, item: &Self::Item) -> bool;

    fn add(&mut self, item: Self::Item);
}

type Leave<K, L> = Box<dyn Fn(&K, L) + Send + Sync>;

/// The batches of a node.
pub(crate) struct Batches<K, L> {
    /// Held for as long as it takes to add an event or to hand a batch over.
    open: Mutex<Open<K, L>>,
    /// One is due earlier than whoever waits for the next one knows.
    earlier: Notify,
    leave: Leave<K, L>,
}

impl<K: Clone + Eq + Hash, L: Load> Batches<K, L> {
    /// `max_bytes`: of one batch, unless a single event is larger. `leave` hands a batch over without waiting.
    pub(crate) fn new(max_bytes: usize, leave: impl Fn(&K, L) + Send + Sync + 'static) -> Self {
        Self {
            open: Mutex::new(Open::new(Limits::of(max_bytes))),
            earlier: Notify::new(),
            leave: Box::new(leave),
        }
    }

    /// When this returns, the item is handed over, or will be when its window ends.
    pub(crate) fn add(&self, key: K, item: L::Item, batch: Batch) {
        metrics().batches.events.inc();
        let now = Instant::now();
        let is_earlier = self.open.lock().add(key, item, batch, now, &mut self.out());
        if is_earlier {
            self.earlier.notify_one();
        }
    }

    /// Hands over what there is.
    pub(crate) fn flush(&self) {
        self.open.lock().flush(&mut self.out());
    }

    /// Hands over what there is, and gathers nothing from here on: every item leaves alone.
    pub(crate) fn close(&self) {
        self.open.lock().close(&mut self.out());
    }

    /// Hands over what is due. Never ends.
    pub(crate) async fn serve(self: Arc<Self>) {
        loop {
            let next = self.open.lock().due(Instant::now(), &mut self.out());
            let earlier = self.earlier.notified();
            match next {
                Some(at) => {
                    let due = tokio::time::sleep_until(at.into());
                    tokio::select! {
                        () = due => {}
                        () = earlier => {}
                    }
                }
                None => earlier.await,
            }
        }
    }

    fn out(&self) -> impl FnMut(&K, L, BatchEnd) {
        |key, load, end| {
            metrics().batches.left(end);
            (self.leave)(key, load);
        }
    }
}

/// What traces say of a batch that leaves, while it is handed over.
pub(crate) fn traced(gathered: trace::Gathered, events: usize) -> Option<Entered> {
    let Some(mut recording) = gathered.go_on("batch", Kind::Producer) else {
        // It may leave in the turn of an event that is not among it.
        return trace::aside();
    };
    recording.say("sluice.events", events);
    trace::enter(Some(recording))
}
