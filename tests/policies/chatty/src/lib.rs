//! Uses what the standard library offers a component, at the event `talk`: both outputs, the environment, a hash map.
//! Answers with what it found.

use std::collections::HashMap;

use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chatty {}

impl Policy for Chatty {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        Interests::new().event_with_args("talk")
    }

    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        println!("chatty says to stdout: {}", call.args_text());
        eprintln!("chatty says to stderr: {}", call.args_text());
        log::debug("chatty says to the log at debug");
        log::info("chatty says to the log at info");
        log::warn("chatty says to the log at warn");
        log::error("chatty says to the log at error");

        // Its hasher asks for a random seed.
        let mut letters = HashMap::new();
        for letter in call
            .args_text()
            .chars()
            .filter(|letter| letter.is_alphabetic())
        {
            *letters.entry(letter).or_insert(0u32) += 1;
        }
        Verdict::replace(&[Found {
            environment: std::env::vars().count(),
            arguments: std::env::args().count(),
            letters: letters.len(),
        }])
    }
}

#[derive(Serialize)]
struct Found {
    environment: usize,
    arguments: usize,
    letters: usize,
}

export!(Chatty);
