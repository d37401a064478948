//! What policies answer, and what comes of it: identities, denials, drops, replaced arguments, nothing granted.

use serde_json::json;
use sluice_tests::{Broker, Driver, eventually};

use crate::shared::{RELAY, mark, websocket};

fn gate(settings: &str) -> String {
    format!("[[policy]]\nname = \"fixture-gate\"\n[policy.config]\n{settings}\n{RELAY}")
}

fn auth(auth: serde_json::Value) -> serde_json::Value {
    json!({"transports": ["websocket"], "auth": auth})
}

#[test]
fn a_policy_lets_in_keeps_out_and_names() {
    let node = Driver::node();
    let broker = Broker::start(&gate(""), &["fixture-gate"]);
    let refusal = node
        .try_connect("x", &broker.url("/"), &auth(json!({"deny": true})))
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refusal.code(), "closed");
    let ann = node.connect(
        "ann",
        &broker.url("/"),
        &auth(json!({"user": "ann", "rooms": ["one", "two"]})),
    );
    let record = broker
        .logs
        .wait("ann", |record| record.has("socket", ann.logged_as()));
    assert!(record.has("user", "ann"), "{}", record.line);
    for room in ["one", "two"] {
        broker.emit("/", &[room], "hello", &json!([room]));
        assert_eq!(ann.expect("hello"), [json!(room)]);
    }
    // A refused client can try again on the same connection.
    let mut raw = broker.socket();
    raw.send(r#"40{"deny":true}"#);
    let answer = format!("{:?}", raw.packet());
    assert!(
        answer.contains("44") && answer.contains("closed"),
        "{answer}"
    );
    raw.connected();
}

/// The answers of several policies add up: rooms together, the later user instead of the earlier.
#[test]
fn identities_merge_in_the_order_of_the_policies() {
    let node = Driver::node();
    let jwt = crate::connect::JWT;
    let broker = sluice_tests::Setup::new(&format!("{jwt}{}", gate("")))
        .modules(&["jwt-auth", "fixture-gate"])
        .env("JWT_SECRET", crate::shared::SECRET)
        .start();
    let token = sluice_tests::jwt::user("alice", crate::shared::SECRET);
    let client = node.connect(
        "a",
        &broker.url("/"),
        &auth(json!({"token": token, "user": "queen", "rooms": ["court"]})),
    );
    for room in ["user:alice", "court"] {
        broker.emit("/", &[room], "hello", &json!([room]));
        assert_eq!(client.expect("hello"), [json!(room)]);
    }
    let record = broker.logs.wait("the client", |record| {
        record.has("socket", client.logged_as())
    });
    assert!(record.has("user", "queen"), "{}", record.line);
}

#[test]
fn events_are_denied_or_dropped() {
    let node = Driver::node();
    let settings = r#"
        deny = [
            { event = "all:bad*", code = "bad_word", message = "Mind your tongue" },
            { event = "all:worst", code = "out", message = "Out", disconnect = true },
        ]
        drop = ["all:void"]
    "#;
    let broker = Broker::start(&gate(settings), &["fixture-gate"]);
    let [a, b] = ["a", "b"].map(|name| node.connect(name, &broker.url("/"), &websocket()));
    let denial = a.denied("all:bad one", json!([1]));
    assert_eq!(
        denial,
        json!({"code": "bad_word", "message": "Mind your tongue", "policy": "fixture-gate"})
    );
    a.emit("all:bad two", json!([]));
    assert_eq!(a.expect("error"), [denial]);
    // Dropped: delivered to no one, and the sender does not learn of it.
    a.ok("all:void", json!(["into"]));
    a.emit("all:void", json!(["into"]));
    mark(&a, &[&a, &b]);
    eventually("the drops counted", || {
        (broker
            .metrics()
            .sum("sluice_events_dropped_total", &[("reason", "policy")])
            == 2.0)
            .then_some(())
    });
    a.emit("all:worst", json!([]));
    assert_eq!(a.expect("error")[0]["code"], "out");
    assert_eq!(a.disconnected(), "io server disconnect");
    b.ok("all:fine", json!([]));
    b.expect("all:fine");
}

/// Replaced arguments are what everyone receives, and what the next policy and the route see; attachments stay.
#[test]
fn arguments_are_replaced() {
    let node = Driver::node();
    let policies = "[[policy]]\nname = \"fixture-stamp\"\n[[policy]]\nname = \"fixture-stamp-b\"\nconfig = { generation = \"later\" }\n";
    let broker = Broker::start(
        &format!("{policies}{RELAY}"),
        &["fixture-stamp", "fixture-stamp-b"],
    );
    let a = node.connect("a", &broker.url("/"), &websocket());
    let poll = node.connect(
        "poll",
        &broker.url("/"),
        &json!({"transports": ["polling"]}),
    );
    a.ok("all:x", json!([{"$bin": "AAEC"}, "ü", {"$bin": "Aw=="}]));
    for client in [&a, &poll] {
        assert_eq!(
            json!(client.expect("all:x")),
            json!([{"$bin": "AAEC"}, "ü", {"$bin": "Aw=="}, {"generation": "a"}, {"generation": "later"}])
        );
    }
    // A join is an event too: its room is still the first argument.
    a.ok("join", json!(["r"]));
    poll.ok("room:x", json!(["r"]));
    assert_eq!(a.expect("room:x").len(), 3);
}

/// A policy gets no environment and no arguments, and what it prints goes to the log.
#[test]
fn nothing_of_the_machine_is_granted() {
    let node = Driver::node();
    let broker = Broker::start(
        &format!("[[policy]]\nname = \"fixture-chatty\"\n{RELAY}"),
        &["fixture-chatty"],
    );
    let a = node.connect("a", &broker.url("/"), &websocket());
    let b = node.connect("b", &broker.url("/"), &websocket());
    a.ok("talk", json!(["hello"]));
    assert_eq!(
        b.expect("talk"),
        [json!({"environment": 0, "arguments": 0, "letters": 4})]
    );
    for said in [
        "chatty says to stdout",
        "chatty says to stderr",
        "at info",
        "at warn",
        "at error",
    ] {
        let record = broker.logs.wait(said, |record| record.line.contains(said));
        assert!(record.has("policy", "fixture-chatty"), "{}", record.line);
    }
    assert!(
        broker.more_output().is_empty(),
        "nothing but the ready line on standard output"
    );
}
