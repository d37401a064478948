//! What is done with an event that has passed its policies.

use std::sync::Arc;

use super::answer::Answered;
use super::{Later, Session, traced};
use crate::config::{Batch, Outbound, Want};
use crate::event::{Code, Denial, Effect, Event};
use crate::pipeline::Pipeline;
use crate::router::{self, Delivery};

impl Session {
    /// Finds the event's route and follows it. `ack` is for those who answer later.
    pub(super) fn route(
        self: &Arc<Self>,
        pipeline: &Pipeline,
        event: &Event,
        ack: Option<i64>,
        effects: &mut Vec<Effect>,
    ) -> Result<Answered, Denial> {
        let delivery = router::route(&pipeline.namespace.routes, event)?;
        traced::routed(&delivery);
        match delivery {
            Delivery::Emit {
                name,
                to,
                volatile,
                batch,
            } => {
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
                if let Some(batch) = batch {
                    let gathered = &self.broker.gathered;
                    gathered.add(&self.client, &to, event.clone(), batch)?;
                } else {
                    let fanout = &self.broker.fanout;
                    fanout.emit(&self.home, &self.client, &to, event);
                }
            }
            Delivery::Join(room) => {
                let mut seen = self.broker.recorder.subscribe(&self.client, &room);
                let answer = pipeline.subscribe(&self.client, &room, effects);
                seen.came_to(if answer.is_ok() { "pass" } else { "deny" });
                answer?;
                return self.join(&room, &event.name, ack);
            }
            Delivery::Leave(room) => self.broker.leave(&self.home, &self.client, &room),
            Delivery::Presence(room) => return self.watch(&room, &event.name, ack),
            Delivery::Publish(outbound, batch) => {
                return self.publish(event, &outbound, batch, ack);
            }
            Delivery::Ignore => {}
        }
        Ok(Answered::Now)
    }

    /// Hands an event over to back ends.
    fn publish(
        self: &Arc<Self>,
        event: &Event,
        outbound: &Outbound,
        batch: Option<Batch>,
        ack: Option<i64>,
    ) -> Result<Answered, Denial> {
        let Some(backend) = &self.broker.backend else {
            // `cluster.nats_url` was added while the broker serves, and is read at the start only.
            let what = "there is no connection to back ends before the next start";
            return Err(Denial::broker(Code::BackendUnreachable, what));
        };
        let later = match outbound.want {
            Want::Nothing => None,
            // Nobody asks for the reply.
            Want::Reply(_) if ack.is_none() => None,
            Want::Stored(_) | Want::Reply(_) => Some(Later::new(self, &event.name, ack)?),
        };
        let answered = match later {
            Some(_) => Answered::Later,
            None => Answered::Now,
        };
        backend.publish(&self.client, event, outbound, batch, later)?;
        Ok(answered)
    }

    /// The ack of a join is a promise: what is sent to the room from any node reaches the socket from then on.
    fn join(
        self: &Arc<Self>,
        room: &str,
        event: &Arc<str>,
        ack: Option<i64>,
    ) -> Result<Answered, Denial> {
        let fanout = &self.broker.fanout;
        let later = match ack {
            Some(_) if !fanout.is_alone() => Some(Later::new(self, event, ack)?),
            _ => None,
        };
        self.broker
            .join(&self.home, &self.client, room)
            .map_err(|_| Denial::broker(Code::Overloaded, "in too many rooms already"))?;
        Ok(match later {
            Some(later) => {
                let known = Box::new(|| later.ok());
                fanout.when_known(&self.client.namespace, room, known);
                Answered::Later
            }
            None => Answered::Now,
        })
    }
}
