//! Never answers the event `loop`; every other event passes by.

use sluice_plugin_sdk::prelude::*;

#[policy]
struct Loop;

#[policy]
impl Loop {
    #[on_event("loop")]
    fn turn(&mut self) -> Verdict {
        let mut turns = 0u64;
        loop {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
    }
}
