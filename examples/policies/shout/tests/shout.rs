//! The same policy that the broker runs as WebAssembly, run natively.

use serde_json::json;
use shout::Shout;
use sluice_plugin_sdk::{Verdict, testing};

#[test]
fn a_text_is_delivered_in_capitals() {
    let mut shout = testing::policy::<Shout>(json!({ "event": "message" })).unwrap();
    assert_eq!(
        shout.event("message", json!(["hello"])),
        Verdict::replace(&["HELLO"])
    );
    assert_eq!(shout.event("other", json!(["hello"])), Verdict::Pass);
}

#[test]
fn what_is_no_text_is_refused() {
    let mut shout = testing::policy::<Shout>(json!({ "event": "message" })).unwrap();
    let verdict = shout.event("message", json!([{ "text": "hello" }]));
    assert_eq!(verdict.denial().unwrap().code, "invalid_arguments");
}

#[test]
fn a_wrong_key_is_named() {
    let error = testing::policy::<Shout>(json!({ "evnt": "message" }))
        .err()
        .unwrap();
    assert!(error.starts_with("`evnt`: unknown field"), "{error}");
}
