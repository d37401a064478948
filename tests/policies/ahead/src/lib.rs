//! Answers in advance, and otherwise when it is called: so one sees which of the two it was.

use std::time::Duration;

use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Ahead {
    /// So many of each socket's `vote`s pass.
    votes: u32,
    /// The number of the bucket for that; there is one.
    bucket: usize,
    /// Of `move`.
    window_ms: u64,
    /// What it takes from the same bucket for when it is called.
    take: String,
}

impl Default for Ahead {
    fn default() -> Self {
        Self {
            votes: 2,
            bucket: 0,
            window_ms: 1_000,
            take: "take".to_owned(),
        }
    }
}

/// The rules, in order.
const TAKE: usize = 2;
const FAIL: usize = 3;

impl Policy for Ahead {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        let window = Duration::from_millis(self.window_ms);
        Interests::new()
            .event_answered("vote", Advance::within(self.bucket, Subject::Socket, 1))
            .event_answered("move", Advance::coalesce("move", window, true))
            .event(&self.take)
            .event("fail")
            .bucket(Bucket::tokens("votes", self.votes, 0.0))
    }

    #[expect(clippy::panic, reason = "that is what it is for")]
    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        match call.rule() {
            TAKE if take(0, Subject::Socket, 1).allowed => Verdict::Pass,
            FAIL => panic!("as asked"),
            _ => Verdict::deny("called", "The policy was called"),
        }
    }
}

export!(Ahead);
