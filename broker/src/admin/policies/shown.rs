//! Policies as an operator sees them and changes them: plain data.

use std::collections::BTreeMap;
use std::time::SystemTime;

use axum::body::Bytes;
use serde::Serialize;

use crate::admin::node::iso;

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
    /// The generations that can be served again, the latest to serve first; the first is the one that serves.
    pub history: Vec<PastGeneration>,
    /// By hook, since the process began.
    pub calls: BTreeMap<&'static str, Calls>,
}

/// A generation that serves or served.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PastGeneration {
    pub generation: u64,
    pub version: String,
    pub digest: String,
    #[serde(serialize_with = "iso")]
    pub since: SystemTime,
    /// Why it serves no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<&'static str>,
}

/// What the calls of one hook came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Calls {
    pub verdicts: BTreeMap<&'static str, u64>,
    pub traps: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_seconds: Option<f64>,
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

/// What an operator wants to be different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PolicyChange {
    /// Follow the files, of all policies where none is named.
    Reload { policy: Option<String> },
    Upload {
        policy: String,
        module: Bytes,
        /// The text of its signature's file.
        signature: Option<String>,
    },
    /// To the generation before, where none is given.
    RollBack {
        policy: String,
        generation: Option<u64>,
    },
}

/// What serves after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PolicyChanged {
    /// Whether anything is different from before.
    pub changed: bool,
    /// The policy that was named.
    #[serde(flatten)]
    pub policy: Option<ChangedPolicy>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ChangedPolicy {
    pub generation: u64,
    pub version: String,
    pub digest: String,
    /// Whether it serves after a restart too.
    pub persisted: bool,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_persisted: Option<String>,
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyRefusal {
    pub kind: RefusalKind,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    UnknownPolicy,
    UnknownGeneration,
    /// There is nothing of the kind that is asked for, as things are.
    Conflict,
    /// The module or its settings are no good.
    Refused,
    /// Nobody whom the operator trusts vouches for the module.
    Untrusted,
    /// What the files say could not be followed.
    ReloadFailed,
    Busy,
    TimedOut,
    /// The node cannot change policies.
    Stopped,
}
