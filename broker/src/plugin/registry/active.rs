//! What serves, and what the files ask for in vain.

use std::sync::Arc;

use super::trial::OnTrial;
use super::wanted::Wanted;
use crate::config::TrustedKey;
use crate::pipeline::Step;
use crate::plugin::folder::Artifact;
use crate::plugin::module::Digest;
use crate::plugin::policy::Policy;
use crate::plugin::signature;

/// A policy that serves.
#[derive(Clone)]
pub(super) struct Active {
    pub policy: Arc<Policy>,
    pub artifact: Artifact,
    /// It serves in place of what the files ask for.
    pub instead_of: Option<Arc<Refused>>,
    pub trial: Option<OnTrial>,
}

/// What the files ask for and does not serve, for as long as they ask for just that: an operator has gone back to
/// an earlier generation, or what was uploaded could not be written.
#[derive(PartialEq)]
pub(super) struct Refused {
    pub wanted: Wanted,
    /// `None`: there is no file, or it cannot be read.
    pub digest: Option<Digest>,
}

impl Active {
    pub(super) fn new(policy: Arc<Policy>, artifact: Artifact) -> Self {
        Self {
            policy,
            artifact,
            instead_of: None,
            trial: None,
        }
    }

    pub(super) fn step(&self) -> Step {
        Step {
            policy: self.policy.clone(),
            trial: self.trial.as_ref().map(|on_trial| on_trial.trial.clone()),
        }
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.policy, &other.policy)
    }

    /// This policy, if it is to serve on given what the files ask for now.
    pub(super) fn for_files(&self, wanted: &Wanted, digest: Digest) -> Option<Self> {
        // One of another source stands elsewhere in the pipelines, whatever else is the same.
        if self.policy.module.digest == digest && *wanted == Wanted::of(&self.policy) {
            return Some(Self {
                instead_of: None,
                ..self.clone()
            });
        }
        let refused = self.instead_of.as_ref()?;
        (refused.wanted == *wanted && refused.digest == Some(digest)).then(|| self.clone())
    }

    /// Notes who vouches for it.
    pub(super) fn vouch(&self, keys: &[TrustedKey]) {
        let Artifact { bytes, signature } = &self.artifact;
        let signature = signature.as_ref().ok().and_then(|text| text.as_deref());
        let signer = signature::check(bytes, signature, keys).ok().flatten();
        self.policy.signer.store(signer.map(Arc::new));
    }

    /// Whether it was made of these settings, or stands for a policy that has them.
    pub(super) fn has_settings_of(&self, wanted: &Wanted) -> bool {
        let refused = self.instead_of.as_ref();
        self.policy.settings == wanted.settings
            || refused.is_some_and(|refused| refused.wanted.settings == wanted.settings)
    }
}
