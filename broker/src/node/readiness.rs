//! Why the node is not ready, if it is not: one reason a cause, each with a word for programs.

use std::sync::atomic::Ordering;

use super::Node;
use crate::admin::Reason;
use crate::telemetry::metrics::Pressure;

impl Node {
    pub(super) fn reasons(&self) -> Vec<Reason> {
        let failed = self.failed.lock();
        let mut reasons: Vec<_> = failed
            .iter()
            .map(|failure| Reason {
                code: match failure.policy {
                    Some(_) => "policy_failed",
                    None => "configuration_failed",
                },
                policy: failure.policy.clone(),
                message: failure.to_string(),
            })
            .collect();
        reasons.extend(self.failing());
        let looks = self.rollout.get().is_some_and(|it| !it.has_looked());
        if looks && self.is_connected() {
            reasons.push(reason(
                "rollout_pending",
                "it is not known yet which policies the cluster serves",
            ));
        }
        let missing = self.rollout.get().map(|rollout| rollout.failing());
        reasons.extend(missing.into_iter().flatten().map(|(policy, why)| Reason {
            code: "rollout_failed",
            message: format!(
                "what the cluster serves as policy `{policy}` does not load here: {why}"
            ),
            policy: Some(policy),
        }));
        if self.blind.load(Ordering::Relaxed) {
            reasons.push(reason(
                "not_following",
                "changes of files are no longer noticed",
            ));
        }
        if self.nats.is_some() && !self.is_connected() {
            reasons.push(reason(
                "nats_disconnected",
                "there is no connection to NATS: clients of other nodes and back ends are not reached",
            ));
        } else if self
            .cluster
            .get()
            .is_some_and(|cluster| !cluster.is_heard())
        {
            reasons.push(reason(
                "nats_stalled",
                "what is sent over the connection to NATS does not come back",
            ));
        }
        if self.broker.admission.memory.pressure() != Pressure::None {
            reasons.push(reason(
                "memory",
                "the process takes nearly all the memory that server.max_memory lets it have",
            ));
        }
        if self.is_draining() {
            let what = match self.drain.is_ending() {
                true => "the node is shutting down",
                false => "the node is emptied of its clients until it is told to serve",
            };
            reasons.push(reason("draining", what));
        }
        reasons
    }
}

fn reason(code: &'static str, message: &str) -> Reason {
    Reason {
        code,
        policy: None,
        message: message.to_owned(),
    }
}
