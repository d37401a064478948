//! A policy in a pipeline, and the new version of it that is on trial, if there is one.

use std::sync::Arc;

use crate::event::{Client, Effect};
use crate::plugin::{About, Admission, Answer, Fault, Policy, Trial};
use crate::telemetry::metrics::Hook;

#[derive(Clone)]
pub(crate) struct Step {
    pub policy: Arc<Policy>,
    pub trial: Option<Arc<Trial>>,
}

impl Step {
    /// Asks the version that decides for a client, which is told with its answer; a shadow is asked after it, and both
    /// are compared. `None`: that version does not have the hook.
    pub(super) fn ask<T: Answer>(
        &self,
        about: &About<'_>,
        effects: &mut Vec<Effect>,
        ask: impl Fn(&Policy, &mut Vec<Effect>) -> T,
    ) -> Option<(&Arc<Policy>, T)> {
        let Some(trial) = &self.trial else {
            let has = self.policy.has(about.hook);
            return has.then(|| (&self.policy, asking(&self.policy, effects, ask)));
        };
        let (policy, by_candidate) = self.decider(trial, about.client);
        let has = policy.has(about.hook);
        let said = has.then(|| asking(policy, effects, &ask));
        match trial.shadows() {
            Some(shadow) => {
                // A shadow's wishes are forgotten, as its verdict is.
                let has = shadow.has(about.hook);
                let answer = has.then(|| ask(shadow, &mut Vec::new()));
                trial.compare(about, &said, &answer);
            }
            None => trial.decided(by_candidate, &said),
        }
        said.map(|said| (policy, said))
    }

    /// As [`ask`](Self::ask), for the connect hook, which may wait for somebody else's answer.
    pub(super) async fn admit(
        &self,
        client: &Arc<Client>,
        auth: &str,
        effects: &mut Vec<Effect>,
    ) -> Option<(&Arc<Policy>, Result<Admission, Fault>)> {
        let (policy, by_candidate) = match &self.trial {
            Some(trial) => self.decider(trial, client),
            None => (&self.policy, false),
        };
        let said = match policy.has(Hook::Connect) {
            true => Some(admitting(policy, client, auth, effects).await),
            false => None,
        };
        if let Some(trial) = &self.trial {
            if let Some(shadow) = trial.shadows() {
                let answer = match shadow.has(Hook::Connect) {
                    true => Some(shadow.on_connect(client, auth, &mut Vec::new()).await),
                    false => None,
                };
                let about = About {
                    hook: Hook::Connect,
                    client,
                    name: "",
                    args: "",
                };
                trial.compare(&about, &said, &answer);
            } else {
                trial.decided(by_candidate, &said);
            }
        }
        said.map(|said| (policy, said))
    }

    /// Tells the version that decides for a client, and a shadow.
    pub(super) fn tell(
        &self,
        hook: Hook,
        client: &Client,
        effects: &mut Vec<Effect>,
        tell: impl Fn(&Policy, &mut Vec<Effect>),
    ) {
        let policy = match &self.trial {
            Some(trial) => self.decider(trial, client).0,
            None => &self.policy,
        };
        if policy.has(hook) {
            asking(policy, effects, &tell);
        }
        let shadow = self.trial.as_ref().and_then(|trial| trial.shadows());
        if let Some(shadow) = shadow.filter(|shadow| shadow.has(hook)) {
            tell(shadow, &mut Vec::new());
        }
    }

    /// The version that decides for a client, and whether it is the candidate.
    fn decider<'a>(&'a self, trial: &'a Trial, client: &Client) -> (&'a Arc<Policy>, bool) {
        match trial.decides(client.peer.token) {
            Some(candidate) => (candidate, true),
            None => (&self.policy, false),
        }
    }
}

async fn admitting(
    policy: &Policy,
    client: &Arc<Client>,
    auth: &str,
    effects: &mut Vec<Effect>,
) -> Result<Admission, Fault> {
    let before = effects.len();
    let answer = policy.on_connect(client, auth, effects).await;
    if !super::enforced(policy) {
        effects.truncate(before);
    }
    answer
}

/// Calls a policy and keeps what it wants done besides; the wishes of one whose mode is shadow are forgotten.
fn asking<T>(
    policy: &Policy,
    effects: &mut Vec<Effect>,
    ask: impl FnOnce(&Policy, &mut Vec<Effect>) -> T,
) -> T {
    let before = effects.len();
    let answer = ask(policy, effects);
    if !super::enforced(policy) {
        effects.truncate(before);
    }
    answer
}
