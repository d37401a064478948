//! Appends to the arguments of every event which generation of the policy has answered.

use serde::Serialize;
use serde_json::value::RawValue;
use sluice_plugin_sdk::{EventCall, Interests, Verdict};

#[derive(Serialize)]
struct Generation<'a> {
    generation: &'a str,
}

pub(crate) fn interests() -> Interests {
    Interests::new().event_with_args("*")
}

/// The arguments that were there stay as they were written.
pub(crate) fn stamp(call: &EventCall<'_>, generation: &str) -> Verdict {
    let args: Vec<&RawValue> = match call.args() {
        Ok(args) => args,
        Err(error) => return error.into(),
    };
    let generation = match serde_json::value::to_raw_value(&Generation { generation }) {
        Ok(generation) => generation,
        Err(_) => return Verdict::Pass,
    };
    let args: Vec<&RawValue> = args.into_iter().chain([&*generation]).collect();
    Verdict::replace(&args)
}
