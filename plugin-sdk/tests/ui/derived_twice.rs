use sluice_plugin_sdk::prelude::*;

#[policy]
#[derive(Debug, Deserialize)]
struct Twice {
    event: String,
}

fn main() {}
