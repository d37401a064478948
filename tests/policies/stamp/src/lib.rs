//! Appends `{"generation": "a"}`, or what its configuration says, to the arguments of every event.

mod stamp;

use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stamp {
    #[serde(default = "generation")]
    generation: String,
}

fn generation() -> String {
    "a".to_owned()
}

impl Policy for Stamp {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        stamp::interests()
    }

    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        stamp::stamp(call, &self.generation)
    }
}

export!(Stamp);
