use sluice_plugin_sdk::prelude::*;

struct Point;

#[policy]
struct Points {}

#[policy]
impl Points {
    #[on_event("point")]
    fn point(&mut self, _at: Point) {}
}

fn main() {}
