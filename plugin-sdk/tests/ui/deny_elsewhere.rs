use sluice_plugin_sdk::prelude::*;

fn answer() -> u32 {
    deny!("no", "Not here");
}

fn main() {}
