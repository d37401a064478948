//! Adds to events what the broker knows and a client could only claim: the time, who sent it, the ids of socket and
//! event.
//!
//! `config` reads what the operator wants, `source` is where a value comes from, and `insert` puts the values into the
//! text of the arguments in one pass: what is not replaced stays byte for byte as the client wrote it.

mod config;
mod insert;
mod source;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use sluice_plugin_sdk::prelude::*;

use config::Config;
use source::Source;

/// The policy.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Config")]
pub struct Enrich {
    rules: Vec<Rule>,
    /// The rule that an event rule belongs to.
    rule_of_event: Vec<usize>,
}

/// What is added to some events.
#[derive(Debug)]
struct Rule {
    /// Globs.
    events: Vec<String>,
    fields: Vec<Field>,
    place: Place,
}

/// A key, and what it says.
#[derive(Debug)]
struct Field {
    key: String,
    /// The key as JSON, with the colon behind it.
    json: String,
    source: Source,
}

/// Where the fields go.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// Into the first argument that is an object; into a further one where none is.
    FirstObject,
    /// Into an object of their own, which takes the place of this argument.
    Argument(usize),
}

impl Policy for Enrich {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        let globs = self.rules.iter().flat_map(|rule| &rule.events);
        globs.fold(Interests::new(), Interests::event_with_args)
    }

    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        // A rule that is none of ours is a mistake of the broker; the trap leaves it to the operator's `on_error`.
        let rule = &self.rules[self.rule_of_event[call.rule()]];
        let arguments = match rule.place {
            Place::FirstObject => insert::into_object(call, &rule.fields),
            Place::Argument(number) => insert::as_argument(call, number, &rule.fields),
        };
        match arguments {
            Ok(text) => Verdict::replace_text(text),
            Err(policy_json::Malformed) => {
                Denial::new("invalid_arguments", "The arguments are not JSON").into()
            }
        }
    }
}

export!(Enrich);
