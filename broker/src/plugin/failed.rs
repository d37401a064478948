//! What could not be followed, and why.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::config;

/// Why a policy, or the configuration as a whole, is not what its file says.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    /// `None`: the failure is the configuration file's.
    pub policy: Option<String>,
    pub file: PathBuf,
    pub reason: String,
    pub since: SystemTime,
}

impl Failed {
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
    pub(super) fn of(settings: &config::Policy, reason: String) -> Self {
        Self {
            policy: Some(settings.name.clone()),
            file: settings.module.clone(),
            reason,
            since: SystemTime::now(),
        }
    }
}
