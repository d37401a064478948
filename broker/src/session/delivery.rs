//! What is done with an event that has passed its policies.

use std::sync::Arc;

use super::Session;
use super::answer::Answered;
use crate::event::{Code, Delivery, Denial, Effect, Event};
use crate::pipeline::Pipeline;
use crate::router;

impl Session {
    /// Finds the event's route and follows it. `ack` is for those who answer later.
    pub(super) fn route(
        self: &Arc<Self>,
        pipeline: &Pipeline,
        event: &Event,
        _ack: Option<i64>,
        effects: &mut Vec<Effect>,
    ) -> Result<Answered, Denial> {
        match router::route(&pipeline.namespace.routes, event)? {
            Delivery::Emit { name, to, volatile } => {
                let changed;
                let event = if name == event.name && !volatile {
                    event
                } else {
                    changed = Event {
                        name,
                        volatile,
                        ..event.clone()
                    };
                    &changed
                };
                let fanout = &self.broker.fanout;
                fanout.emit(&self.home, &self.client, &to, event);
            }
            Delivery::Join(room) => {
                let mut seen = self.broker.recorder.subscribe(&self.client, &room);
                let answer = pipeline.subscribe(&self.client, &room, effects);
                seen.came_to(if answer.is_ok() { "pass" } else { "deny" });
                answer?;
                self.home
                    .join(&self.client, &room)
                    .map_err(|_| Denial::broker(Code::Overloaded, "in too many rooms already"))?;
            }
            Delivery::Leave(room) => self.home.leave(&self.client, &room),
            Delivery::Ignore => {}
        }
        Ok(Answered::Now)
    }
}
