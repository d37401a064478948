//! Accepts no configuration.

use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
struct Refuse {}

impl Policy for Refuse {
    const HOOKS: Hooks = Hooks::EVENT;

    fn configure(self) -> Result<Self, String> {
        Err("this policy refuses every configuration".to_owned())
    }
}

export!(Refuse);
