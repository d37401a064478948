use sluice_plugin_sdk::prelude::*;

#[policy]
struct Aimless {
    limit: u32,
}

#[policy]
impl Aimless {
    #[on_event]
    fn nothing(&mut self) {}

    #[on_subscribe()]
    fn no_room(&mut self) {}

    #[on_event(5)]
    fn number(&mut self) {}

    #[on_event("a", argss = false)]
    fn setting(&mut self) {}

    #[on_connect("a")]
    fn connect(&mut self) {}

    #[on_subscribe("a", advance = 1)]
    fn room(&mut self) {}
}

fn main() {}
