//! What policies do besides their verdicts: effects, counters and values, numbers of their own, answers, rooms.

use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, Setup, eventually};

use crate::shared::{RELAY, websocket};

pub(crate) fn doer(settings: &str) -> Broker {
    let policy = "[[policy]]\nname = \"fixture-doer\"\ngrant = [\"emit\", \"rooms\"]\n";
    Broker::start(&format!("{policy}{settings}\n{RELAY}"), &["fixture-doer"])
}

fn auth(auth: Value) -> Value {
    json!({"transports": ["websocket"], "auth": auth})
}

#[test]
fn what_a_policy_emits_comes_after_the_event_that_it_was_asked_about() {
    let broker = doer("");
    let node = Driver::node();
    let ann = node.connect("ann", &broker.url("/"), &websocket());
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    let emit = |to: &str| json!([to, "effect", ["a", 1]]);
    ann.ok("do:emit", emit("others"));
    bob.expect("do:emit");
    assert_eq!(bob.expect("effect"), [json!("a"), json!(1)]);
    ann.ok("do:emit", emit("sender"));
    bob.expect("do:emit");
    assert_eq!(ann.expect("effect").len(), 2);
    ann.ok("do:emit", emit("all"));
    ann.expect("effect");
    bob.expect("do:emit");
    bob.expect("effect");
    // Also when the event is denied.
    let denial = ann.denied("do:refuse", json!(["others", "effect", []]));
    assert_eq!(denial["code"], "no");
    assert_eq!(bob.expect("effect"), Vec::<Value>::new());
    // Names of the protocol are not for policies either, and the author is told.
    let denial = ann.denied("do:emit", json!(["others", "disconnect", []]));
    assert_eq!(denial["code"], "effect_failed");
    broker
        .logs
        .wait("the reason", |record| record.line.contains("reserved"));
}

#[test]
fn a_policy_moves_sockets_between_rooms_and_ends_them() {
    let broker = doer("");
    let node = Driver::node();
    let ann = node.connect("ann", &broker.url("/"), &websocket());
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    ann.ok("do:join", json!(["den"]));
    bob.expect("do:join");
    broker.emit("/", &["den"], "in", &json!([]));
    ann.expect("in");
    bob.ok("do:emit", json!(["den", "room", []]));
    ann.expect("do:emit");
    ann.expect("room");
    ann.ok("do:leave", json!(["den"]));
    broker.emit("/", &["den"], "nobody", &json!([]));
    bob.expect("do:leave");
    ann.emit("do:disconnect", json!([]));
    assert_eq!(ann.disconnected(), "io server disconnect");
    bob.expect("do:disconnect");
    bob.expect("left");
    eventually("the rooms are empty", || {
        (broker.get("/api/v1/node").json()["rooms"] == 0).then_some(())
    });
}

#[test]
fn who_connects_is_welcomed_and_who_is_refused_leaves_nothing() {
    let broker = doer("");
    let node = Driver::node();
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    let refused = auth(json!({"welcome": true, "deny": true}));
    let refusal = node
        .try_connect("refused", &broker.url("/"), &refused)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refusal.code(), "closed");
    let ann = node.connect("ann", &broker.url("/"), &auth(json!({"welcome": true})));
    let name = ann.expect("welcome");
    // The first that bob hears of is ann.
    assert_eq!(bob.expect("arrived"), name);
    broker.emit("/", &["welcomed"], "hello", &json!([]));
    ann.expect("hello");
    let facts = ann.ask("ask:facts", json!([]));
    assert_eq!((&facts[0], &facts[2]), (&name[0], &json!(["welcomed"])));
    // Nobody else's event has the same id.
    let other = bob.ask("ask:facts", json!([]));
    assert_ne!(facts[1], other[1]);
    assert_ne!(facts[1], ann.ask("ask:facts", json!([]))[1]);
    ann.disconnect();
    assert_eq!(bob.expect("left"), name);
}

#[test]
fn what_it_sets_and_counts_is_there_for_every_later_call() {
    let broker = doer("");
    let node = Driver::node();
    let ann = node.connect("ann", &broker.url("/"), &websocket());
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    ann.ok("do:attribute", json!(["color", "red"]));
    bob.expect("do:attribute");
    assert_eq!(ann.ask("ask:attribute", json!(["color"])), [json!("red")]);
    assert_eq!(bob.ask("ask:attribute", json!(["color"])), [Value::Null]);
    assert_eq!(ann.ask("count", json!(["k", 2])), [json!(2)]);
    assert_eq!(bob.ask("count", json!(["k", 3])), [json!(5)]);
    assert_eq!(ann.ask("keep", json!(["v", {"a": 1}])), [Value::Null]);
    assert_eq!(bob.ask("keep", json!(["v", 2])), [json!({"a": 1})]);
    let metrics = broker.get("/metrics").text();
    for line in [
        r#"sluice_policy_counter_total{policy="fixture-doer",name="asked"} 2"#,
        r#"sluice_policy_gauge{policy="fixture-doer",name="last"} 5"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    // An answer goes to the sender only, and to nobody who did not ask.
    bob.emit("ask:facts", json!([]));
    bob.ok("all:end", json!([]));
    ann.expect("all:end");
}

#[test]
fn it_says_who_joins_a_room() {
    let broker = doer("");
    let node = Driver::node();
    let told = auth(json!({"attribute": "secret:den"}));
    let ann = node.connect("ann", &broker.url("/"), &told);
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    bob.ok("join", json!(["open"]));
    ann.ok("join", json!(["secret:den"]));
    ann.expect("joined");
    for room in ["secret:den", "secret:"] {
        let denial = bob.denied("join", json!([room]));
        assert_eq!(
            (&denial["code"], &denial["policy"]),
            (&json!("secret"), &json!("fixture-doer"))
        );
    }
    broker.emit("/", &["secret:den"], "hello", &json!([]));
    ann.expect("hello");
    broker.emit("/", &["open"], "hello", &json!([]));
    bob.expect("hello");
    let metrics = broker.metrics();
    let verdicts = |verdict| {
        metrics.sum(
            "sluice_policy_verdicts_total",
            &[
                ("policy", "fixture-doer"),
                ("hook", "subscribe"),
                ("verdict", verdict),
            ],
        )
    };
    assert_eq!((verdicts("pass"), verdicts("deny")), (1.0, 2.0));
}

#[test]
fn a_shadow_does_nothing() {
    let broker = doer("mode = \"shadow\"");
    let node = Driver::node();
    let ann = node.connect(
        "ann",
        &broker.url("/"),
        &auth(json!({"welcome": true, "deny": true})),
    );
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    ann.ok("do:refuse", json!(["others", "effect", []]));
    bob.expect("do:refuse");
    ann.ok("do:disconnect", json!([]));
    bob.expect("do:disconnect");
    ann.ok("join", json!(["secret:den"]));
    ann.ok("all:end", json!([]));
    ann.expect("all:end");
    bob.expect("all:end");
}

#[test]
fn what_it_asks_for_has_to_be_granted() {
    let config = format!("[[policy]]\nname = \"fixture-doer\"\ngrant = [\"emit\"]\n{RELAY}");
    let exited =
        Setup::new(&config)
            .modules(&["fixture-doer"])
            .run(&["check", "--config", "sluice.toml"]);
    assert_eq!(exited.code, Some(78), "{exited:?}");
    assert!(exited.stderr.contains("`rooms`"), "{}", exited.stderr);
}
