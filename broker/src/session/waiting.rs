//! Events that wait for the end of their windows: kept by `coalesce`, delivered here.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::coalesce::Coalescer;
use super::{CLOSED, Session, Turn, Windows, traced};
use crate::event::Coalescing;
use crate::pipeline::{Passage, Pipeline};
use crate::record::Draft;
use crate::telemetry::metrics::{DropReason, Held, metrics};
use crate::telemetry::trace::Context;

/// An event that waits for the end of its window. It ends in the pipeline in which it began.
pub(super) struct Waiting {
    pub passage: Passage,
    pub pipeline: Arc<Pipeline>,
    pub ack: Option<i64>,
    pub counted: Held,
    /// What it is a part of.
    pub trace: Option<Context>,
}

impl Session {
    /// The event, if it does not wait.
    pub(super) fn coalesce(
        self: &Arc<Self>,
        turn: &mut Turn,
        policy: u64,
        coalescing: Coalescing,
        event: Waiting,
    ) -> Option<Passage> {
        let (order, bytes) = (turn.events, event.passage.event.size());
        let windows = turn.windows.get_or_insert_with(|| {
            Box::new(Windows {
                waiting: Coalescer::new(),
                comes: None,
            })
        });
        let waiting = &mut windows.waiting;
        let offered = waiting.offer(policy, coalescing, order, bytes, event, Instant::now());
        if let Some(superseded) = offered.superseded {
            metrics().dropped(DropReason::Superseded);
            if let Some(id) = superseded.ack {
                self.outlet.ack(id, r#"[{"ok":true,"superseded":true}]"#);
            }
        }
        self.come_again(turn);
        offered.due.map(|event| event.passage)
    }

    /// Has somebody come when the next window ends, unless somebody comes that early already: a window may end before
    /// one that began earlier.
    fn come_again(self: &Arc<Self>, turn: &mut Turn) {
        if let Some(windows) = &mut turn.windows
            && let Some(at) = windows.waiting.next()
            && windows.comes.is_none_or(|comes| at < comes)
        {
            windows.comes = Some(at);
            tokio::spawn(come(Arc::downgrade(self), at));
        }
    }

    /// Delivers what is due.
    fn deliver_due(self: &Arc<Self>, at: Instant) {
        let mut turn = self.turn.lock();
        if self.stage.load(Ordering::Acquire) == CLOSED {
            // Ended by a policy in the middle of an event; otherwise it would have been delivered by then.
            let windows = turn.windows.take();
            let lost = windows.map_or(0, |mut it| it.waiting.all().len());
            (0..lost).for_each(|_| metrics().dropped(DropReason::Closed));
            return;
        }
        let due = match &mut turn.windows {
            Some(windows) => {
                windows.comes = windows.comes.filter(|comes| *comes != at);
                windows.waiting.due(Instant::now())
            }
            None => Vec::new(),
        };
        self.deliver(&mut turn, due);
        self.come_again(&mut turn);
    }

    /// Delivers all that waits, because its socket ends: the last value always arrives.
    pub(super) fn deliver_all(self: &Arc<Self>) {
        // Held by whoever ends the socket in the middle of an event: it is a policy that does, and wants no more of it.
        let Some(mut turn) = self.turn.try_lock() else {
            return;
        };
        let Some(mut windows) = turn.windows.take() else {
            return;
        };
        let all = windows.waiting.all();
        self.deliver(&mut turn, all);
        // What later policies coalesce again has no time left.
        turn.windows = None;
    }

    fn deliver(self: &Arc<Self>, turn: &mut Turn, events: Vec<Waiting>) {
        for Waiting {
            passage,
            pipeline,
            ack,
            counted,
            trace,
        } in events
        {
            let _traced = traced::event_due(self, &passage.event, trace.as_ref());
            // It waits no more.
            drop(counted);
            self.advance(turn, &pipeline, passage, ack, Draft::none());
        }
    }
}

/// Comes once, when a window of the session ends.
async fn come(session: Weak<Session>, at: Instant) {
    tokio::time::sleep_until(at.into()).await;
    if let Some(session) = session.upgrade() {
        session.deliver_due(at);
    }
}
