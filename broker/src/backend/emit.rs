//! An event that a back end sends to clients, and what became of it: the same over HTTP and over NATS.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::event::{Attachments, Event, hidden};

/// An event that a back end sends to clients. Who is reached in several ways gets it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Emit {
    pub namespace: String,
    /// Members of these rooms, and the sockets of these names. Without rooms and users: everyone in the namespace.
    pub rooms: Vec<String>,
    /// Every socket of these users.
    pub users: Vec<String>,
    /// Members of these rooms do not get it.
    pub except: Vec<String>,
    pub event: Arc<str>,
    /// The text of a JSON array, checked, with placeholders for the attachments.
    pub args: Arc<str>,
    pub attachments: Attachments,
    /// Not worth waiting: skipped for a client that takes nothing at the moment.
    pub volatile: bool,
    /// Its recipients are to answer it.
    pub ack: Option<Wait>,
    /// Whoever sends it a second time, because he does not know whether it arrived, says so by the same text.
    pub id: Option<Arc<str>>,
}

/// How long answers are waited for; `None`: for as long as is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub Option<Duration>);

/// What became of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Emitted {
    /// To how many clients of this node it was handed.
    pub deliveries: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EmitError {
    #[error("no such namespace is served")]
    UnknownNamespace,
    #[error("this node is shutting down")]
    Draining,
    #[error("`{0}` is not part of this version")]
    NotImplemented(&'static str),
}

impl EmitError {
    /// For programs: one word a cause.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::UnknownNamespace => "unknown_namespace",
            Self::Draining => "draining",
            Self::NotImplemented(_) => "not_implemented",
        }
    }
}

impl Emit {
    pub(super) fn event(&self) -> Event {
        Event {
            name: self.event.clone(),
            args: self.args.clone(),
            attachments: self.attachments.clone(),
            volatile: self.volatile,
        }
    }

    /// The rooms that it goes to, those of its users among them; empty: everyone.
    pub(super) fn recipients(&self) -> Vec<String> {
        let users = self.users.iter().map(|user| hidden::of_user(user));
        self.rooms.iter().cloned().chain(users).collect()
    }
}
