use sluice_plugin_sdk::prelude::*;

#[policy]
struct Aimless {
    limit: u32,
}

#[policy]
impl Aimless {
    #[on_event(self.limit)]
    fn nothing(&mut self) {}
}

fn main() {}
