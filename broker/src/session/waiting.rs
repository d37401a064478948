//! Events that wait for the end of their windows: kept by `coalesce`, delivered here.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::coalesce::Coalescer;
use super::{CLOSED, Session, Turn};
use crate::event::Coalescing;
use crate::pipeline::{Passage, Pipeline};
use crate::record::Draft;
use crate::telemetry::metrics::{DropReason, metrics};

/// An event that waits for the end of its window. It ends in the pipeline in which it began.
pub(super) struct Waiting {
    pub passage: Passage,
    pub pipeline: Arc<Pipeline>,
    pub ack: Option<i64>,
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
        let waiting = turn
            .waiting
            .get_or_insert_with(|| Box::new(Coalescer::new()));
        let offered = waiting.offer(policy, coalescing, order, bytes, event, Instant::now());
        let next = waiting.next();
        if let Some(superseded) = offered.superseded {
            metrics().dropped(DropReason::Superseded);
            if let Some(id) = superseded.ack {
                self.outlet.ack(id, r#"[{"ok":true,"superseded":true}]"#);
            }
        }
        if let Some(next) = next
            && !turn.is_timed
        {
            turn.is_timed = true;
            tokio::spawn(deliver_due(Arc::downgrade(self), next));
        }
        offered.due.map(|event| event.passage)
    }

    /// Delivers what is due. The answer is when to come again.
    fn deliver_due(self: &Arc<Self>) -> Option<Instant> {
        let mut turn = self.turn.lock();
        if self.stage.load(Ordering::Acquire) == CLOSED {
            // Ended by a policy in the middle of an event; otherwise it would have been delivered by then.
            let lost = turn.waiting.take().map_or(0, |mut it| it.all().len());
            (0..lost).for_each(|_| metrics().dropped(DropReason::Closed));
            return None;
        }
        let due = match &mut turn.waiting {
            Some(waiting) => waiting.due(Instant::now()),
            None => Vec::new(),
        };
        for event in due {
            self.advance(
                &mut turn,
                &event.pipeline,
                event.passage,
                event.ack,
                Draft::none(),
            );
        }
        let next = turn.waiting.as_ref().and_then(|waiting| waiting.next());
        turn.is_timed = next.is_some();
        next
    }

    /// Delivers all that waits, because its socket ends: the last value always arrives.
    pub(super) fn deliver_all(self: &Arc<Self>) {
        // Held by whoever ends the socket in the middle of an event: it is a policy that does, and wants no more of it.
        let Some(mut turn) = self.turn.try_lock() else {
            return;
        };
        let Some(mut waiting) = turn.waiting.take() else {
            return;
        };
        for event in waiting.all() {
            self.advance(
                &mut turn,
                &event.pipeline,
                event.passage,
                event.ack,
                Draft::none(),
            );
        }
        // What later policies coalesce again has no time left.
        turn.waiting = None;
    }
}

/// Comes whenever a window of the session ends, until none is left.
async fn deliver_due(session: Weak<Session>, mut next: Instant) {
    loop {
        tokio::time::sleep_until(next.into()).await;
        let Some(session) = session.upgrade() else {
            return;
        };
        match session.deliver_due() {
            Some(later) => next = later,
            None => return,
        }
    }
}
