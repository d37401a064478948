//! Asks for a capability that it does not need.

use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Greedy {}

impl Policy for Greedy {
    const HOOKS: Hooks = Hooks::EVENT;
    const CAPABILITIES: Capabilities = Capabilities::EMIT;

    fn interests(&self) -> Interests {
        Interests::new().event("greedy")
    }
}

export!(Greedy);
