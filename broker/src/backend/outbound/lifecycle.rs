//! What happens to sockets, as back ends are told: in the queue of what clients send them, so in the order in which it
//! happened.

use std::time::Instant;

use super::envelope::Envelope;
use super::{Awaited, Backend, Outgoing};
use crate::config::{Lifecycle, LifecycleEvent};
use crate::event::Client;
use crate::telemetry::events::BackendLost;
use crate::telemetry::metrics::{BackendKind, BackendLoss};

/// What has happened to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened<'a> {
    Connected,
    Joined(&'a str),
    Left(&'a str),
    /// In the words of the log.
    Disconnected(&'a str),
}

impl Happened<'_> {
    pub(crate) fn event(self) -> LifecycleEvent {
        match self {
            Self::Connected => LifecycleEvent::Connected,
            Self::Joined(_) => LifecycleEvent::Joined,
            Self::Left(_) => LifecycleEvent::Left,
            Self::Disconnected(_) => LifecycleEvent::Disconnected,
        }
    }

    /// What is said beside the event's name.
    pub(super) fn detail(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Connected => None,
            Self::Joined(room) | Self::Left(room) => Some(("room", room)),
            Self::Disconnected(reason) => Some(("reason", reason)),
        }
    }
}

impl Backend {
    /// Hands over what has happened; nobody waits for it. What there is no room for is counted.
    pub(crate) fn tell(&self, client: &Client, to: &Lifecycle, happened: Happened<'_>) {
        let event = happened.event().as_str();
        let Ok(subject) = to.subject.fill(&client.namespace, event) else {
            // Names of namespaces are short enough where sockets are let in.
            return lost(event, BackendLoss::TooLarge);
        };
        let envelope = Envelope::new();
        let payload = self
            .writer
            .lifecycle(&envelope, client, happened, to.encoding);
        // What becomes of it nobody is told.
        let _ = self.hand_over(Outgoing {
            subject,
            id: envelope.id,
            encoding: to.encoding,
            payload,
            kind: BackendKind::Lifecycle,
            awaited: Awaited::Nothing,
            since: Instant::now(),
            trace: None,
        });
    }

    /// The same where there is no way to back ends before the next start.
    pub(crate) fn untold(happened: Happened<'_>) {
        lost(happened.event().as_str(), BackendLoss::Unreachable);
    }
}

fn lost(subject: &str, loss: BackendLoss) {
    BackendLost { subject, loss }.emit();
}
