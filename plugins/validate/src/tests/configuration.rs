//! What an operator is told about a configuration that makes no sense.

use super::*;

fn error(config: Value) -> String {
    testing::policy::<Validate>(config.clone())
        .err()
        .unwrap_or_else(|| panic!("accepted: {config}"))
}

#[test]
fn a_wrong_event_says_which_key() {
    for (event, says) in [
        (json!({}), "`events[0]`: missing field `event`"),
        (
            json!({ "event": "e", "arg": [] }),
            "`events[0].arg`: unknown field",
        ),
        (
            json!({ "event": "e", "args": {} }),
            "`events[0].args`: invalid type",
        ),
        (
            json!({ "event": "e", "max_depth": 129 }),
            "`events[0].max_depth`: 129 is more than 128",
        ),
        (
            json!({ "event": "e", "args": [], "min_args": 1 }),
            "`events[0].min_args`: 1 is more than the 0",
        ),
        (
            json!({ "event": "e", "escape": "never" }),
            "`events[0].escape`: unknown variant `never`",
        ),
        (
            json!({ "event": "e", "envelope": "yes" }),
            "`events[0].envelope`: true, or a table",
        ),
        (
            json!({ "event": "e", "envelope": { "form": "x" } }),
            "`events[0].envelope`: true, or a table",
        ),
        (
            json!({ "event": "e", "envelope": { "from": "text" } }),
            "`events[0].envelope`: two of its names",
        ),
    ] {
        let error = error(json!({ "events": [event] }));
        assert!(error.contains(says), "{event}: {error}");
    }
    assert!(error(json!({})).contains("`events` is empty"));
    assert!(
        error(json!({ "events": [{ "event": "a" }, { "event": "a" }] })).contains("declared twice")
    );
    assert!(
        error(json!({ "events": [], "unknown_events": "drop" }))
            .contains("`unknown_events`: unknown variant")
    );
    assert!(testing::policy::<Validate>(json!({ "unknown_events": "deny" })).is_ok());
}

#[test]
fn a_wrong_declaration_says_which_key() {
    for (declaration, says) in [
        (
            json!({ "type": "text" }),
            "`events[0].args[0].type`: one of \"string\"",
        ),
        (
            json!({ "type": [] }),
            "`events[0].args[0].type` names no type",
        ),
        (
            json!({ "typ": "string" }),
            "`events[0].args[0].typ`: unknown field",
        ),
        (
            json!({ "type": "number", "max_length": 5 }),
            "`events[0].args[0].max_length` is about string",
        ),
        (
            json!({ "type": "string", "keys": {} }),
            "`events[0].args[0].keys` is about object",
        ),
        (
            json!({ "type": "string", "min": 1 }),
            "`events[0].args[0].min` is about number and integer",
        ),
        (
            json!({ "min_length": 5, "max_length": 4 }),
            "`events[0].args[0].min_length` is more than",
        ),
        (
            json!({ "min": 5, "max": 4 }),
            "`events[0].args[0].min` is more than",
        ),
        (
            json!({ "max_length": -1 }),
            "`events[0].args[0].max_length`: invalid value",
        ),
        (
            json!({ "non_empty": true }),
            "`events[0].args[0].non_empty` needs a `type`",
        ),
        (
            json!({ "optional": true, "required": false }),
            "`optional` and `required` say the same",
        ),
        (
            json!({ "type": "object", "unknown_keys": "deny" }),
            "`events[0].args[0].unknown_keys`: without `keys`",
        ),
        (
            json!({ "keys": { "a": {} }, "unknown_keys": "pass" }),
            "unknown_keys`: unknown variant `pass`",
        ),
        (
            json!({ "keys": { "a": { "items": { "type": "number", "escape": true } } } }),
            "`events[0].args[0].keys.a.items.escape` is about string",
        ),
        (
            json!({ "keys": { "a": { "type": 7 } } }),
            "`events[0].args[0].keys.a.type`: one of \"string\"",
        ),
    ] {
        let error = error(json!({ "events": [{ "event": "e", "args": [declaration] }] }));
        assert!(error.contains(says), "{declaration}: {error}");
    }
}

#[test]
fn a_type_follows_from_what_is_said() {
    for (declaration, good, bad) in [
        (json!({ "max_length": 5 }), "\"a\"", "1"),
        (json!({ "escape": true }), "\"a\"", "null"),
        (json!({ "max": 5 }), "1", "\"a\""),
        (json!({ "keys": {} }), "{}", "[]"),
        (json!({ "max_items": 1 }), "[]", "{}"),
    ] {
        let mut policy = argument(declaration);
        assert_eq!(policy.event_text("e", &format!("[{good}]")), Verdict::Pass);
        assert_eq!(reason(&mut policy, &format!("[{bad}]")), at("/0", "type"));
    }
}
