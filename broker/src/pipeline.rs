//! The ordered policies of a namespace, and the table of all namespaces that an event consults exactly once.
//!
//! The table is replaced as a whole: whoever holds one sees one consistent set of policies and routes. A [`Step`] is a
//! policy in a pipeline with what is on trial beside it.

mod step;
mod traced;

use std::cell::Cell;
use std::sync::Arc;

use crate::config::{self, Failure, Mode};
use crate::event::{Client, Coalescing, Code, Denial, Effect, Event, Verdict};
use crate::moment::Moment;
use crate::plugin::{About, Admission, Answer as _, Asked, DisconnectReason, Policy, Trial};
use crate::telemetry::metrics::{Hook, VerdictKind};
use crate::telemetry::trace;
pub(crate) use step::Step;
use traced::Said;

/// All namespaces with their policies and routes, as of one generation of the configuration.
#[derive(Default)]
pub(crate) struct Pipelines {
    pub generation: u64,
    /// Every active policy, whether or not a namespace has it, in their order.
    policies: Vec<Step>,
    pipelines: Vec<Arc<Pipeline>>,
    matcher: matchit::Router<usize>,
    /// Back ends or clients want to know of the sockets of some namespace.
    pub tells: bool,
}

/// One namespace of the configuration; a pattern such as `/org-{id}` serves many.
pub(crate) struct Pipeline {
    pub namespace: config::Namespace,
    pub steps: Vec<Step>,
}

// === impl Pipelines ===

