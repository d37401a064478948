use sluice_plugin_sdk::prelude::*;

#[policy]
struct Waiting {}

#[policy]
impl Waiting {
    #[on_event("a")]
    async fn wait(&mut self) -> Verdict {
        Verdict::Pass
    }

    #[on_event("b")]
    fn any<T>(&mut self, _value: T) -> Verdict {
        Verdict::Pass
    }
}

fn main() {}
