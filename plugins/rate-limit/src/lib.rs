//! Limits how often clients may send events: by user, socket or address, with limits of their own for groups of
//! events.
//!
//! `config` reads what the operator wants and turns it into `Limit`s, of which the first that matches an event counts.
//! The counting itself is the broker's, so that it is exact over all cores and outlives a reload.

mod amount;
mod config;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use sluice_plugin_sdk::prelude::*;

use amount::Amount;
use config::Config;

/// The policy.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Config")]
pub struct RateLimit {
    /// Each has the bucket of its own number.
    limits: Vec<Limit>,
    /// The limit that an event rule belongs to.
    limit_of_rule: Vec<usize>,
    /// A socket that has been denied so often is disconnected. It has the last bucket.
    disconnect_after: Option<u32>,
}

/// A limit for a group of events.
#[derive(Debug)]
struct Limit {
    /// Globs.
    events: Vec<String>,
    per: Subject,
    amount: Amount,
    cost: u32,
    code: String,
    message: String,
}

impl Policy for RateLimit {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        let mut interests = Interests::new();
        for (number, limit) in self.limits.iter().enumerate() {
            // Those within their limit pass without a call.
            let advance = Advance::within(number, limit.per, limit.cost);
            interests = limit.events.iter().fold(interests, |interests, glob| {
                interests.event_answered(glob, advance.clone())
            });
            interests = interests.bucket(limit.amount.bucket(limit.bucket_name()));
        }
        match self.disconnect_after {
            Some(denials) => interests.bucket(Bucket::tokens("denials", denials, 0.0)),
            None => interests,
        }
    }

    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        // A rule that is none of ours is a mistake of the broker; the trap leaves it to the operator's `on_error`.
        let number = self.limit_of_rule[call.rule()];
        let limit = &self.limits[number];
        let decision = take(number, limit.per, limit.cost);
        if decision.allowed {
            return Verdict::Pass;
        }
        let denial =
            Denial::new(&*limit.code, &*limit.message).retry_after_ms(decision.retry_after_ms);
        if self.has_had_enough() {
            denial.disconnect()
        } else {
            denial
        }
        .into()
    }
}

impl RateLimit {
    /// Counts a denial of this socket.
    #[cold]
    fn has_had_enough(&self) -> bool {
        self.disconnect_after.is_some() && {
            let patience = take(self.limits.len(), Subject::Socket, 1);
            !patience.allowed || patience.remaining == 0
        }
    }
}

impl Limit {
    /// Made of what the limit is about and not of how much it allows, so that a changed amount goes on counting.
    fn bucket_name(&self) -> String {
        let per = match self.per {
            Subject::User => "user",
            Subject::Socket => "socket",
            Subject::Address => "address",
            Subject::Namespace => "namespace",
            Subject::Global => "global",
        };
        format!("{per}:{}", self.events.join(" "))
    }
}

export!(RateLimit);
