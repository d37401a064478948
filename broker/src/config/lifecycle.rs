//! `[namespace.lifecycle]`: what back ends are told of the sockets of a namespace: that they come, go, and where they are.

use super::route::{Encoding, Reach, subject};
use super::section::Section;
use super::setting::{Setting as _, names};
use crate::nats::subject::Template;

/// What is told, where, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lifecycle {
    events: Vec<LifecycleEvent>,
    pub subject: Template,
    pub encoding: Encoding,
}

/// What happens to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LifecycleEvent {
    Connected,
    Disconnected,
    Joined,
    Left,
}

names!(LifecycleEvent,
    "connected" => LifecycleEvent::Connected,
    "disconnected" => LifecycleEvent::Disconnected,
    "joined" => LifecycleEvent::Joined,
    "left" => LifecycleEvent::Left,
);

const KEY: &str = "lifecycle";
const EVENTS: &str = r#"["connected", "disconnected", "joined", "left"]"#;
const SUBJECT: &str = ".lifecycle.{namespace}.{event}";

impl LifecycleEvent {
    pub(crate) const ALL: [Self; 4] = [
        Self::Connected,
        Self::Disconnected,
        Self::Joined,
        Self::Left,
    ];

    /// As it stands in the configuration, in subjects and in messages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Joined => "joined",
            Self::Left => "left",
        }
    }
}

impl Lifecycle {
    pub(crate) fn wants(&self, event: LifecycleEvent) -> bool {
        self.events.contains(&event)
    }

    /// `None`: there is no such table, or a problem has been reported.
    pub(super) fn read(s: &mut Section<'_, '_>, reach: Reach<'_>) -> Option<Self> {
        let is_there = s.has(KEY);
        if is_there && reach.cluster.is_none() {
            let what = "needs a NATS server";
            s.report(KEY, what, Some("`cluster.nats_url` beside it"));
        }
        let lifecycle = s.table(
            KEY,
            "What back ends are told of this namespace's sockets over NATS; nothing without this table.",
            |s| {
                let written: Vec<String> = s.get(
                    "events",
                    EVENTS,
                    "What is told: sockets are connected and disconnected, have joined and left rooms.",
                );
                let events = events(s, &written);
                let written: Option<String> = s.optional(
                    "subject",
                    SUBJECT,
                    "The NATS subject; below `sluice.<cluster.name>` if it begins with a dot. `{namespace}` and `{event}` stand for the names. Default: `.lifecycle.{namespace}.{event}`.",
                );
                let subject = subject(s, "subject", written.as_deref(), SUBJECT, reach);
                let encoding = s.get(
                    "format",
                    "json",
                    "How a message is written: `json` or `msgpack`.",
                );
                Some(Self {
                    events,
                    subject: subject?,
                    encoding,
                })
            },
        );
        lifecycle.filter(|_| is_there)
    }
}

fn events(s: &mut Section<'_, '_>, written: &[String]) -> Vec<LifecycleEvent> {
    if written.is_empty() && s.has("events") {
        s.complain("events", "names nothing", Some(LifecycleEvent::EXPECTED));
    }
    let mut events = Vec::new();
    for (position, name) in written.iter().enumerate() {
        match LifecycleEvent::from_text(name) {
            Ok(event) if events.contains(&event) => {
                s.complain_item("events", position, name, "is in the list already");
            }
            Ok(event) => events.push(event),
            Err(_) => {
                let what = format!("is none of them; expected {}", LifecycleEvent::EXPECTED);
                s.complain_item("events", position, name, &what);
            }
        }
    }
    events
}
