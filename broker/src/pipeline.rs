//! The ordered policies of a namespace, and the table of all namespaces that an event consults exactly once.
//!
//! The table is replaced as a whole: whoever holds one sees one consistent set of policies and routes.

use std::sync::Arc;

use crate::config::{self, Failure, Mode};
use crate::event::{Client, Code, Denial, Event, Verdict};
use crate::plugin::{Admission, DisconnectReason, Policy};
use crate::telemetry::metrics::{Hook, VerdictKind};

/// All namespaces with their policies and routes, as of one generation of the configuration.
#[derive(Default)]
pub(crate) struct Pipelines {
    pub generation: u64,
    /// Every active policy, whether or not a namespace has it, in their order.
    policies: Vec<Arc<Policy>>,
    pipelines: Vec<Arc<Pipeline>>,
    matcher: matchit::Router<usize>,
}

/// One namespace of the configuration; a pattern such as `/org-{id}` serves many.
pub(crate) struct Pipeline {
    pub namespace: config::Namespace,
    pub policies: Vec<Arc<Policy>>,
}

// === impl Pipelines ===

impl Pipelines {
    /// `Err` names a pattern that stands against another one.
    pub(crate) fn new(
        generation: u64,
        policies: Vec<Arc<Policy>>,
        pipelines: Vec<Pipeline>,
    ) -> Result<Self, String> {
        let mut matcher = matchit::Router::new();
        for (index, pipeline) in pipelines.iter().enumerate() {
            matcher
                .insert(pipeline.namespace.path.as_str(), index)
                .map_err(|error| format!("{}: {error}", pipeline.namespace.path))?;
        }
        Ok(Self {
            generation,
            policies,
            pipelines: pipelines.into_iter().map(Arc::new).collect(),
            matcher,
        })
    }

    /// The pipeline that serves a namespace; `None`: there is no such namespace.
    pub(crate) fn at(&self, namespace: &str) -> Option<&Arc<Pipeline>> {
        let index = *self.matcher.at(namespace).ok()?.value;
        self.pipelines.get(index)
    }

    pub(crate) fn all(&self) -> &[Arc<Pipeline>] {
        &self.pipelines
    }

    pub(crate) fn policies(&self) -> &[Arc<Policy>] {
        &self.policies
    }
}

// === impl Pipeline ===

impl Pipeline {
    /// Asks the policies, in order, whether a client may connect, and gathers who it is.
    pub(crate) fn admit(&self, client: &Arc<Client>, auth: &str) -> Result<(), Denial> {
        for policy in self.having(Hook::Connect) {
            match policy.on_connect(client, auth) {
                Ok(Admission::Pass) => policy.count(Hook::Connect, VerdictKind::Pass),
                Ok(Admission::Accept(identity)) => {
                    policy.count(Hook::Connect, VerdictKind::Accept);
                    if enforced(policy) {
                        client.identity.write().merge(identity);
                    }
                }
                Ok(Admission::Deny(denial)) => {
                    policy.count(Hook::Connect, VerdictKind::Deny);
                    if enforced(policy) {
                        return Err(denial);
                    }
                }
                Err(_) => failed(policy, policy.settings.on_error.connect)?,
            }
        }
        Ok(())
    }

    /// Passes an event through the policies. The first verdict that stops, stops.
    pub(crate) fn judge(&self, client: &Arc<Client>, mut event: Event, wants_ack: bool) -> Judged {
        let mut replaced = false;
        for policy in self.having(Hook::Event) {
            let verdict = match policy.on_event(client, &event, wants_ack, replaced) {
                None => continue,
                Some(verdict) => verdict,
            };
            match verdict {
                Ok(Verdict::Pass(None)) => policy.count(Hook::Event, VerdictKind::Pass),
                Ok(Verdict::Pass(Some(args))) => {
                    policy.count(Hook::Event, VerdictKind::Replace);
                    if enforced(policy) {
                        event.args = args;
                        replaced = true;
                    }
                }
                Ok(Verdict::Deny(denial)) => {
                    policy.count(Hook::Event, VerdictKind::Deny);
                    if enforced(policy) {
                        return Judged::Denied(event, denial);
                    }
                }
                Ok(Verdict::Drop) => {
                    policy.count(Hook::Event, VerdictKind::Drop);
                    if enforced(policy) {
                        return Judged::Dropped;
                    }
                }
                Err(_) => {
                    if let Err(denial) = failed(policy, policy.settings.on_error.event) {
                        return Judged::Denied(event, denial);
                    }
                }
            }
        }
        Judged::Passed(event)
    }

    /// Tells the policies that a client is gone.
    pub(crate) fn farewell(&self, client: &Arc<Client>, reason: DisconnectReason) {
        for policy in self.having(Hook::Disconnect) {
            policy.on_disconnect(client, reason);
        }
    }

    fn having(&self, hook: Hook) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.iter().filter(move |policy| policy.has(hook))
    }
}

/// An event after the pipeline.
#[derive(Debug)]
pub(crate) enum Judged {
    Passed(Event),
    Denied(Event, Denial),
    Dropped,
}

fn enforced(policy: &Policy) -> bool {
    policy.settings.mode == Mode::Enforce
}

/// What a failed call means, by the policy's `on_error`. It has been logged and counted where it failed.
fn failed(policy: &Policy, failure: Failure) -> Result<(), Denial> {
    match failure {
        // A shadow decides nothing, not even by failing.
        Failure::Deny if enforced(policy) => Err(Denial::broker(
            Code::PolicyFailed,
            format!("policy `{}` failed", policy.name),
        )),
        Failure::Deny | Failure::Allow => Ok(()),
    }
}