impl Pipelines {
    /// `Err` names a pattern that stands against another one.
    pub(crate) fn new(
        generation: u64,
        policies: Vec<Step>,
        pipelines: Vec<Pipeline>,
    ) -> Result<Self, String> {
        let mut matcher = matchit::Router::new();
        for (index, pipeline) in pipelines.iter().enumerate() {
            matcher
                .insert(pipeline.namespace.path.as_str(), index)
                .map_err(|error| format!("{}: {error}", pipeline.namespace.path))?;
        }
        Ok(Self {
            tells: pipelines
                .iter()
                .any(|it| it.namespace.lifecycle.is_some() || it.namespace.presence().is_some()),
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

    pub(crate) fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.iter().map(|step| &step.policy)
    }

    /// What is on trial beside a policy.
    pub(crate) fn trial(&self, policy: &str) -> Option<&Arc<Trial>> {
        let step = self.policies.iter().find(|it| *it.policy.name == *policy)?;
        step.trial.as_ref()
    }

    /// Whatever a thread may have instances of.
    pub(crate) fn versions(&self) -> Vec<Arc<Policy>> {
        let candidates = self.policies.iter().filter_map(|step| step.trial.as_ref());
        let candidates = candidates.map(|trial| &trial.candidate);
        self.policies().chain(candidates).cloned().collect()
    }
}

// === impl Pipeline ===

impl Pipeline {
    /// Asks the policies, in order, whether a client may connect, and gathers who it is. Waits for those that ask
    /// somebody else, and is done at once where there are none.
    pub(crate) async fn admit(
        &self,
        client: &Arc<Client>,
        auth: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Denial> {
        for step in &self.steps {
            let span = trace::open("policy");
            let Some((policy, answer)) = step.admit(client, auth, effects).await else {
                continue;
            };
            traced::called(span, policy, Hook::Connect, || match &answer {
                Ok(Admission::Pass) => Said::verdict("pass"),
                Ok(Admission::Accept(_)) => Said::verdict("accept"),
                Ok(Admission::Deny(denial)) => Said::deny(denial),
                Err(fault) => Said::failed(fault),
            });
            match answer {
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

    /// Passes an event through the policies that it has not passed yet. The first verdict that stops, stops.
    pub(crate) fn judge(
        &self,
        client: &Arc<Client>,
        mut passage: Passage,
        effects: &mut Vec<Effect>,
    ) -> Judged {
        let at = Cell::new(None);
        while let Some(step) = self.steps.get(passage.next) {
            passage.next += 1;
            let asked = passage.asked(&at);
            let about = About {
                hook: Hook::Event,
                client,
                name: &asked.event.name,
                args: &asked.event.args,
            };
            let span = trace::open("policy");
            let asked = step.ask(&about, effects, |policy, effects| {
                policy.on_event(client, &asked, effects)
            });
            let Some((policy, Some(verdict))) = asked else {
                continue;
            };
            traced::called(span, policy, Hook::Event, || match &verdict {
                Ok(Verdict::Deny(denial)) => Said::deny(denial),
                Ok(_) => Said::verdict(verdict.kind().map_or("", VerdictKind::as_str)),
                Err(fault) => Said::failed(fault),
            });
            if let Some(kind) = verdict.kind() {
                policy.count(Hook::Event, kind);
            }
            match verdict {
                Err(_) => {
                    if let Err(denial) = failed(policy, policy.settings.on_error.event) {
                        return Judged::Denied(passage.event, denial);
                    }
                }
                Ok(_) if !enforced(policy) => {}
                Ok(Verdict::Pass(None)) => {}
                Ok(Verdict::Pass(Some(args))) => {
                    passage.event.args = args;
                    passage.replaced = true;
                }
                Ok(Verdict::Deny(denial)) => return Judged::Denied(passage.event, denial),
                Ok(Verdict::Drop) => return Judged::Dropped,
                Ok(Verdict::Reply(args)) => return Judged::Answered(args),
                Ok(Verdict::Coalesce(coalescing)) => {
                    return Judged::Coalesced(passage, policy.key, coalescing);
                }
            }
        }
        Judged::Passed(passage.event)
    }

    /// Asks the policies, in order, whether a client may join a room.
    pub(crate) fn subscribe(
        &self,
        client: &Arc<Client>,
        room: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Denial> {
        let about = About {
            hook: Hook::Subscribe,
            client,
            name: room,
            args: "",
        };
        for step in &self.steps {
            let span = trace::open("policy");
            let asked = step.ask(&about, effects, |policy, effects| {
                policy.on_subscribe(client, room, effects)
            });
            let Some((policy, Some(answer))) = asked else {
                continue;
            };
            traced::called(span, policy, Hook::Subscribe, || match &answer {
                Ok(Ok(())) => Said::verdict("pass"),
                Ok(Err(denial)) => Said::deny(denial),
                Err(fault) => Said::failed(fault),
            });
            match answer {
                Ok(Ok(())) => policy.count(Hook::Subscribe, VerdictKind::Pass),
                Ok(Err(denial)) => {
                    policy.count(Hook::Subscribe, VerdictKind::Deny);
                    if enforced(policy) {
                        return Err(denial);
                    }
                }
                Err(_) => failed(policy, policy.settings.on_error.subscribe)?,
            }
        }
        Ok(())
    }

    /// Tells the policies that a client is gone.
    pub(crate) fn farewell(
        &self,
        client: &Arc<Client>,
        reason: DisconnectReason,
        effects: &mut Vec<Effect>,
    ) {
        for step in &self.steps {
            step.tell(Hook::Disconnect, client, effects, |policy, effects| {
                // A failure is logged and counted where it happens, and there is nobody left to tell.
                let _ = policy.on_disconnect(client, reason, effects);
            });
        }
    }
}

/// An event on its way through the policies.
#[derive(Debug)]
pub(crate) struct Passage {
    pub event: Event,
    /// Its number among the events of its socket.
    number: u64,
    wants_ack: bool,
    replaced: bool,
    /// The policy that comes next.
    next: usize,
}

impl Passage {
    pub(crate) fn new(event: Event, number: u64, wants_ack: bool) -> Self {
        Self {
            event,
            number,
            wants_ack,
            replaced: false,
            next: 0,
        }
    }

    fn asked<'a>(&'a self, at: &'a Cell<Option<Moment>>) -> Asked<'a> {
        Asked {
            event: &self.event,
            number: self.number,
            wants_ack: self.wants_ack,
            replaced: self.replaced,
            at,
        }
    }
}

/// An event after the pipeline.
#[derive(Debug)]
pub(crate) enum Judged {
    Passed(Event),
    Denied(Event, Denial),
    Dropped,
    /// By the policy of this key. The rest of them judges it when it is due.
    Coalesced(Passage, u64, Coalescing),
    /// With the arguments of an acknowledgement.
    Answered(Arc<str>),
}

impl Judged {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Passed(_) => "pass",
            Self::Denied(..) => "deny",
            Self::Dropped => "drop",
            Self::Coalesced(..) => "coalesce",
            Self::Answered(_) => "reply",
        }
    }
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
