//! A look at a version that has just begun to serve, for as long as its settings want: one that is worse than the one
//! before is taken back.

use std::sync::Arc;
use std::time::Instant;

use super::Registry;
use crate::plugin::policy::Policy;
use crate::plugin::trial::{Cause, Tally};
use crate::telemetry::metrics::{Hook, metrics};

/// A version that is being looked at.
pub(super) struct Guard {
    pub(super) policy: Arc<Policy>,
    until: Instant,
    /// What had been counted when it began to serve.
    begin: Tally,
    /// What the version before it has said.
    before: Tally,
}

impl Registry {
    /// Takes note of a version that begins to serve.
    pub(super) fn guard(&mut self, policy: &Arc<Policy>, is_newest: bool) {
        let name = policy.name.to_string();
        let begin = so_far(policy);
        let earlier = self.begun.insert(name, begin);
        self.guards.retain(|guard| guard.policy.name != policy.name);
        // What was taken back has had its look.
        if let (Some(earlier), Some(time), true) = (earlier, policy.settings.trial.guard, is_newest)
        {
            self.guards.push(Guard {
                policy: policy.clone(),
                until: Instant::now() + time,
                begin,
                before: begin.since(earlier),
            });
        }
    }

    /// The versions that are not good enough. Whoever has been looked at for long enough is looked at no more.
    pub(super) fn worse(&mut self) -> Vec<(String, Cause)> {
        let now = Instant::now();
        let mut worse = Vec::new();
        self.guards.retain(|guard| {
            let said = so_far(&guard.policy).since(guard.begin);
            let cause = said.is_worse(Some(guard.before), &guard.policy.settings.trial);
            worse.extend(cause.map(|cause| (guard.policy.name.to_string(), cause)));
            cause.is_none() && now < guard.until
        });
        worse
    }
}

/// What all versions of a policy have said since the process began, by the metrics.
fn so_far(policy: &Policy) -> Tally {
    let hooks = [Hook::Connect, Hook::Event, Hook::Subscribe];
    let mut all = Tally::default();
    for hook in hooks.into_iter().filter(|hook| policy.has(*hook)) {
        let of = metrics().policy(&policy.name, hook);
        let count = |counts: Vec<(&str, u64)>| counts.iter().map(|(_, count)| count).sum::<u64>();
        let failures = count(of.traps());
        let denials = of.verdicts().into_iter().filter(|it| it.0 == "deny");
        all.failures += failures;
        all.calls += failures + count(of.verdicts());
        all.denials += denials.map(|it| it.1).sum::<u64>();
    }
    all
}
