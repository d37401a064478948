//! `[namespace.session]`: what happens when that ends which a socket was let in with.

use std::sync::Arc;
use std::time::Duration;

use super::section::Section;
use super::setting::names;
use crate::event::RESERVED;

/// What happens at the end of what a client has shown, such as a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub on_expiry: OnExpiry,
    /// The event that asks a client for something newer.
    pub refresh_event: Arc<str>,
    /// The event with which it may answer.
    pub answer_event: Arc<str>,
    /// How long before the end it is asked.
    pub refresh_before: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnExpiry {
    Disconnect,
    Refresh,
    Ignore,
}

names!(OnExpiry,
    "disconnect" => OnExpiry::Disconnect,
    "refresh" => OnExpiry::Refresh,
    "ignore" => OnExpiry::Ignore,
);

impl Default for Session {
    fn default() -> Self {
        Self {
            on_expiry: OnExpiry::Disconnect,
            refresh_event: "token_refresh".into(),
            answer_event: "session_refresh".into(),
            refresh_before: Duration::from_secs(30),
        }
    }
}

impl Session {
    /// Whether clients may show something newer.
    pub(crate) fn refreshes(&self) -> bool {
        self.on_expiry == OnExpiry::Refresh
    }

    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        s.table(
            "session",
            "What happens when that ends which a socket was let in with, such as its token.",
            |s| {
                let on_expiry = s.get(
                    "on_expiry",
                    "disconnect",
                    "What happens at the end: `disconnect` tells the socket `token_expired` and ends it; `refresh` asks the client before for something newer, and ends it only if none comes; `ignore` lets it stay.",
                );
                let refresh_event = event(
                    s,
                    "refresh_event",
                    "token_refresh",
                    "The event that asks a client for something newer; it may answer by its acknowledgement.",
                );
                let answer_event = event(
                    s,
                    "answer_event",
                    "session_refresh",
                    "The event by which a client may show something newer, asked or not. Policies and routes do not see it.",
                );
                let shortest = Duration::from_millis(100);
                let longest = Duration::from_secs(3600);
                let refresh_before = s.within(
                    "refresh_before",
                    "30s",
                    "How long before the end a client is asked; at most half of the time that is left to it then.",
                    (shortest..=longest, "100ms to 1h"),
                );
                Self {
                    on_expiry,
                    refresh_event,
                    answer_event,
                    refresh_before,
                }
            },
        )
    }
}

fn event(
    s: &mut Section<'_, '_>,
    name: &'static str,
    default: &'static str,
    doc: &'static str,
) -> Arc<str> {
    let event: String = s.get(name, default, doc);
    if event.is_empty() {
        s.complain(name, "is empty", Some("the name of an event"));
    } else if RESERVED.contains(&event.as_str()) {
        s.complain(
            name,
            "is a name that Socket.IO keeps for itself",
            Some("another name"),
        );
    }
    event.into()
}
