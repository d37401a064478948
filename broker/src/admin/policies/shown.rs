//! Policies as an operator sees them and changes them: plain data.

use std::collections::BTreeMap;
use std::time::SystemTime;

use axum::body::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use crate::admin::breaker::BreakerInfo;
use crate::admin::node::{Iso, iso};

#[derive(Debug, Clone, Serialize, JsonSchema)]
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

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct LoadedPolicy {
    pub version: String,
    /// The version of the contract that it was built against.
    pub contract: &'static str,
    pub digest: String,
    /// Who vouches for it; `null` where nobody has to.
    pub signature: Option<Signature>,
    pub generation: u64,
    pub hooks: Vec<&'static str>,
    #[serde(serialize_with = "iso")]
    #[schemars(with = "Iso")]
    pub since: SystemTime,
    pub breaker: BreakerInfo,
    /// The generations that can be served again, the latest to serve first; the first is the one that serves.
    pub history: Vec<PastGeneration>,
    /// One a reactor, once it has been asked there.
    pub instances: usize,
    /// Of all of them.
    pub memory_bytes: usize,
    /// By hook, since the process began.
    pub calls: BTreeMap<&'static str, Calls>,
    /// The version on trial beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<TrialInfo>,
    /// The last trial that is over, as it was at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_trial: Option<TrialInfo>,
}

/// A signature that was checked.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Signature {
    pub key_id: String,
    /// What its maker says of the module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_comment: Option<String>,
}

/// A version on trial beside the one that enforces.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct TrialInfo {
    /// `shadow` or `canary`.
    pub mode: &'static str,
    /// Of how many of a hundred sockets it decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    pub generation: u64,
    pub version: String,
    pub digest: String,
    #[serde(serialize_with = "iso")]
    #[schemars(with = "Iso")]
    pub since: SystemTime,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub end: Option<TrialEnding>,
    /// What the version that enforces has said since then.
    pub enforcing: Counts,
    /// What the candidate has said.
    pub candidate: Counts,
    /// A shadow's verdicts beside those that were followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Compared>,
    /// The latest that were not the same, the latest last.
    pub samples: Vec<DifferenceInfo>,
}

/// How a trial ended.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct TrialEnding {
    pub outcome: &'static str,
    pub cause: &'static str,
    #[serde(serialize_with = "iso")]
    #[schemars(with = "Iso")]
    pub at: SystemTime,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Counts {
    pub calls: u64,
    pub denials: u64,
    pub failures: u64,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Compared {
    pub same: u64,
    pub differs: u64,
    pub failed: u64,
}

/// Something that two versions did not say the same about.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct DifferenceInfo {
    #[serde(serialize_with = "iso")]
    #[schemars(with = "Iso")]
    pub at: SystemTime,
    pub hook: &'static str,
    /// The event's name, or the room's.
    pub about: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// If they may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// Their length in bytes.
    pub arguments_bytes: usize,
    pub enforcing: VerdictInfo,
    pub candidate: VerdictInfo,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct VerdictInfo {
    pub verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The length of what it adds, such as arguments in place of an event's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_bytes: Option<usize>,
    /// If it may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// A generation that serves or served.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PastGeneration {
    pub generation: u64,
    pub version: String,
    pub digest: String,
    #[serde(serialize_with = "iso")]
    #[schemars(with = "Iso")]
    pub since: SystemTime,
    /// Why it serves no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<&'static str>,
}

/// What the calls of one hook came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Calls {
    pub verdicts: BTreeMap<&'static str, u64>,
    pub traps: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_seconds: Option<f64>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PolicyFailure {
    pub reason: String,
    #[serde(serialize_with = "iso")]
    #[schemars(with = "Iso")]
    pub since: SystemTime,
}

/// Where a policy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
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
        mode: UploadMode,
    },
    /// Make the version on trial the one that enforces.
    Promote { policy: String },
    /// Let a canary decide for so many of a hundred sockets.
    SetPercent { policy: String, percent: u32 },
    /// To the generation before, where none is given.
    RollBack {
        policy: String,
        generation: Option<u64>,
    },
}

/// What an uploaded module is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadMode {
    Enforce,
    /// It is asked the same as the version that enforces, and never followed.
    Shadow,
    /// It decides for so many of a hundred sockets.
    Canary(u32),
}

/// What serves after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct PolicyChanged {
    /// Whether anything is different from before.
    pub changed: bool,
    /// The policy that was named.
    #[serde(flatten)]
    pub policy: Option<ChangedPolicy>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
