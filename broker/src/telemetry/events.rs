//! What happens to the node and its policies, one type an event: `emit` writes the record and counts, nothing else
//! does. Those of clients are in [`clients`], those of files in [`modules`].
//!
//! Texts of records are short and constant, everything that varies is in a field. No field holds what a client
//! authenticated with or the arguments of an event.

mod admin;
mod admin_ui;
mod admission;
mod backend;
mod breaker;
mod clients;
mod cluster;
mod drain;
mod fetch;
mod modules;
mod nats;
mod policies;
mod recording;
mod rollout;
mod sessions;
mod settings;
mod sharing;
mod supervision;
mod tls;
mod traces;

use std::borrow::Cow;
use std::time::Duration;

pub(crate) use admin::{AdminOutcome, AdminRefused, AdminWrite};
pub(crate) use admin_ui::AdminUiCommanded;
pub(crate) use admission::{ConnectionCut, ConnectionRefused, MemoryPressure, UserRefused};
pub(crate) use backend::{
    BackendAnswered, BackendEmitRefused, BackendEmitted, BackendLost, BackendPublished,
    BackendStreamFailed, BackendStreamMade,
};
pub(crate) use breaker::{PolicyBreakerClosed, PolicyBreakerOpened};
pub(crate) use clients::{
    Connected, ConnectionDenied, Disconnected, EventDenied, HandshakeFailed, OriginRefused,
    SlowClient, SocketFailed, UnknownNamespace,
};
pub(crate) use cluster::{EventsMissing, NodeGone, NodeJoined, NodeUnreadable};
pub(crate) use drain::{DrainEnded, DrainProgress, DrainUndone, Draining};
pub(crate) use fetch::PolicyFetched;
pub(crate) use modules::{CacheEntryRejected, CacheUnwritable, ModuleReady};
pub(crate) use nats::{NatsConnected, NatsDisconnected, NatsFailed, NatsSlow};
pub(crate) use policies::{
    PolicyChanged, PolicyRolledBack, RollBackFailed, TrialDiffers, TrialEnded, TrialStarted,
};
pub(crate) use recording::{RecordingBegan, RecordingEnded};
pub(crate) use rollout::{RollOutEnded, RollOutFollowed, RollOutTidied};
pub(crate) use sessions::{
    RefreshWanted, Refreshed, RevocationLifted, RevocationsLearned, RevocationsLost, Revoked,
};
pub(crate) use settings::{ReloadAnswered, ReloadApplied, ReloadFailed, RestartNeeded};
pub(crate) use sharing::{StateCaughtUp, StateForgotten, StateMissed};
pub(crate) use supervision::{ReactorSilent, SupervisorUntold};
pub(crate) use tls::{
    TlsCertificateExpired, TlsHandshakeEnded, TlsKeyExposed, TlsLoaded, TlsRenewalFailed,
};
pub(crate) use traces::TracesFailed;
use tracing::{debug, error, info, warn};

use super::metrics::{Compiled, Hook, TrapKind, metrics};
use super::throttle::Throttle;
use crate::state::SubjectKey;

const NODE: &str = "sluice::node";
const POLICY: &str = "sluice::policy";
const SECURITY: &str = "sluice::security";

/// Bytes of a text that is not the broker's own: a log must not grow with what a client or a policy says.
const MAX_TEXT: usize = 256;

/// Reasons and details are longer: they have to tell an author what is wrong with a module.
const MAX_DETAIL: usize = 2048;

fn clip(text: &str) -> Cow<'_, str> {
    cut(text, MAX_TEXT)
}

fn cut(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(max);
    Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
}

/// A call of a policy failed. Counted by the handle that the policy keeps for its hook.
pub(crate) struct PolicyTrapped<'a> {
    pub policy: &'a str,
    pub hook: Hook,
    pub kind: TrapKind,
    pub detail: &'a str,
    /// The socket that was served.
    pub socket: &'a str,
}

impl PolicyTrapped<'_> {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        let Some(suppressed) = THROTTLE.admit() else {
            return;
        };
        warn!(
            target: POLICY,
            policy = self.policy,
            hook = self.hook.as_str(),
            kind = self.kind.as_str(),
            reason = &*cut(self.detail, MAX_DETAIL),
            socket = self.socket,
            suppressed,
            "policy call failed"
        );
    }
}

/// The level of a policy's own record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// A policy says something.
pub(crate) struct PolicyLog<'a> {
    pub policy: &'a str,
    pub level: Level,
    pub message: &'a str,
}

impl PolicyLog<'_> {
    pub(crate) fn emit(self) {
        let (policy, text) = (self.policy, cut(self.message, MAX_DETAIL));
        let text = &*text;
        match self.level {
            Level::Debug => debug!(target: POLICY, policy, text, "policy says"),
            Level::Info => info!(target: POLICY, policy, text, "policy says"),
            Level::Warn => warn!(target: POLICY, policy, text, "policy says"),
            Level::Error => error!(target: POLICY, policy, text, "policy says"),
        }
    }
}

/// A policy serves, newly or in a new generation.
pub(crate) struct PolicyLoaded<'a> {
    pub policy: &'a str,
    pub version: &'a str,
    pub digest: &'a str,
    /// Where its module came from when it was first seen.
    pub compiled: Compiled,
    pub generation: u64,
}

impl PolicyLoaded<'_> {
    pub(crate) fn emit(self) {
        info!(
            target: POLICY,
            policy = self.policy,
            version = &*clip(self.version),
            digest = self.digest,
            compiled = self.compiled.as_str(),
            generation = self.generation,
            "policy loaded"
        );
    }
}

/// A policy serves no more.
pub(crate) struct PolicyUnloaded<'a> {
    pub policy: &'a str,
}

impl PolicyUnloaded<'_> {
    pub(crate) fn emit(self) {
        info!(target: POLICY, policy = self.policy, "policy unloaded");
    }
}

/// An operator dropped what a policy had counted and stored, or a part of it.
pub(crate) struct StateCleared<'a> {
    pub policy: &'a str,
    pub prefix: &'a str,
    pub subject: Option<&'a SubjectKey>,
    pub removed: usize,
}

impl StateCleared<'_> {
    pub(crate) fn emit(self) {
        info!(
            target: POLICY,
            policy = self.policy,
            prefix = &*clip(self.prefix),
            subject = self.subject.map(|subject| clip(&subject.to_string()).into_owned()),
            removed = self.removed,
            "policy state cleared"
        );
    }
}

/// No new connection is accepted, for want of descriptors or the like.
pub(crate) struct AcceptFailed<'a> {
    pub error: &'a std::io::Error,
}

impl AcceptFailed<'_> {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        let Some(suppressed) = THROTTLE.admit() else {
            return;
        };
        error!(
            target: NODE,
            code = self.error.raw_os_error(),
            reason = %self.error,
            total_connections = metrics().connections.get(),
            suppressed,
            "accepting a connection failed"
        );
    }
}

/// A reactor panicked, which ends the process.
pub(crate) struct ReactorPanicked<'a> {
    pub reactor: &'a str,
    pub message: &'a str,
}

impl ReactorPanicked<'_> {
    pub(crate) fn emit(self) {
        error!(
            target: NODE,
            reactor = self.reactor,
            reason = &*cut(self.message, MAX_DETAIL),
            total_connections = metrics().connections.get(),
            "reactor panicked"
        );
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
