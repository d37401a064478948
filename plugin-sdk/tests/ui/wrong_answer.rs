use sluice_plugin_sdk::prelude::*;

#[policy]
struct Wrong {}

#[policy]
impl Wrong {
    #[on_event("a")]
    fn yes(&mut self) -> bool {
        true
    }

    #[on_subscribe("*")]
    fn room(&mut self, _room: &str) -> Verdict {
        Verdict::Drop
    }
}

fn main() {}
