//! Sockets of the Admin UI: what they are told when they come, and that what they send are commands.

use std::sync::Arc;

use super::{Session, Turn};
use crate::event::{Code, Denial, Event};

impl Session {
    /// It is in its namespace. If that is the Admin UI's, it wants to know who else is there.
    pub(super) fn is_operators(&self) {
        let Some(ui) = &self.broker.admin_ui else {
            return;
        };
        let pipeline = self.pipeline(&mut self.turn.lock());
        if pipeline.is_some_and(|it| it.namespace.is_operators) {
            ui.entered(&self.client);
        }
    }

    pub(super) fn command(self: &Arc<Self>, turn: &mut Turn, event: &Event, ack: Option<i64>) {
        let commanded = match &self.broker.admin_ui {
            Some(ui) => ui.command(&self.client, event),
            None => Err(Denial::broker(Code::NoRoute, "nobody takes commands here")),
        };
        match commanded {
            Ok(()) => self.ok(ack),
            Err(denial) => self.deny(turn, Some(&event.name), &denial, ack),
        }
    }
}
