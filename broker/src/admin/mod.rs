//! The operator's HTTP: probes, metrics and the API, on a listener of its own.
//!
//! Knows the node only as the trait [`Node`] and shows it as plain data. Nothing here is on an event's path.

mod api;
mod audit;
mod auth;
mod breaker;
mod cluster;
mod describe;
mod drain;
mod emit;
mod health;
mod live;
mod metrics;
mod node;
mod page;
mod policies;
mod problem;
mod query;
mod record;
mod reload;
mod revocations;
mod rollout;
mod router;
mod routes;
mod server;
mod sockets;
mod state;
#[cfg(test)]
mod tests;
mod token;
mod tries;
mod watch;

pub(crate) use auth::Auth;
pub(crate) use breaker::{BreakerInfo, BreakerWord};
pub(crate) use cluster::{ClusterInfo, ClusterNode};
pub(crate) use drain::{DrainInfo, DrainState};
pub(crate) use health::probe;
pub(crate) use node::{Listen, NamespaceInfo, Node, NodeInfo, Reason};
pub(crate) use policies::{
    Calls, ChangedPolicy, Compared, Counts, DifferenceInfo, LoadedPolicy, PastGeneration,
    PolicyChange, PolicyChanged, PolicyFailure, PolicyInfo, PolicyRefusal, RefusalKind, Signature,
    Source, TrialEnding, TrialInfo, UploadMode, VerdictInfo,
};
pub(crate) use reload::Reloaded;
pub(crate) use revocations::{Revoking, Told};
pub(crate) use rollout::{RollOutRefusal, Rollouts};
pub(crate) use server::serve;
pub(crate) use state::Cleared;
