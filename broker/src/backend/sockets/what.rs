//! What can be asked about sockets and done with them, and what is answered.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What of the sockets somebody wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SocketFilter {
    /// `None`: all.
    #[serde(default)]
    pub namespace: Option<String>,
    #[serde(default)]
    pub room: Option<String>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub id: Option<String>,
    /// Only those behind this one, in the order of the list.
    #[serde(default)]
    pub after: Option<SocketKey>,
    pub limit: usize,
}

/// Where a socket stands in a list: by namespace, and there the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct SocketKey {
    pub namespace: String,
    /// Milliseconds since 1970.
    pub since_ms: u64,
    pub id: String,
}

/// A socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SocketInfo {
    pub id: String,
    pub namespace: String,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    #[serde(default)]
    pub rooms: Vec<String>,
    #[serde(default)]
    pub address: String,
    #[serde(default)]
    pub transport: String,
    /// Its connection is under TLS, as far as its node sees.
    #[serde(default)]
    pub secure: bool,
    #[serde(default)]
    pub since: String,
    /// When what it was let in with ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// By which that can be revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// The subject of the certificate that its client has shown: `CN=alice,O=Example`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    pub node: String,
}

/// What of the rooms of a namespace somebody wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomFilter {
    pub namespace: String,
    #[serde(default)]
    pub prefix: String,
    /// Only those behind this one, by name.
    #[serde(default)]
    pub after: Option<String>,
    pub limit: usize,
}

/// A room, or the part of it that one node has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RoomInfo {
    pub name: String,
    pub sockets: u64,
    #[serde(default)]
    pub nodes: BTreeMap<String, u64>,
}

/// A namespace, or the part of it that one node has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NamespaceCensus {
    pub path: String,
    pub connections: u64,
    #[serde(default)]
    pub nodes: BTreeMap<String, NodeCensus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NodeCensus {
    pub connections: u64,
    pub rooms: u64,
}

/// A list that may have been cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed<T> {
    pub items: Vec<T>,
    pub truncated: bool,
    /// Nodes that have not answered: what they have is not in it.
    #[serde(default)]
    pub silent: Vec<String>,
}

/// Sockets, and what is to be done with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Steer {
    pub whom: Whom,
    pub what: Steering,
}

/// Sockets of a namespace: all, or those that are named in one of the ways.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Whom {
    pub namespace: String,
    #[serde(default)]
    pub rooms: Vec<String>,
    #[serde(default)]
    pub users: Vec<String>,
    #[serde(default)]
    pub except: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Steering {
    Join(Vec<String>),
    Leave(Vec<String>),
    Disconnect {
        /// With everything else that the client has on its connection.
        close: bool,
    },
}

/// How many sockets it was done with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Steered {
    pub sockets: u64,
    /// Joins that were not done, because the socket is in as many rooms as it may be.
    #[serde(default)]
    pub refused: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SteerError {
    #[error("no such namespace is served")]
    UnknownNamespace,
    #[error("this node is shutting down")]
    Draining,
}

impl SocketInfo {
    /// `None`: it says nothing that could be one.
    pub(crate) fn key(&self) -> Option<SocketKey> {
        let since = humantime::parse_rfc3339(&self.since).ok()?;
        let since = since.duration_since(UNIX_EPOCH).ok()?;
        Some(SocketKey {
            namespace: self.namespace.clone(),
            since_ms: u64::try_from(since.as_millis()).ok()?,
            id: self.id.clone(),
        })
    }
}

impl Steering {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Join(_) => "join",
            Self::Leave(_) => "leave",
            Self::Disconnect { .. } => "disconnect",
        }
    }
}

impl SteerError {
    /// For programs: one word a cause.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::UnknownNamespace => "unknown_namespace",
            Self::Draining => "draining",
        }
    }
}

impl<T> Listed<T> {
    pub(in crate::backend) fn cut(mut items: Vec<T>, limit: usize) -> Self {
        let truncated = items.len() > limit;
        items.truncate(limit);
        Self {
            items,
            truncated,
            silent: Vec::new(),
        }
    }

    pub(in crate::backend) fn add(&mut self, other: Self) {
        self.items.extend(other.items);
        self.truncated |= other.truncated;
        self.silent.extend(other.silent);
    }

    pub(in crate::backend) fn cut_to(mut self, limit: usize) -> Self {
        self.truncated |= self.items.len() > limit;
        self.items.truncate(limit);
        self
    }
}
