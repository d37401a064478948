use sluice_plugin_sdk::prelude::*;

#[policy]
struct Wrong {
    names: Vec<String>,
}

#[policy]
impl Wrong {
    #[on_event("a")]
    fn none() -> Verdict {
        Verdict::Pass
    }

    #[on_event("b")]
    fn owned(self) -> Verdict {
        Verdict::Pass
    }

    #[buckets]
    fn buckets(&mut self) -> Vec<Bucket> {
        Vec::new()
    }
}

fn main() {}
