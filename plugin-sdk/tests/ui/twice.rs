use sluice_plugin_sdk::prelude::*;

#[policy]
struct Twice {}

#[policy]
impl Twice {
    #[on_connect]
    fn first(&mut self) -> Admission {
        Admission::Pass
    }

    #[on_connect]
    fn second(&mut self) -> Admission {
        Admission::Pass
    }

    #[on_event("a")]
    #[on_event("b")]
    fn both(&mut self) -> Verdict {
        Verdict::Pass
    }
}

fn main() {}
