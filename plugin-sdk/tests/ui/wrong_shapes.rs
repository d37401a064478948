use sluice_plugin_sdk::prelude::*;

#[policy]
struct Tuple(String);

#[policy]
struct Generic<T> {
    value: T,
}

#[policy(grants(emit))]
struct Asking {}

#[policy]
enum Either {
    One,
}

#[config(strict)]
struct Part {}

fn main() {}
