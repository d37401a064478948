//! Checks the arguments of events against what the operator declares, escapes HTML in chosen texts, and can wrap a
//! message into an envelope that says who sent it and when.
//!
//! One pass over the text of the arguments does all of it: `walk` follows the declarations (`schema`), copies nothing
//! unless something has to be replaced, and ends at the first `violation`. What is not
//! replaced stays byte for byte as the client wrote it. `config` reads the declarations.

mod config;
mod envelope;
mod schema;
#[cfg(test)]
mod tests;
mod violation;
mod walk;

use serde::Deserialize;
use sluice_plugin_sdk::prelude::*;

use config::Config;
use envelope::Envelope;
use schema::{EscapeOrder, Schema};
use walk::Walk;

/// The policy.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Config")]
pub struct Validate {
    events: Vec<EventRule>,
    /// Whether events that no rule is about are denied.
    deny_unknown: bool,
}

/// What is declared about the events that a glob matches.
#[derive(Debug)]
struct EventRule {
    /// The glob.
    event: String,
    args: Vec<Schema>,
    min_args: usize,
    max_args: usize,
    max_depth: u32,
    escape: EscapeOrder,
    envelope: Option<Envelope>,
    /// In place of the message that says what is wrong.
    message: Option<String>,
}

impl Policy for Validate {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        let globs = self.events.iter().map(|rule| &rule.event);
        let interests = globs.fold(Interests::new(), Interests::event_with_args);
        if self.deny_unknown {
            interests.event("*")
        } else {
            interests
        }
    }

    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        let Some(rule) = self.events.get(call.rule()) else {
            return Denial::new("unknown_event", "There is no such event").into();
        };
        match Walk::new(rule, call).run() {
            Ok(None) => Verdict::Pass,
            Ok(Some(args)) => Verdict::replace_text(args),
            Err(violation) => violation.denial(rule.message.as_deref()).into(),
        }
    }
}

export!(Validate);
