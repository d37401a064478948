//! Denies every event with the code `closed`.

use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
struct Closed {}

impl Policy for Closed {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        Interests::new().event("*")
    }

    fn on_event(&mut self, _: &EventCall<'_>) -> Verdict {
        Denial::new("closed", "Closed for all events").into()
    }
}

export!(Closed);
