use sluice_plugin_sdk::prelude::*;

struct Handmade {
    event: String,
}

#[policy]
impl Handmade {
    #[on_event(self.event)]
    fn pass(&mut self) {}
}

fn main() {}
