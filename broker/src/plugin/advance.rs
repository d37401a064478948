//! Answers that a policy gives in advance: what an event rule says by itself, so that the policy need not be called.
//!
//! A policy says them while it is configured. What is not answered so is asked as ever, and an answer needs no instance:
//! it is given as well while the policy's breaker is open.

use std::cell::Cell;
use std::sync::Arc;

use super::bindings::{advance, types};
use super::host::Host;
use super::policy::{Policy, Rule, checked};
use crate::event::{Client, Coalescing, Verdict};
use crate::glob::Glob;
use crate::moment::Moment;

/// More than there may be rules: what is over is a mistake in any case.
const MOST: usize = 1 + super::activate::MAX_RULES;

/// What events of a rule are answered.
#[derive(Debug, Clone)]
pub(crate) enum Advance {
    /// They pass while the bucket allows it.
    PassWithin {
        bucket: u32,
        whom: types::Subject,
        cost: u32,
    },
    Coalesce(Coalescing),
}

/// What a policy has said of one of its rules, by the rule's number; `Err` says what is wrong with it.
#[derive(Debug)]
pub(super) struct Promise(u32, Result<Advance, String>);

impl advance::Host for Host {
    fn pass_within(&mut self, rule: u32, bucket: u32, whom: types::Subject, cost: u32) {
        let advance = Advance::PassWithin { bucket, whom, cost };
        self.promise(rule, Ok(advance));
    }

    fn coalesce(&mut self, rule: u32, how: types::Coalescing) {
        let advance = checked(how).map(Advance::Coalesce);
        self.promise(rule, advance);
    }
}

impl Host {
    /// Said in a call about a client, it means nothing.
    fn promise(&mut self, rule: u32, advance: Result<Advance, String>) {
        if self.current.is_none() && self.promises.len() < MOST {
            self.promises.push(Promise(rule, advance));
        }
    }
}

/// The event rules with what has been said of them.
pub(super) fn settle(
    promises: Vec<Promise>,
    interests: &types::Interests,
) -> Result<Vec<Rule>, String> {
    let rule = |rule: &types::EventRule| Rule {
        glob: Glob::new(&rule.name),
        args: rule.args,
        advance: None,
    };
    let mut rules: Vec<_> = interests.events.iter().map(rule).collect();
    for Promise(number, advance) in promises {
        let place = number as usize;
        let (Some(rule), Some(named)) = (rules.get_mut(place), interests.events.get(place)) else {
            let rules = rules.len();
            return Err(format!(
                "it answers in advance for event rule {number}, which is none of its {rules}"
            ));
        };
        let wrong = |why| format!("event rule `{}`, answered in advance: {why}", named.name);
        let advance = advance.map_err(wrong)?;
        if let Advance::PassWithin { bucket, .. } = advance
            && interests.buckets.len() <= bucket as usize
        {
            return Err(wrong(format!("there is no bucket {bucket}")));
        }
        if rule.advance.replace(advance).is_some() {
            return Err(wrong("it has two answers".to_owned()));
        }
    }
    Ok(rules)
}

pub(crate) fn whom_counts(subject: types::Subject) -> &'static str {
    match subject {
        types::Subject::Socket => "socket",
        types::Subject::User => "user",
        types::Subject::Address => "address",
        types::Subject::Namespace => "namespace",
        types::Subject::Global => "global",
    }
}

impl Advance {
    /// For people.
    pub(super) fn words(&self, buckets: &[types::BucketRule]) -> String {
        match self {
            Self::PassWithin {
                bucket,
                whom: subject,
                cost,
            } => {
                let bucket = buckets.get(*bucket as usize);
                let name = bucket.map_or("", |bucket| &bucket.name);
                format!(
                    "passes within `{name}` by {}, {cost} each",
                    whom_counts(*subject)
                )
            }
            Self::Coalesce(coalescing) => {
                format!("coalesced for {} ms", coalescing.window.as_millis())
            }
        }
    }
}

impl Policy {
    /// What each of its event rules answers in advance.
    pub(crate) fn in_advance_by_rule(&self) -> impl Iterator<Item = Option<&Advance>> {
        self.rules.iter().map(|rule| rule.advance.as_ref())
    }

    /// `None`: the policy has to be asked.
    pub(super) fn in_advance(
        &self,
        advance: &Advance,
        client: &Arc<Client>,
        at: &Cell<Option<Moment>>,
    ) -> Option<Verdict> {
        match advance {
            Advance::PassWithin { bucket, whom, cost } => {
                let now = at.get().unwrap_or_else(Moment::now);
                at.set(Some(now));
                let bucket = self.terms.buckets.get(*bucket as usize)?;
                let taken = self.terms.take(bucket, *whom, *cost, client, now);
                taken.allowed.then_some(Verdict::Pass(None))
            }
            Advance::Coalesce(coalescing) => Some(Verdict::Coalesce(coalescing.clone())),
        }
    }
}
