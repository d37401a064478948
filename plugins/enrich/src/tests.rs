//! The policy as clients meet it.

use serde_json::{Value, json};
use sluice_plugin_sdk::Verdict;
use sluice_plugin_sdk::testing::{self, Harness};

use crate::Enrich;

/// With these keys for the event `e`.
fn policy(keys: Value) -> Harness<Enrich> {
    let mut event = json!({ "event": "e" });
    event
        .as_object_mut()
        .unwrap()
        .extend(keys.as_object().unwrap().clone());
    testing::policy(json!({ "events": [event] })).unwrap()
}

/// With the user and nothing else under the key `from`.
fn from() -> Harness<Enrich> {
    policy(json!({ "fields": { "from": "user" } }))
}

fn sent(policy: &mut Harness<Enrich>, args: &str) -> String {
    match policy.socket("s").user("alice").event_text("e", args) {
        Verdict::Replace(text) => text,
        other => panic!("{args}: {other:?}"),
    }
}

#[test]
fn an_event_says_when_who_and_which() {
    let mut policy = policy(json!({}));
    policy.clock().set_ms(1_700_000_000_123);
    let text = sent(&mut policy, r#"[{"text":"hi"}]"#);
    let args: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(args[0]["text"], "hi");
    assert_eq!(args[0]["ts"], 1_700_000_000_123_u64);
    assert_eq!(args[0]["user"], "alice");
    for id in ["id", "socket"] {
        assert!(!args[0][id].as_str().unwrap().is_empty());
    }
    assert_eq!(args[0].as_object().unwrap().len(), 5);
    let again: Value = serde_json::from_str(&sent(&mut policy, "[{}]")).unwrap();
    assert_eq!(again[0]["socket"], args[0]["socket"]);
    assert_ne!(again[0]["id"], args[0]["id"], "every event has its own");
}

#[test]
fn fields_have_the_names_that_they_are_given() {
    let mut policy = policy(json!({ "fields": {
        "at": "iso_time", "who": "user", "plan": "attributes.plan", "none": "attributes.none",
        "ip": "address", "ns": "namespace", "kind": "event", "\"": "time",
    } }));
    policy.clock().set_ms(1_700_000_000_123);
    let client = policy.socket("s").user("al\"ice").attribute("plan", "pro");
    let client = client.address("192.0.2.1").namespace("/chat");
    let Verdict::Replace(text) = client.event_text("e", "[{}]") else {
        panic!()
    };
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!([{
            "at": "2023-11-14T22:13:20.123Z", "who": "al\"ice", "plan": "pro", "none": null,
            "ip": "192.0.2.1", "ns": "/chat", "kind": "e", "\"": 1_700_000_000_123_u64,
        }])
    );
}

