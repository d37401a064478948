//! What could not be followed, and why.

use std::path::PathBuf;
use std::time::SystemTime;

use super::policy::Source;
use crate::config::{self, Mode};

/// Why a policy, or the configuration as a whole, is not what its file says.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    /// `None`: the failure is the configuration file's.
    pub policy: Option<String>,
    /// Where the policy is asked for, and how it is to run.
    pub asked: Option<(Source, Mode)>,
    pub file: PathBuf,
    pub reason: String,
    pub since: SystemTime,
}

impl Failed {
    /// It is that of a policy which the configuration names.
    pub(crate) fn is_configured(&self) -> bool {
        matches!(self.asked, Some((Source::Configured, _)))
    }

    /// The same failure, perhaps noticed at another time.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.policy, &self.file, &self.reason) == (&other.policy, &other.file, &other.reason)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.policy {
            Some(policy) => write!(
                f,
                "policy `{policy}`: {}: {}",
                self.file.display(),
                self.reason
            ),
            None => write!(f, "{}: {}", self.file.display(), self.reason),
        }
    }
}

impl Failed {
    pub(super) fn of(settings: &config::Policy, source: Source, reason: String) -> Self {
        Self {
            policy: Some(settings.name.clone()),
            asked: Some((source, settings.mode)),
            file: settings.module.clone(),
            reason,
            since: SystemTime::now(),
        }
    }
}
