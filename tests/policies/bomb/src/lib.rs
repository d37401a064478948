//! Allocates without end at the event `bomb`; every other event passes by.

use sluice_plugin_sdk::prelude::*;

#[policy]
struct Bomb;

#[policy]
impl Bomb {
    #[on_event("bomb")]
    fn burst(&mut self) -> Verdict {
        let mut kept = Vec::new();
        loop {
            kept.push(std::hint::black_box(vec![1u8; 64 * 1024]));
        }
    }
}
