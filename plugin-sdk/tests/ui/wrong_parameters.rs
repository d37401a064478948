use sluice_plugin_sdk::prelude::*;

#[policy]
struct Wrong {}

#[policy]
impl Wrong {
    #[on_connect]
    fn connect(&mut self, _call: &EventCall<'_>) -> Admission {
        Admission::Pass
    }

    #[on_event("a")]
    fn owned(&mut self, _call: EventCall<'_>) -> Verdict {
        Verdict::Pass
    }

    #[on_event("b")]
    fn both(&mut self, _all: (String,), _one: String) -> Verdict {
        Verdict::Pass
    }

    #[on_subscribe("*")]
    fn room(&mut self, _room: String) -> Subscription {
        Subscription::Pass
    }

    #[on_disconnect]
    fn gone(&mut self, _why: String) {}
}

fn main() {}
