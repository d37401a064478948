//! What policies want done beside their verdicts. Nothing that is emitted here passes a policy.

use super::Session;
use crate::event::{Effect, Recipients};
use crate::telemetry::metrics::{DropReason, metrics};

impl Session {
    /// Does it, in the order in which it was asked for.
    pub(super) fn apply(&self, effects: Vec<Effect>) {
        let fanout = &self.broker.fanout;
        let home = &self.home;
        for effect in effects {
            match effect {
                Effect::Emit { to, event } => {
                    fanout.emit(home, &self.client, &to, &event);
                }
                // Beyond the bound of rooms that a socket may be in: policies' joins count as its own.
                Effect::Join(room) => {
                    if self.broker.join(home, &self.client, &room).is_err() {
                        metrics().dropped(DropReason::TooManyRooms);
                    }
                }
                Effect::Leave(room) => self.broker.leave(home, &self.client, &room),
                Effect::Disconnect => self.outlet.disconnect(),
                Effect::SetAttribute { name, value } => {
                    self.client.identity.write().set_attribute(name, value);
                }
                // Said by another hook than connect, where it means nothing.
                Effect::Vouch(_) => {}
            }
        }
    }

    /// Does what can still be done when the socket is gone.
    pub(super) fn apply_without_socket(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Emit {
                    to: Recipients::Sender,
                    ..
                } => metrics().dropped(DropReason::Closed),
                Effect::Emit { to, event } => {
                    let fanout = &self.broker.fanout;
                    fanout.emit(&self.home, &self.client, &to, &event);
                }
                Effect::Join(_)
                | Effect::Leave(_)
                | Effect::Disconnect
                | Effect::SetAttribute { .. }
                | Effect::Vouch(_) => {}
            }
        }
    }
}
