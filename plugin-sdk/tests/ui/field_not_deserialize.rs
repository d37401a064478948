use sluice_plugin_sdk::prelude::*;

struct Secret;

#[policy]
struct Keeper {
    secret: Secret,
}

#[policy]
impl Keeper {
    #[on_connect]
    fn connect(&mut self) {}
}

fn main() {}
