//! Allocates without end at the event `bomb`; every other event passes by.

use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bomb {}

impl Policy for Bomb {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        Interests::new().event("bomb")
    }

    fn on_event(&mut self, _call: &EventCall<'_>) -> Verdict {
        let mut kept = Vec::new();
        loop {
            kept.push(std::hint::black_box(vec![1u8; 64 * 1024]));
        }
    }
}

export!(Bomb);
