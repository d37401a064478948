//! What policies ask over HTTP. Addresses, headers and bodies are theirs and may hold secrets: only the host is told,
//! which the operator has listed.

use std::time::Duration;

use tracing::debug;

use super::{MAX_TEXT, POLICY, cut, millis};
use crate::telemetry::metrics::{FetchOutcome, PolicyHttpMetrics};

/// A policy wanted to make a request.
pub(crate) struct PolicyFetched<'a> {
    pub policy: &'a str,
    /// `None`: it was refused before that was known.
    pub host: Option<String>,
    pub metrics: &'a PolicyHttpMetrics,
    pub status: Option<u16>,
    pub outcome: FetchOutcome,
    /// Why there is no answer, in the broker's words.
    pub reason: Option<String>,
    /// `None`: no request was made for it.
    pub took: Option<Duration>,
}

impl PolicyFetched<'_> {
    pub(crate) fn emit(self) {
        self.metrics.fetched(self.outcome, self.took);
        debug!(
            target: POLICY,
            policy = self.policy,
            host = self.host,
            outcome = self.outcome.as_str(),
            status = self.status,
            reason = self.reason.as_deref().map(|reason| cut(reason, MAX_TEXT)).as_deref(),
            took_ms = self.took.map(millis),
            "policy asked over HTTP"
        );
    }
}
