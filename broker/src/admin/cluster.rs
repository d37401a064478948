//! `/api/v1/cluster`: the nodes, as this one sees them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::node::{Iso, Node, iso};

/// The nodes of a cluster. A node that is alone is its only one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ClusterInfo {
    /// `null`: the node is alone.
    pub name: Option<String>,
    /// Whether there is a connection to NATS that carries something.
    pub connected: bool,
    /// This node first.
    pub nodes: Vec<ClusterNode>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ClusterNode {
    pub node: String,
    /// The node that answers.
    #[serde(rename = "self")]
    pub is_self: bool,
    pub version: String,
    #[serde(serialize_with = "iso")]
    #[schemars(with = "Iso")]
    pub started: SystemTime,
    /// How long ago it was heard of.
    pub heard_seconds: f64,
    pub listen: String,
    pub admin: String,
    pub connections: u64,
    pub rooms: u64,
    /// Since it started.
    pub events: u64,
    pub deliveries: u64,
    pub draining: bool,
    /// Digests by name.
    pub policies: BTreeMap<String, String>,
}

pub(super) async fn show(State(node): State<Arc<dyn Node>>) -> Json<ClusterInfo> {
    Json(node.cluster())
}
