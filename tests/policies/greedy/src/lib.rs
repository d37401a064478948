//! Asks for a capability that it does not need.

use sluice_plugin_sdk::prelude::*;

#[policy]
struct Greedy;

#[policy(grants(emit))]
impl Greedy {
    #[on_event("greedy")]
    fn pass(&mut self) {}
}
