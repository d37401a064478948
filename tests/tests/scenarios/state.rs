//! What policies count outlives a reload; support sees it and clears it.

use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, Setup, eventually, http};

use crate::connect::JWT;
use crate::shared::{RELAY, SECRET, signed_in};

fn config(message: &str, typing: &str) -> String {
    format!(
        r#"{JWT}
        [[policy]]
        name = "rate-limit"
        [policy.config]
        limits = [
            {{ events = "message", limit = "{message}" }},
            {{ events = "typing", {typing} }},
        ]
        {RELAY}"#
    )
}

fn state(broker: &Broker, query: &str) -> Value {
    let response = broker.get(&format!("/api/v1/policies/rate-limit/state{query}"));
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

fn delete(broker: &Broker, path: &str) -> http::Response {
    http::request(broker.admin(), "DELETE", path, &[], &[]).expect("an answer")
}

/// `(bucket, subject, remaining)` of each.
fn buckets(shown: &Value) -> Vec<(&str, &str, u64)> {
    let buckets = shown["buckets"].as_array().expect("a list of buckets");
    buckets
        .iter()
        .map(|of| {
            let text = |name: &str| of[name].as_str().expect("text");
            let remaining = of["remaining"].as_u64().expect("a number");
            (text("bucket"), text("subject"), remaining)
        })
        .collect()
}

#[test]
fn limits_survive_a_reload_and_are_cleared_by_support() {
    let node = Driver::node();
    // A rate at which nothing comes back while the scenario runs.
    let broker = Setup::new(&config("5 per 1h", "burst = 10, rate = 0.00001"))
        .modules(&["jwt-auth", "rate-limit"])
        .env("JWT_SECRET", SECRET)
        .start();
    let alice = node.connect("alice", &broker.url("/"), &signed_in("alice"));
    let bob = node.connect("bob", &broker.url("/"), &signed_in("bob"));
    for _ in 0..3 {
        alice.ok("message", json!([]));
        bob.expect("message");
    }
    for _ in 0..5 {
        alice.ok("typing", json!([]));
        bob.expect("typing");
    }
    bob.ok("message", json!([]));
    alice.expect("message");
    let shown = state(&broker, "?subject=user:alice");
    assert_eq!(
        buckets(&shown),
        [
            ("user:message", "user:alice", 2),
            ("user:typing", "user:alice", 5)
        ],
        "{shown}"
    );
    let recovers = shown["buckets"][0]["recovers_ms"].as_u64();
    assert!(recovers.is_some_and(|ms| ms <= 3_600_000), "{shown}");
    assert_eq!(state(&broker, "?limit=1")["matched"], 3);

    // What is in the window counts against the new limit; a bucket is filled to the same part.
    let generation = || broker.policy("rate-limit")["generation"].as_u64();
    let before = generation();
    broker.reconfigure(&config("4 per 1h", "burst = 20, rate = 0.00001"));
    eventually("the next generation", || {
        (generation() > before).then_some(())
    });
    alice.ok("message", json!([]));
    bob.expect("message");
    let denial = alice.denied("message", json!([]));
    assert_eq!(denial["code"], "rate_limited", "{denial}");
    alice.ok("typing", json!([]));
    bob.expect("typing");
    assert_eq!(
        buckets(&state(&broker, "?prefix=user:&subject=user:alice")),
        [
            ("user:message", "user:alice", 0),
            ("user:typing", "user:alice", 9)
        ]
    );
    assert_eq!(
        broker.metrics().sum(
            "sluice_state_keys",
            &[("policy", "rate-limit"), ("kind", "bucket")]
        ),
        3.0
    );

    // One user's limits begin afresh, and no one else's.
    let path = "/api/v1/policies/rate-limit/state";
    let answer = delete(&broker, &format!("{path}?subject=user:alice"));
    assert_eq!((answer.status, answer.json()), (200, json!({"removed": 2})));
    assert_eq!(
        buckets(&state(&broker, "")),
        [("user:message", "user:bob", 4)]
    );
    alice.ok("message", json!([]));
    bob.expect("message");
    assert_eq!(
        buckets(&state(&broker, "?subject=user:alice")),
        [("user:message", "user:alice", 3)]
    );
    let answer = delete(&broker, path);
    assert_eq!((answer.status, answer.json()), (200, json!({"removed": 2})));
    assert_eq!(
        state(&broker, ""),
        json!({"matched": 0, "buckets": [], "entries": []})
    );
}

#[test]
fn state_of_a_policy_that_is_unknown_is_a_problem() {
    let broker = Broker::start(RELAY, &[]);
    let path = "/api/v1/policies/nobody/state";
    for response in [broker.get(path), delete(&broker, path)] {
        assert_eq!(response.status, 404, "{response:?}");
        assert_eq!(response.json()["code"], "unknown_policy");
    }
}
