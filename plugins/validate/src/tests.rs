//! The policy as clients meet it.

mod arguments;
mod configuration;
mod escaping;
mod guide;
mod json;

use serde_json::{Value, json};
use sluice_plugin_sdk::testing::{self, Harness};
use sluice_plugin_sdk::{Denial, Verdict};

use crate::Validate;

/// With these keys for the event `e`.
fn event(keys: Value) -> Harness<Validate> {
    let mut event = json!({ "event": "e" });
    event
        .as_object_mut()
        .unwrap()
        .extend(keys.as_object().unwrap().clone());
    testing::policy(json!({ "events": [event] })).unwrap()
}

/// With this declaration for the one argument of the event `e`.
fn argument(declaration: Value) -> Harness<Validate> {
    event(json!({ "args": [declaration] }))
}

/// What has become of the arguments; they are given and returned in exactly the spelling of the text.
fn passed<'t>(policy: &mut Harness<Validate>, args: &'t str) -> std::borrow::Cow<'t, str> {
    match policy.event_text("e", args) {
        Verdict::Pass => args.into(),
        Verdict::Replace(text) => text.into(),
        other => panic!("{args}: {other:?}"),
    }
}

fn denied(policy: &mut Harness<Validate>, args: &str) -> Denial {
    let verdict = policy.event_text("e", args);
    let denial = verdict
        .denial()
        .unwrap_or_else(|| panic!("{args}: {verdict:?}"));
    assert_eq!(denial.code, "invalid_arguments");
    denial.clone()
}

fn data(denial: &Denial) -> Value {
    serde_json::from_str(denial.data.as_deref().unwrap()).unwrap()
}

/// Where and why an event with these arguments is denied.
fn reason(policy: &mut Harness<Validate>, args: &str) -> (String, String) {
    let data = data(&denied(policy, args));
    (
        data["path"].as_str().unwrap().to_owned(),
        data["reason"].as_str().unwrap().to_owned(),
    )
}

fn at(path: &str, reason: &str) -> (String, String) {
    (path.to_owned(), reason.to_owned())
}
