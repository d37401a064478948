use sluice_plugin_sdk::prelude::*;

#[policy]
struct Handmade {}

#[policy]
impl Policy for Handmade {
    const HOOKS: Hooks = Hooks::NONE;
}

fn main() {}
