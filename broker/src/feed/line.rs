//! What happens, as lines of JSON: for people who look, so texts of arguments are taken out as in a recording.

use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Following, Happening, What};
use crate::redact::Redact;

/// What somebody sees, a line each.
pub(crate) struct Lines {
    pub(super) following: Following,
    redact: Redact,
}

#[derive(Default, Serialize)]
struct Line<'a> {
    at_ms: u64,
    what: &'static str,
    namespace: &'a str,
    socket: &'a str,
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachments: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wants_ack: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
}

// === impl Lines ===

impl Lines {
    pub(crate) fn new(following: Following, redact: Redact) -> Self {
        Self { following, redact }
    }

    /// The next line, with its line break. After a loss `{"dropped":N}` comes first.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let happening = self.following.next().await?;
        let mut text = match self.following.dropped() {
            0 => String::new(),
            dropped => format!("{{\"dropped\":{dropped}}}\n"),
        };
        text.push_str(&line(&happening, &self.redact));
        Some(text)
    }
}

fn line(happening: &Happening, redact: &Redact) -> String {
    let since = happening.at.duration_since(UNIX_EPOCH);
    let mut line = Line {
        at_ms: since.map_or(0, |since| since.as_millis() as u64),
        namespace: &happening.namespace,
        socket: &happening.socket,
        user: happening.user.as_deref(),
        ..Line::default()
    };
    match &happening.what {
        What::Connected(its) => {
            line.what = "connected";
            line.transport = Some(its.transport);
            line.address = Some(its.address);
        }
        What::Disconnected(reason) => {
            line.what = "disconnected";
            line.reason = Some(reason);
        }
        What::Joined(room) => {
            line.what = "joined";
            line.room = Some(room);
        }
        What::Left(room) => {
            line.what = "left";
            line.room = Some(room);
        }
        What::Received {
            event,
            wants_ack,
            outcome,
        } => {
            line.what = "received";
            line.event = Some(&event.name);
            line.args = raw(&redact.args(&event.args));
            line.attachments = Some(event.attachments.len()).filter(|it| *it > 0);
            line.wants_ack = Some(*wants_ack);
            line.outcome = Some(outcome);
        }
        What::Sent(event) => {
            line.what = "sent";
            line.event = Some(&event.name);
            line.args = raw(&redact.args(&event.args));
            line.attachments = Some(event.attachments.len()).filter(|it| *it > 0);
        }
    }
    // Texts, numbers and JSON that was checked always serialize.
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    text
}

/// On one line.
fn raw(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.replace(['\n', '\r'], " ")).ok()
}
