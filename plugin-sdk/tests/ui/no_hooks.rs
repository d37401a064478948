use sluice_plugin_sdk::prelude::*;

#[policy]
struct Idle {}

#[policy]
impl Idle {
    fn on_event(&mut self) -> Verdict {
        Verdict::Pass
    }
}

fn main() {}
