//! Never answers the event `loop`; every other event passes by.

use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Loop {}

impl Policy for Loop {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        Interests::new().event("loop")
    }

    fn on_event(&mut self, _call: &EventCall<'_>) -> Verdict {
        let mut turns = 0u64;
        loop {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
    }
}

export!(Loop);
