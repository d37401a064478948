//! What becomes of the configuration while the process runs.

use std::path::Path;

use tracing::{error, info, warn};

use super::{MAX_DETAIL, NODE, cut};
use crate::config::Change;
use crate::telemetry::labels::ReloadResult;
use crate::telemetry::metrics::metrics;

/// A change of configuration or modules serves.
pub(crate) struct ReloadApplied<'a> {
    /// Of the policies, namespaces and routes.
    pub generation: u64,
    /// Keys of the configuration; none: only modules have changed.
    pub changes: &'a [Change],
}

impl ReloadApplied<'_> {
    pub(crate) fn emit(self) {
        metrics().reload(ReloadResult::Applied);
        let changes = told(self.changes);
        info!(
            target: NODE,
            generation = self.generation,
            changes = changes.as_deref().map(|it| cut(it, MAX_DETAIL)).as_deref(),
            "reload applied"
        );
    }
}

/// A change of a module or of the configuration was refused; what served before goes on serving.
pub(crate) struct ReloadFailed<'a> {
    /// `None`: the failure is the configuration's.
    pub policy: Option<&'a str>,
    pub file: &'a Path,
    pub reason: &'a str,
}

impl ReloadFailed<'_> {
    pub(crate) fn emit(self) {
        metrics().reload(ReloadResult::Failed);
        error!(
            target: NODE,
            policy = self.policy,
            file = %self.file.display(),
            reason = &*cut(self.reason, MAX_DETAIL),
            "reload failed"
        );
    }
}

/// Whoever asked for everything to be followed is told what that came to, even if it is nothing.
pub(crate) struct ReloadAnswered<'a> {
    /// How it was asked.
    pub by: &'static str,
    pub changed: bool,
    pub changes: &'a [Change],
    pub waiting: &'a [Change],
    /// What was refused, and why.
    pub refused: &'a [String],
}

impl ReloadAnswered<'_> {
    pub(crate) fn emit(self) {
        let result = match (self.refused, self.changed) {
            ([], true) => "changed",
            ([], false) => "unchanged",
            (_, true) => "changed in part",
            (_, false) => "refused",
        };
        let (changes, refused) = (told(self.changes), self.refused.join("; "));
        let refused = (!refused.is_empty()).then(|| cut(&refused, MAX_DETAIL));
        info!(
            target: NODE,
            by = self.by,
            result,
            changes = changes.as_deref().map(|it| cut(it, MAX_DETAIL)).as_deref(),
            restart_needed = keys(self.waiting).as_deref(),
            refused = refused.as_deref(),
            "reload asked for"
        );
    }
}

/// Keys of the configuration differ from what runs, and only a restart can change them. None: no more.
pub(crate) struct RestartNeeded<'a> {
    pub waiting: &'a [Change],
}

impl RestartNeeded<'_> {
    pub(crate) fn emit(self) {
        metrics().restart_needed(self.waiting.iter().map(|change| &*change.key));
        match (keys(self.waiting), told(self.waiting)) {
            (Some(keys), Some(changes)) => warn!(
                target: NODE,
                keys = &*cut(&keys, MAX_DETAIL),
                changes = &*cut(&changes, MAX_DETAIL),
                "restart needed"
            ),
            _ => info!(target: NODE, "restart no longer needed"),
        }
    }
}

fn keys(changes: &[Change]) -> Option<String> {
    let keys: Vec<_> = changes.iter().map(|change| &*change.key).collect();
    (!keys.is_empty()).then(|| keys.join(", "))
}

fn told(changes: &[Change]) -> Option<String> {
    let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
    (!changes.is_empty()).then(|| changes.join("; "))
}
