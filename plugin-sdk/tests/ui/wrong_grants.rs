use sluice_plugin_sdk::prelude::*;

#[policy]
struct Greedy {}

#[policy(grants(emit, files))]
impl Greedy {
    #[on_connect]
    fn connect(&mut self) {}
}

#[policy]
struct Wordy {}

#[policy(emit)]
impl Wordy {
    #[on_connect]
    fn connect(&mut self) {}
}

fn main() {}
