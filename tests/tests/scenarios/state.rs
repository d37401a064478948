//! What policies count outlives a reload; support sees it and clears it.

use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, Setup, eventually, policy};

use crate::connect::JWT;
use crate::shared::{RELAY, SECRET, clients, signed_in};

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
    let answer = broker.delete(&format!("{path}?subject=user:alice"));
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
    let answer = broker.delete(path);
    assert_eq!((answer.status, answer.json()), (200, json!({"removed": 2})));
    assert_eq!(
        state(&broker, ""),
        json!({"matched": 0, "buckets": [], "entries": []})
    );
}

fn ledger(edition: u32) -> String {
    format!("[[policy]]\nname = \"ledger\"\nconfig = {{ edition = {edition} }}\n{RELAY}")
}

#[test]
fn what_a_policy_stores_outlives_a_reload_and_a_roll_back() {
    let node = Driver::node();
    let broker = Setup::new(&ledger(1))
        .file("policies/ledger.wasm", policy("fixture-ledger"))
        .start();
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    let ask = |event: &str, args: Value| a.ask(event, args)[0].clone();
    assert_eq!(ask("get", json!(["visits"])), Value::Null);
    assert_eq!(ask("add", json!(["visits", 2, 0])), 2);
    // Every reactor and instance sees the same.
    assert_eq!(b.ask("add", json!(["visits", 1, 0])), [json!(3)]);
    assert_eq!(ask("set", json!(["colour", "red", 0])), true);
    assert_eq!(ask("swap", json!(["colour", "green", "blue"])), false);
    assert_eq!(ask("swap", json!(["colour", "red", "blue"])), true);
    assert_eq!(ask("swap", json!(["colour", null, "black"])), false);
    assert_eq!(ask("set", json!(["hourly", "on", 3_600_000])), true);
    // As text, because a client's numbers are not as exact.
    let most = i64::MAX.to_string();
    assert_eq!(ask("set", json!(["full", most, 0])), true);
    // An author is told what is wrong.
    for (event, args, words) in [
        ("add", json!(["colour", 1, 0]), "not a whole number"),
        ("add", json!(["full", 1, 0]), "beyond"),
        ("add", json!(["", 1, 0]), "at least 1 byte"),
        ("get", json!([""]), "at least 1 byte"),
        ("get", json!(["k".repeat(257)]), "at most 256 bytes"),
        (
            "set",
            json!(["v", "x".repeat(65_537), 0]),
            "at most 65536 bytes",
        ),
    ] {
        let error = ask(event, args);
        assert!(
            error.as_str().is_some_and(|text| text.contains(words)),
            "{event}: {error}"
        );
    }

    assert_eq!(ask("delete", json!(["full"])), true);

    broker.reconfigure(&ledger(2));
    eventually("the next generation", || {
        (ask("edition", json!([])) == 2).then_some(())
    });
    assert_eq!(ask("add", json!(["visits", 1, 0])), 4);
    let rolled = broker.command("ledger", "rollback");
    assert_eq!(rolled.status, 200, "{rolled:?}");
    assert_eq!(ask("edition", json!([])), 1);
    assert_eq!(ask("get", json!(["visits"])), "4");
    assert_eq!(ask("get", json!(["colour"])), "blue");
    assert_eq!(ask("set", json!(["brief", "x", 1])), true);
    eventually("the end of what is brief", || {
        ask("get", json!(["brief"])).is_null().then_some(())
    });

    let path = "/api/v1/policies/ledger/state";
    let mut shown = broker.get(path).json();
    let left = shown["entries"][1]["ttl_ms"].take().as_u64();
    assert!(left.is_some_and(|ms| ms <= 3_600_000), "{left:?}");
    assert_eq!(
        shown,
        json!({
            "matched": 3,
            "buckets": [],
            "entries": [
                {"key": "colour", "scope": "node", "kind": "value", "bytes": 4, "ttl_ms": null, "value": "blue"},
                {"key": "hourly", "scope": "node", "kind": "value", "bytes": 2, "ttl_ms": null, "value": "on"},
                {"key": "visits", "scope": "node", "kind": "counter", "bytes": 1, "ttl_ms": null, "value": "4"},
            ],
        })
    );
    let metric = |name| {
        let labels = [("policy", "ledger"), ("kind", "entry")];
        broker.metrics().sum(name, &labels)
    };
    assert_eq!(metric("sluice_state_keys"), 3.0);
    assert!(metric("sluice_state_bytes") > 0.0);
    assert_eq!(metric("sluice_state_evictions_total"), 0.0);

    let answer = broker.delete(&format!("{path}?prefix=co"));
    assert_eq!((answer.status, answer.json()), (200, json!({"removed": 1})));
    broker.logs.wait("what was cleared", |record| {
        record.message() == "policy state cleared"
            && record.has("policy", "ledger")
            && record.has("prefix", "co")
    });
    assert_eq!(ask("get", json!(["colour"])), Value::Null);
    assert_eq!(ask("add", json!(["visits", 1, 0])), 5);
    assert_eq!(broker.delete(path).json(), json!({"removed": 2}));
    assert_eq!(ask("add", json!(["visits", 1, 0])), 1);
}

#[test]
fn state_of_a_policy_that_is_unknown_is_a_problem() {
    let broker = Broker::start(RELAY, &[]);
    let path = "/api/v1/policies/nobody/state";
    for response in [broker.get(path), broker.delete(path)] {
        assert_eq!(response.status, 404, "{response:?}");
        assert_eq!(response.json()["code"], "unknown_policy");
    }
}