#[test]
fn what_nobody_has_given_the_client_is_null() {
    let verdict = from().socket("s").event_text("e", r#"[{"from":"admin"}]"#);
    assert_eq!(verdict, Verdict::Replace(r#"[{"from":null}]"#.to_owned()));
}

#[test]
fn a_client_cannot_forge_a_field() {
    for args in [
        r#"[{"from":"admin"}]"#,
        r#"[{"from":"admin","from":"root"}]"#,
        r#"[{"\u0066rom":"admin"}]"#,
        r#"[{"fro\u006D":{"deep":["admin"]}}]"#,
        r#"[ { "from" : "admin" } ]"#,
        r#"[{"from":"admin","\u0066\u0072\u006f\u006d":1,"from":{}}]"#,
    ] {
        let text = sent(&mut from(), args);
        assert_eq!(text.matches("from").count(), 1, "{text}");
        assert!(!text.contains("admin") && !text.contains("root"), "{text}");
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!([{ "from": "alice" }])
        );
    }
}

#[test]
fn all_else_stays_as_it_was_written() {
    for (args, wanted) in [
        (r#"[{}]"#, r#"[{"from":"alice"}]"#),
        (r#"[ { } ]"#, r#"[ {"from":"alice"} ]"#),
        (r#"[{"a":1}]"#, r#"[{"a":1,"from":"alice"}]"#),
        (
            r#"[{"a":1.50e0, "from":"x","b" : [ {"from":"inner"} ]}, {"from":"second"}]"#,
            r#"[{"a":1.50e0,"b" : [ {"from":"inner"} ],"from":"alice"}, {"from":"second"}]"#,
        ),
        (r#"[{"from":1,"a":2}]"#, r#"[{"a":2,"from":"alice"}]"#),
        (
            r#"["hi",{"a":"}\"]"},3]"#,
            r#"["hi",{"a":"}\"]","from":"alice"},3]"#,
        ),
        (
            r#"[123456789012345678901234567890,{"é":"\u00e9"}]"#,
            r#"[123456789012345678901234567890,{"é":"\u00e9","from":"alice"}]"#,
        ),
        // No object at all: a further one.
        ("[]", r#"[{"from":"alice"}]"#),
        (r#"["hi"]"#, r#"["hi",{"from":"alice"}]"#),
        (
            r#"[[{"from":1}],null , 7 ]"#,
            r#"[[{"from":1}],null , 7 ,{"from":"alice"}]"#,
        ),
    ] {
        assert_eq!(sent(&mut from(), args), wanted, "{args}");
    }
}

#[test]
fn an_attachment_is_no_object() {
    let mut policy = from();
    let args = r#"[{"_placeholder":true,"num":0}]"#;
    let with = policy.socket("s").attachment(vec![1]).event_text("e", args);
    assert_eq!(
        with,
        Verdict::Replace(r#"[{"_placeholder":true,"num":0},{"from":null}]"#.to_owned())
    );
    // Without an attachment it is an object like any other.
    let without = policy.socket("s").event_text("e", args);
    assert_eq!(
        without,
        Verdict::Replace(r#"[{"_placeholder":true,"num":0,"from":null}]"#.to_owned())
    );
}

#[test]
fn an_argument_can_be_set_aside_for_the_fields() {
    let mut policy = policy(json!({ "fields": { "from": "user" }, "argument": 1 }));
    for (args, wanted) in [
        (r#"["hi"]"#, r#"["hi",{"from":"alice"}]"#),
        ("[]", r#"[null,{"from":"alice"}]"#),
        ("[ ]", r#"[null,{"from":"alice"} ]"#),
        (r#"["hi",{"from":"admin"}]"#, r#"["hi",{"from":"alice"}]"#),
        (r#"["hi", "admin" ,3]"#, r#"["hi", {"from":"alice"} ,3]"#),
        (r#"[{"a":[1,2]},[{}]]"#, r#"[{"a":[1,2]},{"from":"alice"}]"#),
    ] {
        assert_eq!(sent(&mut policy, args), wanted, "{args}");
    }
    let mut first = self::policy(json!({ "fields": { "from": "user" }, "argument": 0 }));
    assert_eq!(sent(&mut first, "[]"), r#"[{"from":"alice"}]"#);
    assert_eq!(sent(&mut first, "[1,2]"), r#"[{"from":"alice"},2]"#);
    let mut third = self::policy(json!({ "fields": { "from": "user" }, "argument": 3 }));
    assert_eq!(sent(&mut third, "[1]"), r#"[1,null,null,{"from":"alice"}]"#);
}

#[test]
fn other_events_pass() {
    assert_eq!(from().event("other", json!([{}])), Verdict::Pass);
    let mut globs: Harness<Enrich> =
        testing::policy(json!({ "events": [{ "event": ["a:*", "b"] }] })).unwrap();
    for (event, passes) in [("a:x", false), ("b", false), ("c", true)] {
        assert_eq!(globs.event(event, json!([])) == Verdict::Pass, passes);
    }
}

#[test]
fn a_wrong_configuration_says_which_key() {
    let with = |event: Value| json!({ "events": [{ "event": "a" }, event] });
    for (config, says) in [
        (json!({}), "missing field `events`"),
        (json!({ "events": [] }), "`events` is empty"),
        (with(json!({})), "`events[1]`: missing field `event`"),
        (with(json!({ "event": [] })), "`events[1].event` is empty"),
        (
            with(json!({ "event": 7 })),
            "`events[1].event`: the name of an event",
        ),
        (
            with(json!({ "event": "a" })),
            "`events[1].event`: \"a\" is there twice",
        ),
        (
            with(json!({ "event": "b", "fields": {} })),
            "`events[1].fields` is empty",
        ),
        (
            with(json!({ "event": "b", "fields": { "x": "age" } })),
            "`events[1].fields.x`: \"age\" is none of \"time\"",
        ),
        (
            with(json!({ "event": "b", "fields": { "x": "attributes." } })),
            "`events[1].fields.x`: \"attributes.\" is none of",
        ),
        (
            with(json!({ "event": "b", "argument": 16 })),
            "`events[1].argument` has to be from 0",
        ),
        (
            with(json!({ "event": "b", "argument": -1 })),
            "`events[1].argument`: invalid value",
        ),
        (
            with(json!({ "event": "b", "add": 1 })),
            "`events[1].add`: unknown field",
        ),
    ] {
        let error = testing::policy::<Enrich>(config.clone()).err().unwrap();
        assert!(error.contains(says), "{config}: {error}");
    }
}
