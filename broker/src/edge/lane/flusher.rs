//! Who writes out what was appended during a turn.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::log::Log;
use super::{Lane, spare};

/// Writes out a reactor's lanes at the end of each turn of its tasks.
pub(super) struct Flusher {
    listed: Mutex<Vec<Arc<Lane>>>,
    wake: Notify,
    pub log: Log,
}

impl Flusher {
    /// The flusher of this thread's reactor; begins with its first lane.
    pub(super) fn here() -> Arc<Self> {
        thread_local! {
            static HERE: std::cell::OnceCell<Arc<Flusher>> = const { std::cell::OnceCell::new() };
        }
        HERE.with(|here| {
            here.get_or_init(|| {
                let flusher = Arc::new(Self {
                    listed: Mutex::default(),
                    wake: Notify::new(),
                    log: Log::here(),
                });
                spare::keep_here();
                tokio::spawn(flusher.clone().run());
                flusher
            })
            .clone()
        })
    }

    pub(super) fn add(&self, lane: Arc<Lane>) {
        let mut listed = self.listed.lock();
        listed.push(lane);
        if listed.len() == 1 {
            drop(listed);
            self.wake.notify_one();
        }
    }

    /// Woken by the first of a turn, it comes behind all tasks that were ready then.
    async fn run(self: Arc<Self>) {
        let mut turn = Vec::new();
        loop {
            self.wake.notified().await;
            std::mem::swap(&mut turn, &mut *self.listed.lock());
            for lane in turn.drain(..) {
                lane.flush_listed();
            }
            self.log.clear();
            if spare::is_unwatched() {
                tokio::spawn(spare::watch());
            }
        }
    }
}
