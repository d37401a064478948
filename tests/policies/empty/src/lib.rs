//! Lets everything pass without looking: what is left is the cost of a call.

use sluice_plugin_sdk::prelude::*;

/// `events`: a glob over what it is called for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {
    events: String,
}

impl Policy for Empty {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        Interests::new().event(&self.events)
    }
}

export!(Empty);
