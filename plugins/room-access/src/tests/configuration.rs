//! Every mistake names its key.

use serde_json::{Value, json};
use sluice_plugin_sdk::testing;

use crate::RoomAccess;

#[test]
fn a_wrong_configuration_says_which_key() {
    let with = |rule: Value| json!({ "rules": [{ "room": "a" }, rule] });
    let event =
        |table: Value| json!({ "publish": [{ "event": "a", "room": "/0" }, table], "rules": [] });
    for (config, says) in [
        (
            json!({ "default": "allow" }),
            "`rules` is empty, so everyone could",
        ),
        (
            json!({ "default": "maybe" }),
            "`default`: \"allow\" or \"deny\", or a table",
        ),
        (
            json!({ "default": { "read": "deny" } }),
            "`default`: \"allow\" or \"deny\", or a table",
        ),
        (json!({ "rule": [] }), "`rule`: unknown field"),
        (with(json!({})), "`rules[1]`: missing field `room`"),
        (with(json!({ "room": [] })), "`rules[1].room` is empty"),
        (with(json!({ "room": "" })), "`rules[1].room`: it is empty"),
        (
            with(json!({ "room": 7 })),
            "`rules[1].room`: a text or a list",
        ),
        (
            with(json!({ "room": "user:{name}" })),
            "`rules[1].room`: \"user:{name}\" has `{name}`",
        ),
        (
            with(json!({ "room": "user:{user" })),
            "`rules[1].room`: \"user:{user\" has a `{`",
        ),
        (with(json!({ "room": "{us*er}" })), "has a `{` without"),
        (
            with(json!({ "room": "{attributes.}" })),
            "has `{attributes.}`",
        ),
        (
            with(json!({ "room": "a", "actions": [] })),
            "`rules[1].actions` is empty",
        ),
        (
            with(json!({ "room": "a", "actions": ["read"] })),
            "`rules[1].actions[0]`: unknown variant `read`",
        ),
        (
            with(json!({ "room": "a", "actions": ["join", "publish"] })),
            "`rules[1].actions`: \"publish\" needs `publish`",
        ),
        (
            with(json!({ "room": "a", "actions": ["leave"] })),
            "`rules[1].actions`: \"leave\" needs `leave`",
        ),
        (
            with(json!({ "room": "a", "actions": ["join"], "member": true })),
            "`rules[1].member`: whoever joins",
        ),
        (
            with(json!({ "room": "a", "user": [] })),
            "`rules[1].user` is empty",
        ),
        (
            with(json!({ "room": "a", "where": { "role": [] } })),
            "`rules[1].where.role` is empty",
        ),
        (
            with(json!({ "room": "a", "effect": "forbid" })),
            "`rules[1].effect`: unknown variant",
        ),
        (
            with(json!({ "room": "a", "rooms": "b" })),
            "`rules[1].rooms`: unknown field",
        ),
        (
            event(json!({ "event": "b" })),
            "`publish[1]`: missing field `room`",
        ),
        (
            event(json!({ "event": "b", "room": "" })),
            "`publish[1].room`: it is empty",
        ),
        (
            event(json!({ "event": "b", "room": "/room" })),
            "`publish[1].room`: \"/room\" is no",
        ),
        (
            event(json!({ "event": "b", "room": "/0/~" })),
            "`publish[1].room`: \"/0/~\" is no",
        ),
        (
            event(json!({ "event": [], "room": "/0" })),
            "`publish[1].event` is empty",
        ),
        (
            event(json!({ "event": "a", "room": "/1" })),
            "`publish[1].event`: \"a\" is there twice",
        ),
        (
            json!({
                "leave": [{ "event": "x", "room": "/0" }],
                "publish": [{ "event": "x", "room": "/0" }],
            }),
            "`publish[0].event`: \"x\" is there twice",
        ),
    ] {
        let error = testing::policy::<RoomAccess>(config.clone()).err().unwrap();
        assert!(error.contains(says), "{config}: {error}");
    }
}

#[test]
fn without_rules_everything_is_denied() {
    assert!(testing::policy::<RoomAccess>(json!({})).is_ok());
}
