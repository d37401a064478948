//! Thins out events that come faster than anyone can use them: of those of a socket that belong together at most one in
//! a window goes on, and the last one always arrives.
//!
//! `config` reads what the operator wants. What is held back is the broker's to keep and to deliver; the policy only
//! says what belongs together. Without `key` it asks for no arguments.

mod config;
mod key;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Deserialize;
use sluice_plugin_sdk::prelude::*;

use config::Config;
use key::Key;

/// The policy.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Config")]
pub struct Throttle {
    rules: Vec<Rule>,
    /// The rule that an event rule belongs to.
    rule_of_event: Vec<usize>,
}

/// What is declared about some events.
#[derive(Debug)]
struct Rule {
    /// Globs.
    events: Vec<String>,
    window: Duration,
    key: Key,
    mode: Mode,
}

/// Which events of a window go on.
#[derive(Debug)]
enum Mode {
    /// The newest when it ends, and the first at once if `leading`.
    Newest { leading: bool },
    /// The first only; the bucket of this number says which that is.
    First { bucket: usize },
}

impl Policy for Throttle {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        let mut interests = Interests::new();
        for rule in &self.rules {
            interests = rule
                .events
                .iter()
                .fold(interests, |it, glob| rule.interest(it, glob));
            if let Mode::First { .. } = rule.mode {
                interests = interests.bucket(Bucket::window(rule.bucket_name(), 1, rule.window));
            }
        }
        interests
    }

    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        // A rule that is none of ours is a mistake of the broker; the trap leaves it to the operator's `on_error`.
        let rule = &self.rules[self.rule_of_event[call.rule()]];
        match rule.mode {
            Mode::Newest { leading } => Verdict::Coalesce {
                key: rule.key.of(call),
                window: rule.window,
                leading,
            },
            Mode::First { bucket } if take(bucket, Subject::Socket, 1).allowed => Verdict::Pass,
            Mode::First { .. } => Verdict::Drop,
        }
    }
}

impl Rule {
    /// What can be told without the event needs no call.
    fn interest(&self, interests: Interests, glob: &str) -> Interests {
        let advance = match (&self.mode, self.key.of_all()) {
            (Mode::Newest { leading }, Some(key)) => Advance::coalesce(key, self.window, *leading),
            (Mode::First { bucket }, _) => Advance::within(*bucket, Subject::Socket, 1),
            _ if self.key.needs_args() => return interests.event_with_args(glob),
            _ => return interests.event(glob),
        };
        interests.event_answered(glob, advance)
    }

    /// Made of what the rule is about and not of its window, so that a changed one goes on counting.
    fn bucket_name(&self) -> String {
        self.events.join(" ")
    }
}

export!(Throttle);
