use sluice_plugin_sdk::prelude::*;

#[policy]
struct Misspelt {}

#[policy]
impl Misspelt {
    #[on_message("hello")]
    fn hello(&mut self) -> Verdict {
        Verdict::Pass
    }
}

fn main() {}
