//! Another build of `fixture-stamp`, which appends `{"generation": "b"}`: swapping the modules shows which one answered.
//!
//! The code is shared as a file. As a library it would bring its own exports, and a component has each of them once.

#[path = "../../stamp/src/stamp.rs"]
mod stamp;

use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StampB {
    #[serde(default = "generation")]
    generation: String,
}

fn generation() -> String {
    "b".to_owned()
}

impl Policy for StampB {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        stamp::interests()
    }

    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        stamp::stamp(call, &self.generation)
    }
}

export!(StampB);
