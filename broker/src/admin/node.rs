//! What the operator may ask of a node, and what it answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::state::{Filter, Shown};

/// The node, as the admin listener sees it. Calls are short and do not wait.
pub(crate) trait Node: Send + Sync + 'static {
    fn info(&self) -> NodeInfo;

    /// In the order in which they are asked; those that have never been loaded last.
    fn policies(&self) -> Vec<PolicyInfo>;

    /// What a policy has counted and stored: at most `limit` buckets and as many entries. `None`: there is no such
    /// policy.
    fn state(&self, policy: &str, filter: &Filter, limit: usize) -> Option<Shown>;

    /// Drops what a policy has counted and stored, and says how much. `None`: there is no such policy.
    fn clear_state(&self, policy: &str, filter: &Filter) -> Option<usize>;

    /// Why the node should get no new clients; empty when it is ready.
    fn not_ready(&self) -> Vec<Reason>;

    /// Delivers an event of a back end to clients of this node, and says to how many.
    fn emit(&self, emit: Emit) -> Result<u64, EmitError>;
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct NodeInfo {
    /// The node's name.
    pub node: String,
    pub version: &'static str,
    #[serde(serialize_with = "iso")]
    pub started: SystemTime,
    pub uptime_seconds: u64,
    pub reactors: usize,
    pub connections: u64,
    pub rooms: u64,
    pub namespaces: Vec<NamespaceInfo>,
    pub listen: Listen,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct NamespaceInfo {
    pub path: String,
    pub connections: u64,
    pub rooms: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Listen {
    pub server: SocketAddr,
    pub admin: SocketAddr,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PolicyInfo {
    pub name: String,
    pub source: Source,
    pub mode: &'static str,
    /// The paths of the configured namespaces whose pipelines it is in.
    pub namespaces: Vec<String>,
    /// What serves; absent for a policy that has never been loaded.
    #[serde(flatten)]
    pub loaded: Option<LoadedPolicy>,
    /// Why what its file says now does not serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<PolicyFailure>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct LoadedPolicy {
    pub version: String,
    /// The version of the contract that it was built against.
    pub contract: &'static str,
    pub digest: String,
    pub generation: u64,
    pub hooks: Vec<&'static str>,
    #[serde(serialize_with = "iso")]
    pub since: SystemTime,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PolicyFailure {
    pub reason: String,
    #[serde(serialize_with = "iso")]
    pub since: SystemTime,
}

/// Where a policy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    Configured,
    DroppedIn,
}

/// Why a node is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Reason {
    pub code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Empty where anyone may ask.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// An event that a back end sends to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Emit {
    pub namespace: String,
    /// Empty: everyone in the namespace.
    pub rooms: Vec<String>,
    /// Members of these rooms do not get it.
    pub except: Vec<String>,
    pub event: Arc<str>,
    /// The text of a JSON array, checked.
    pub args: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EmitError {
    #[error("no such namespace is served")]
    UnknownNamespace,
    #[error("this node is shutting down")]
    Draining,
}

pub(super) fn iso<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}
