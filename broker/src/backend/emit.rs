//! An event that a back end sends to clients, and what became of it: the same over HTTP and over NATS.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::event::{Attachments, Event, hidden};

/// An event that a back end sends to clients. Who is reached in several ways gets it once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Wait(pub Option<Duration>);

/// What became of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Emitted {
    /// To how many clients it was handed: of this node or, where answers were asked for, of all that are heard.
    pub deliveries: u64,
    /// What they answered, if they were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acks: Option<Vec<Ack>>,
    /// Recipients that have not answered in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<u64>,
    /// Nodes that did not say what their clients answered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
}

/// What one client answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Ack {
    pub socket: Arc<str>,
    pub node: Arc<str>,
    /// The text of a JSON array, checked.
    #[serde(serialize_with = "raw")]
    #[schemars(with = "Vec<serde_json::Value>")]
    pub args: Box<str>,
    #[serde(serialize_with = "base64", skip_serializing_if = "is_empty")]
    #[schemars(with = "Vec<String>")]
    pub attachments: Attachments,
}

impl Emitted {
    /// Bytes that it takes up, nearly.
    pub(super) fn size(&self) -> usize {
        let acks = self.acks.iter().flatten().map(|ack| {
            let attachments = ack.attachments.iter().map(bytes::Bytes::len);
            size_of::<Ack>() + ack.socket.len() + ack.args.len() + attachments.sum::<usize>()
        });
        size_of::<Self>() + acks.sum::<usize>()
    }
}

fn raw<S: Serializer>(json: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let raw: &RawValue = serde_json::from_str(json).map_err(serde::ser::Error::custom)?;
    raw.serialize(serializer)
}

fn base64<S: Serializer>(attachments: &Attachments, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(
        attachments
            .iter()
            .map(|bytes| BASE64_STANDARD.encode(bytes)),
    )
}

fn is_empty(attachments: &Attachments) -> bool {
    attachments.is_empty()
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EmitError {
    #[error("no such namespace is served")]
    UnknownNamespace,
    #[error("this node is shutting down")]
    Draining,
    #[error("as many events wait for answers as may")]
    Overloaded,
    #[error("the key of this request was another one's within the last two minutes")]
    OtherRequest,
    #[error("the node could not do it")]
    Failed,
}

impl EmitError {
    /// For programs: one word a cause.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::UnknownNamespace => "unknown_namespace",
            Self::Draining => "draining",
            Self::Overloaded => "overloaded",
            Self::OtherRequest => "other_request",
            Self::Failed => "failed",
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
