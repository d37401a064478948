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
            let add = if rule.key.needs_args() {
                Interests::event_with_args
            } else {
                Interests::event
            };
            interests = rule.events.iter().fold(interests, add);
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
    /// Made of what the rule is about and not of its window, so that a changed one goes on counting.
    fn bucket_name(&self) -> String {
        self.events.join(" ")
    }
}

export!(Throttle);
