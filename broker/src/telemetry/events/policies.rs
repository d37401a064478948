//! What operators do to policies, and what happens to those that are on trial.

use std::net::IpAddr;

use tracing::{error, info, warn};

use super::{MAX_DETAIL, POLICY, SECURITY, clip, cut};
use crate::telemetry::labels::{ChangeResult, Changed};
use crate::telemetry::metrics::{Hook, metrics};

/// An operator changed policies over the API, or was not let.
pub(crate) struct PolicyChanged<'a> {
    pub action: Changed,
    pub result: ChangeResult,
    /// `None`: all policies.
    pub policy: Option<&'a str>,
    /// `None`: the request did not come over a connection.
    pub address: Option<IpAddr>,
    /// What serves now.
    pub generation: Option<u64>,
    /// Why it was refused.
    pub reason: Option<&'a str>,
}

impl PolicyChanged<'_> {
    pub(crate) fn emit(self) {
        metrics().changed(self.action, self.result);
        info!(
            target: SECURITY,
            action = self.action.as_str(),
            result = self.result.as_str(),
            policy = self.policy.map(clip).as_deref(),
            address = self.address.map(tracing::field::display),
            generation = self.generation,
            reason = self.reason.map(|reason| cut(reason, MAX_DETAIL)).as_deref(),
            "operator changes policies"
        );
    }
}

/// An earlier generation of a policy serves again.
pub(crate) struct PolicyRolledBack<'a> {
    pub policy: &'a str,
    pub from: u64,
    pub to: u64,
    pub cause: &'static str,
}

impl PolicyRolledBack<'_> {
    pub(crate) fn emit(self) {
        metrics().rolled_back(self.policy, self.cause);
        warn!(
            target: POLICY,
            policy = self.policy,
            from = self.from,
            to = self.to,
            cause = self.cause,
            "policy rolled back"
        );
    }
}

/// A version that is worse than it may be goes on serving, because the one before cannot be taken back.
pub(crate) struct RollBackFailed<'a> {
    pub policy: &'a str,
    pub cause: &'static str,
    pub reason: &'a str,
}

impl RollBackFailed<'_> {
    pub(crate) fn emit(self) {
        metrics().changed(Changed::RollBack, ChangeResult::Refused);
        error!(
            target: POLICY,
            policy = self.policy,
            cause = self.cause,
            reason = &*cut(self.reason, MAX_DETAIL),
            "policy roll-back failed"
        );
    }
}

/// A new version of a policy is on trial beside the one that enforces.
pub(crate) struct TrialStarted<'a> {
    pub policy: &'a str,
    pub version: &'a str,
    pub digest: &'a str,
    pub generation: u64,
    /// `None`: a shadow.
    pub percent: Option<u32>,
}

impl TrialStarted<'_> {
    pub(crate) fn emit(self) {
        info!(
            target: POLICY,
            policy = self.policy,
            version = &*clip(self.version),
            digest = self.digest,
            generation = self.generation,
            percent = self.percent,
            "trial started"
        );
    }
}

/// A version on trial would have said something else. Counted by the handle that the trial keeps, which also sees to
/// it that there are few records.
pub(crate) struct TrialDiffers<'a> {
    pub policy: &'a str,
    pub hook: Hook,
    /// The event's name, or the room's.
    pub about: &'a str,
    pub enforcing: &'static str,
    pub candidate: &'static str,
}

impl TrialDiffers<'_> {
    pub(crate) fn emit(self) {
        info!(
            target: POLICY,
            policy = self.policy,
            hook = self.hook.as_str(),
            about = &*clip(self.about),
            enforcing = self.enforcing,
            candidate = self.candidate,
            "trial differs"
        );
    }
}

/// A trial is over.
pub(crate) struct TrialEnded<'a> {
    pub policy: &'a str,
    pub generation: u64,
    pub outcome: &'static str,
    pub cause: &'static str,
    /// By itself, because the candidate was worse than it may be.
    pub rolled_back: bool,
    pub calls: u64,
    pub denials: u64,
    pub failures: u64,
}

impl TrialEnded<'_> {
    pub(crate) fn emit(self) {
        let Self {
            policy,
            generation,
            outcome,
            cause,
            calls,
            denials,
            failures,
            ..
        } = self;
        if self.rolled_back {
            metrics().rolled_back(policy, cause);
            warn!(target: POLICY, policy, generation, outcome, cause, calls, denials, failures, "trial ended");
        } else {
            info!(target: POLICY, policy, generation, outcome, cause, calls, denials, failures, "trial ended");
        }
    }
}
