//! The policy as the broker meets it. That the last value arrives is the broker's doing, and shown by its scenarios.

use std::time::Duration;

use serde_json::{Value, json};
use sluice_plugin_sdk::Verdict;
use sluice_plugin_sdk::testing::{self, Harness};

use crate::Throttle;

fn policy(event: Value) -> Harness<Throttle> {
    testing::policy(json!({ "events": [event] })).unwrap()
}

/// The key and whether the first of a window goes on at once.
fn coalesced(verdict: Verdict) -> (String, bool) {
    match verdict {
        Verdict::Coalesce {
            key,
            leading,
            window,
        } => {
            assert_eq!(window, Duration::from_millis(100));
            (key, leading)
        }
        other => panic!("{other:?}"),
    }
}

fn key(policy: &mut Harness<Throttle>, event: &str, args: Value) -> String {
    coalesced(policy.event(event, args)).0
}

#[test]
fn the_first_and_the_last_of_a_window_arrive() {
    let mut policy = policy(json!({ "event": "cursorMove", "window": "100ms" }));
    let verdict = policy.event("cursorMove", json!([{ "x": 1 }]));
    assert_eq!(coalesced(verdict), ("cursorMove".to_owned(), true));
    assert_eq!(policy.event("message", json!(["hi"])), Verdict::Pass);
    assert!(
        policy.interests().events().iter().all(|rule| !rule.args),
        "no arguments are copied"
    );
}

#[test]
fn the_first_can_wait_like_all_others() {
    let mut policy = policy(json!({ "event": "search", "window": 0.1, "leading": false }));
    let verdict = policy.event("search", json!(["a"]));
    assert_eq!(coalesced(verdict), ("search".to_owned(), false));
}

#[test]
fn every_event_of_a_glob_is_throttled_by_itself() {
    let mut policy = policy(json!({ "event": ["cursor:*", "scroll"], "window": "100ms" }));
    for event in ["cursor:a", "cursor:b", "scroll"] {
        assert_eq!(key(&mut policy, event, json!([])), event);
    }
}

#[test]
fn a_value_in_the_arguments_tells_apart_what_does_not_belong_together() {
    let mut policy = policy(json!({ "event": "drag", "window": "100ms", "key": "/0/id" }));
    let of = |policy: &mut Harness<Throttle>, args: Value| key(policy, "drag", args);
    let a = of(&mut policy, json!([{ "id": "a", "x": 1 }]));
    assert_eq!(of(&mut policy, json!([{ "x": 2, "id": "a" }])), a);
    let mut others = vec![
        of(&mut policy, json!([{ "id": "b" }])),
        of(&mut policy, json!([{ "id": 1 }])),
        of(&mut policy, json!([{ "id": "1" }])),
        of(&mut policy, json!([{ "id": { "deep": [1] } }])),
        of(&mut policy, json!([])),
        a,
    ];
    assert_eq!(of(&mut policy, json!([{ "x": 1 }])), "drag");
    assert_eq!(of(&mut policy, json!(["no object"])), "drag");
    others.sort();
    others.dedup();
    assert_eq!(others.len(), 6, "{others:?}");
}

#[test]
fn no_client_can_name_the_key_of_another_event() {
    let mut policy: Harness<Throttle> = testing::policy(json!({ "events": [
        { "event": "a*", "window": "100ms", "key": "/0" },
    ] }))
    .unwrap();
    let plain = key(&mut policy, "a", json!(["x"]));
    assert_ne!(key(&mut policy, "a\"x\"", json!([])), plain);
    assert_ne!(key(&mut policy, "a#x", json!([])), plain);
}

