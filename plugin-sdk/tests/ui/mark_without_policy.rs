use sluice_plugin_sdk::prelude::*;

struct Plain;

impl Plain {
    #[on_event("a")]
    fn event(&mut self) {}
}

fn main() {}
