//! What the operator may ask of a node, and what it answers.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::cluster::ClusterInfo;
use super::drain::DrainInfo;
use super::policies::{PolicyChange, PolicyChanged, PolicyInfo, PolicyRefusal};
use super::reload::Reloaded;
use super::revocations::Revoking;
use super::rollout::Rollouts;
use super::state::Cleared;
use crate::backend::{
    Emit, EmitError, Emitted, Listed, NamespaceCensus, RoomFilter, RoomInfo, SocketFilter,
    SocketInfo, Steer, SteerError, Steered,
};
use crate::config::Change;
use crate::drain::Ending;
use crate::feed::{self, Crowded, Following};
use crate::record::{Busy, Recording, Wanted};
use crate::state::{After, Filter, Shown};

/// The node, as the admin listener sees it. Calls are short; those that wait are futures.
pub(crate) trait Node: Send + Sync + 'static {
    fn info(&self) -> NodeInfo;

    /// All nodes, as this one sees them.
    fn cluster(&self) -> ClusterInfo;

    /// In the order in which they are asked; those that have never been loaded last.
    fn policies(&self) -> Vec<PolicyInfo>;

    /// Changes policies, and answers when what has changed serves.
    fn change(&self, change: PolicyChange) -> BoxFuture<'_, Result<PolicyChanged, PolicyRefusal>>;

    /// Modules that are served by all nodes of the cluster; `None`: the node is alone.
    fn rollouts(&self) -> Option<Arc<dyn Rollouts>>;

    /// What a policy has counted and stored: at most `limit` buckets and as many entries, behind `after`. `None`: there is no
    /// such policy.
    fn state(&self, policy: &str, filter: &Filter, after: &After, limit: usize) -> Option<Shown>;

    /// Drops what a policy has counted and stored, on all nodes, and says how much. `None`: there is no such policy.
    fn clear_state(&self, policy: String, filter: Filter) -> BoxFuture<'_, Option<Cleared>>;

    /// Reactors whose clients wait for them: a new process would help.
    fn silent_reactors(&self) -> Vec<usize>;

    /// Follows everything that is on disk, and answers when it serves.
    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, PolicyRefusal>>;

    /// Keys of the configuration that differ from what runs, and keep their values until a restart.
    fn restart_needed(&self) -> Vec<Change>;

    /// Why the node should get no new clients; empty when it is ready.
    fn not_ready(&self) -> Vec<Reason>;

    /// The configuration that is followed, without secrets.
    fn effective(&self) -> Arc<serde_json::Value>;

    /// How far the node is emptied of its clients.
    fn drain(&self) -> DrainInfo;

    /// Lets nobody in any more and closes who is in, over this period or the one configured.
    fn begin_drain(&self, period: Option<Duration>, exit: bool) -> Result<DrainInfo, Ending>;

    /// Serves again.
    fn undo_drain(&self) -> Result<DrainInfo, Ending>;

    /// Records what clients do, for as long as the answer is not dropped.
    fn record(&self, wanted: Wanted) -> Result<Recording, Busy>;

    /// What happens to sockets of this node, for as long as the answer is not dropped.
    fn follow(&self, wanted: feed::Wanted) -> Result<Following, Crowded>;

    /// Delivers an event of a back end, and says what became of it.
    fn emit(&self, emit: Emit) -> BoxFuture<'_, Result<Emitted, EmitError>>;

    /// Sockets of all nodes, or of one.
    fn sockets(
        &self,
        filter: SocketFilter,
        node: Option<String>,
    ) -> BoxFuture<'_, Listed<SocketInfo>>;

    /// Rooms of a namespace, over all nodes.
    fn rooms(&self, filter: RoomFilter) -> BoxFuture<'_, Listed<RoomInfo>>;

    /// Namespaces that have sockets, over all nodes.
    fn namespaces(&self) -> BoxFuture<'_, Listed<NamespaceCensus>>;

    /// Users and tokens that are kept out.
    fn revocations(&self) -> Arc<dyn Revoking>;

    /// Has sockets join rooms, leave them, or go; on all nodes.
    fn steer(&self, steer: Steer) -> BoxFuture<'_, Result<Steered, SteerError>>;
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct NodeInfo {
    /// The node's name.
    pub node: String,
    pub version: &'static str,
    #[serde(serialize_with = "iso")]
    #[schemars(with = "Iso")]
    pub started: SystemTime,
    pub uptime_seconds: u64,
    pub reactors: usize,
    pub connections: u64,
    pub rooms: u64,
    pub namespaces: Vec<NamespaceInfo>,
    pub listen: Listen,
    /// Keys of the configuration that keep their values until a restart.
    pub restart_needed: Vec<Change>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct NamespaceInfo {
    pub path: String,
    pub connections: u64,
    pub rooms: u64,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Listen {
    pub server: SocketAddr,
    pub admin: SocketAddr,
}

/// Why a node is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Reason {
    pub code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Empty where anyone may ask.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// How a time is written, for the schemas.
pub(super) struct Iso;

impl JsonSchema for Iso {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

pub(super) fn iso<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}