#[test]
fn a_long_value_does_not_make_a_long_key() {
    let mut policy = policy(json!({ "event": "drag", "window": "100ms", "key": "/0" }));
    let long = |last: &str| json!(["x".repeat(100_000) + last]);
    let a = key(&mut policy, "drag", long("a"));
    assert!(a.len() < 100, "{a}");
    assert_eq!(key(&mut policy, "drag", long("a")), a);
    assert_ne!(key(&mut policy, "drag", long("b")), a);

    let mut any = self::policy(json!({ "event": "*", "window": "100ms" }));
    let name = "n".repeat(1_000);
    let a = key(&mut any, &name, json!([]));
    assert!(a.len() < 200, "{a}");
    assert_ne!(key(&mut any, &(name + "m"), json!([])), a);
}

#[test]
fn without_the_last_one_the_rest_is_dropped() {
    let mut policy: Harness<Throttle> = testing::policy(json!({ "events": [
        { "event": "cursorMove", "window": "100ms" },
        { "event": "ping", "window": "100ms", "trailing": false },
        { "event": ["like", "love"], "window": "1s", "trailing": false },
    ] }))
    .unwrap();
    policy.socket("alice");
    let mut send = |event: &str| policy.event(event, json!([]));
    assert_eq!(send("ping"), Verdict::Pass);
    assert_eq!(send("ping"), Verdict::Drop);
    assert_eq!(send("like"), Verdict::Pass, "another window");
    assert_eq!(
        send("love"),
        Verdict::Drop,
        "the events of one rule share it"
    );
    policy.socket("bob");
    assert_eq!(
        policy.event("ping", json!([])),
        Verdict::Pass,
        "another socket"
    );

    policy.socket("alice");
    policy.clock().advance(99);
    assert_eq!(policy.event("ping", json!([])), Verdict::Drop);
    policy.clock().advance(1);
    assert_eq!(policy.event("ping", json!([])), Verdict::Pass);
}

#[test]
fn a_wrong_configuration_says_which_key() {
    let with = |event: Value| json!({ "events": [{ "event": "a", "window": 1 }, event] });
    for (config, says) in [
        (json!({}), "missing field `events`"),
        (json!({ "events": [] }), "`events` is empty"),
        (
            with(json!({ "window": 1 })),
            "`events[1]`: missing field `event`",
        ),
        (
            with(json!({ "event": "b" })),
            "`events[1]`: missing field `window`",
        ),
        (
            with(json!({ "event": [], "window": 1 })),
            "`events[1].event` is empty",
        ),
        (
            with(json!({ "event": 7, "window": 1 })),
            "`events[1].event`: the name of an event",
        ),
        (
            with(json!({ "event": "a", "window": 1 })),
            "`events[1].event`: \"a\" is there twice",
        ),
        (
            with(json!({ "event": "b", "window": "soon" })),
            "`events[1].window`: \"soon\" is no",
        ),
        (
            with(json!({ "event": "b", "window": 0 })),
            "`events[1].window` has to be from 1ms",
        ),
        (
            with(json!({ "event": "b", "window": "61s" })),
            "`events[1].window` has to be from 1ms",
        ),
        (
            with(json!({ "event": "b", "window": 1, "key": "id" })),
            "`events[1].key`: \"id\" is no",
        ),
        (
            with(json!({ "event": "b", "window": 1, "key": "/id" })),
            "`events[1].key`: \"/id\" is no",
        ),
        (
            with(json!({ "event": "b", "window": 1, "key": "/0/~2" })),
            "`events[1].key`",
        ),
        (
            with(json!({ "event": "b", "window": 1, "key": "" })),
            "`events[1].key`: \"\" is no",
        ),
        (
            with(json!({ "event": "b", "window": 1, "leading": false, "trailing": false })),
            "`events[1]`: without `leading` and `trailing`",
        ),
        (
            with(json!({ "event": "b", "window": 1, "key": "/0", "trailing": false })),
            "`events[1].key`: without `trailing`",
        ),
        (
            with(json!({ "event": "b", "wait": 1 })),
            "`events[1].wait`: unknown field",
        ),
    ] {
        let error = testing::policy::<Throttle>(config.clone()).err().unwrap();
        assert!(error.contains(says), "{config}: {error}");
    }
}
