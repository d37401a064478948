//! Who may join, leave and publish where.

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, Setup, jwt};

use crate::shared::{RELAY, SECRET};

const POLICIES: &str = r#"
    [[policy]]
    name = "jwt-auth"
    [policy.config]
    secret = "${JWT_SECRET}"
    attributes = ["role"]

    [[policy]]
    name = "room-access"
    [policy.config]
    publish = [{ event = "room:*", room = "/0" }]
    leave = [{ event = "leave", room = "/0" }]
    rules = [
        { room = "user:{user}" },
        { room = "staff:*", where = { role = ["admin", "mod"] } },
        { room = "open:*", actions = ["join"] },
        { room = "open:*", actions = ["publish"], member = true },
    ]
"#;

fn start() -> Broker {
    Setup::new(&format!("{POLICIES}{RELAY}"))
        .modules(&["jwt-auth", "room-access"])
        .env("JWT_SECRET", SECRET)
        .start()
}

fn connect(node: &Driver, broker: &Broker, name: &str, user: &str, role: &str) -> Client {
    let claims = json!({"sub": user, "role": role, "exp": jwt::now() + 600});
    let token = jwt::sign(&claims, SECRET);
    let options = json!({"transports": ["websocket"], "auth": {"token": token}});
    node.connect(name, &broker.url("/"), &options)
}

fn denied(client: &Client, event: &str, args: Value) -> String {
    let denial = client.denied(event, args);
    assert_eq!(denial["policy"], "room-access", "{denial}");
    assert_eq!(denial["code"], "room_denied", "{denial}");
    denial["data"]["action"].as_str().unwrap().to_owned()
}

#[test]
fn rooms_are_for_whom_the_rules_name() {
    let node = Driver::node();
    let broker = start();
    let alice = connect(&node, &broker, "a", "alice", "user");
    let mod_bob = connect(&node, &broker, "b", "bob", "mod");
    alice.ok("join", json!(["user:alice"]));
    mod_bob.ok("join", json!(["user:bob"]));
    mod_bob.ok("join", json!(["staff:1"]));
    assert_eq!(denied(&alice, "join", json!(["user:bob"])), "join");
    assert_eq!(denied(&alice, "join", json!(["staff:1"])), "join");
    assert_eq!(denied(&alice, "join", json!(["lobby"])), "join");
    // A denied join is none.
    broker.emit("/", &["user:bob", "staff:1"], "private", &json!(["b"]));
    broker.emit("/", &["user:alice"], "private", &json!(["a"]));
    assert_eq!(mod_bob.expect("private"), [json!("b")]);
    assert_eq!(alice.expect("private"), [json!("a")]);
}

#[test]
fn whoever_is_not_in_a_room_does_not_publish_to_it() {
    let node = Driver::node();
    let broker = start();
    let alice = connect(&node, &broker, "a", "alice", "user");
    let bob = connect(&node, &broker, "b", "bob", "user");
    bob.ok("join", json!(["open:1"]));
    assert_eq!(
        denied(&alice, "room:say", json!(["open:1", "hi"])),
        "publish"
    );
    alice.ok("join", json!(["open:1"]));
    alice.ok("room:say", json!(["open:1", "hi"]));
    assert_eq!(bob.expect("room:say"), [json!("open:1"), json!("hi")]);
    assert_eq!(denied(&alice, "leave", json!(["open:1"])), "leave");
    alice.ok("room:say", json!(["open:1", "still here"]));
    assert_eq!(bob.expect("room:say")[1], "still here");
    let missing = alice.denied("room:say", json!([{"room": "open:1"}]));
    assert_eq!(missing["code"], "room_missing");
}

/// Names that look like patterns are names.
#[test]
fn a_name_is_never_a_pattern() {
    let node = Driver::node();
    let broker = start();
    for (client, user) in [("star", "*"), ("brace", "{user}"), ("any", "a*")] {
        let mallory = connect(&node, &broker, client, user, "*");
        mallory.ok("join", json!([format!("user:{user}")]));
        for room in ["user:alice", "user:a", "staff:1", "*", "user:*alice"] {
            denied(&mallory, "join", json!([room]));
        }
    }
}
