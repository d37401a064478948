//! Panics at the event `panic` and overflows its stack at `recurse`; every other event passes by.

use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Panic {}

impl Policy for Panic {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        Interests::new().event("panic").event("recurse")
    }

    #[expect(clippy::panic, reason = "what it is for")]
    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        if call.rule() == 0 {
            panic!("asked to");
        }
        Denial::new("depth", deeper(0).to_string()).into()
    }
}

/// Something is left to do after the call, and the frame is in use, so that no compiler makes a loop of it.
#[expect(unconditional_recursion, reason = "what it is for")]
fn deeper(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    deeper(depth + 1) + std::hint::black_box(frame)[7]
}

export!(Panic);
