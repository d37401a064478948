//! What nodes tell each other of what they share. Named fields, unknown ones ignored: nodes of other versions listen.

use std::collections::HashMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What has changed on a node since it last said so.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct News {
    /// Counts a node's messages, so that a missing one is noticed.
    #[serde(default)]
    pub seq: u64,
    /// The node goes: the others are to have its part.
    #[serde(default)]
    pub leaves: bool,
    #[serde(default)]
    pub policies: Vec<OfPolicy>,
}

/// What has changed of one policy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct OfPolicy {
    pub policy: String,
    #[serde(default)]
    pub buckets: Vec<OfBucket>,
    #[serde(default)]
    pub added: Vec<Addition>,
    #[serde(default)]
    pub entries: Vec<Written>,
}

/// What was taken from one bucket, and its rule, for who has not had to do with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OfBucket {
    pub name: String,
    pub burst: u32,
    pub per_second: f64,
    #[serde(default)]
    pub window_ms: u32,
    /// By subject, as the API writes it.
    pub taken: Vec<(String, u32)>,
}

/// What was added to a counter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Addition {
    pub key: String,
    pub by: i64,
    #[serde(default)]
    pub ttl_ms: u64,
    pub version: u64,
}

/// An entry as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub key: String,
    pub version: u64,
    /// From now; 0: without end.
    #[serde(default)]
    pub ttl_ms: u64,
    /// A counter. Without this and `bytes`, it was deleted.
    #[serde(default)]
    pub counter: Option<i64>,
    #[serde(default)]
    pub bytes: Option<Bytes>,
}

/// A question of a node that has come, or come back: the entries from here on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct From {
    /// The node that is to answer.
    pub of: String,
    #[serde(default)]
    pub policy: String,
    /// After this key.
    #[serde(default)]
    pub key: String,
}

/// A part of the answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chunk {
    /// Whether the node has missed nothing, as far as it knows: its counters are to be counted on from.
    #[serde(default)]
    pub is_settled: bool,
    #[serde(default)]
    pub policy: String,
    #[serde(default)]
    pub entries: Vec<Written>,
    /// By node, the number of its last message that is counted in.
    #[serde(default)]
    pub numbers: HashMap<String, u64>,
    /// Where the next part begins; `None`: that was all.
    #[serde(default)]
    pub next: Option<From>,
}
