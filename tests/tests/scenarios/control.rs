//! What back ends do to clients over HTTP.

mod acks;
mod nodes; // three, as one
mod sockets;

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, http};

use crate::shared::{RELAY, SECRET, mark, own_code, signed_in, websocket};

/// Several reactors, so that nothing works by being on one.
const REACTORS: &str = "[server]\nreactors = 3\n";

fn relay() -> String {
    format!("{REACTORS}{RELAY}")
}

/// A broker whose clients are users.
fn with_users() -> Broker {
    let config = format!(
        "{REACTORS}[[policy]]\nname = \"jwt-auth\"\nconfig = {{ secret = \"{SECRET}\" }}\n{RELAY}"
    );
    Broker::start(&config, &["jwt-auth"])
}

fn polling() -> Value {
    json!({"transports": ["polling"]})
}

fn ok(response: &http::Response) -> Value {
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

fn emit(broker: &Broker, body: &Value) -> Value {
    ok(&broker.post("/api/v1/emit", body))
}

fn sorted(acks: &Value) -> Vec<Value> {
    let mut acks: Vec<_> = acks.as_array().expect("acks").clone();
    acks.sort_by_key(|ack| ack["args"].to_string());
    acks
}

fn id(client: &Client) -> Value {
    client.state()["sid"].clone()
}

fn send(broker: &Broker, what: &str, body: &Value) -> Value {
    ok(&broker.post(&format!("/api/v1/sockets/{what}"), body))
}

#[test]
fn a_repeated_request_delivers_nothing() {
    let node = Driver::node();
    let broker = Broker::start(&relay(), &[]);
    let a = node.connect("a", &broker.url("/"), &websocket());
    a.answers("once", json!([7]));
    let body = json!({"event": "once", "id": "key", "ack": true});
    let first = emit(&broker, &body);
    assert_eq!(emit(&broker, &body), first);
    a.expect("once");
    let other = broker.post("/api/v1/emit", &json!({"event": "other", "id": "key"}));
    assert_eq!(other.status, 422, "{other:?}");
    assert_eq!(other.json()["code"], "other_request");
    // One that came to nothing may be sent again.
    let nowhere = json!({"event": "x", "namespace": "/nowhere", "id": "again"});
    for _ in 0..2 {
        assert_eq!(broker.post("/api/v1/emit", &nowhere).status, 404);
    }
    let headers = [("Idempotency-Key", "header")];
    for _ in 0..2 {
        let body = json!([{"event": "first"}, {"event": "second"}]);
        let answer = broker.post_with("/api/v1/emit", &headers, &body);
        let results = ok(&answer)["results"].clone();
        assert_eq!(results, json!([{"deliveries": 1}, {"deliveries": 1}]));
    }
    a.expect("first");
    a.expect("second");
    mark(&a, &[&a]);
}

#[test]
fn a_user_is_reached_wherever_he_is() {
    let node = Driver::node();
    let broker = with_users();
    let connect = |name: &str, user: &str| node.connect(name, &broker.url("/"), &signed_in(user));
    let [a1, a2] = ["a1", "a2"].map(|name| connect(name, "ann"));
    let b = connect("b", "ben");
    b.ok("join", json!(["r"]));
    let sent = |body: Value, receivers: &[&Client]| {
        let sent = emit(&broker, &body);
        assert_eq!(sent["deliveries"], receivers.len(), "{sent}");
        for receiver in receivers {
            receiver.expect("news");
        }
        mark(&a1, &[&a1, &a2, &b]);
    };
    sent(json!({"event": "news", "users": ["ann"]}), &[&a1, &a2]);
    sent(
        json!({"event": "news", "users": ["ann", "ben", "nobody"]}),
        &[&a1, &a2, &b],
    );
    sent(
        json!({"event": "news", "users": ["ann"], "rooms": ["r"]}),
        &[&a1, &a2, &b],
    );
    sent(
        json!({"event": "news", "users": ["ann", "ben"], "except": ["r"]}),
        &[&a1, &a2],
    );
    // No client reaches what is the broker's own.
    let denial = a1.denied("join", json!(["\u{0}user:ben"]));
    assert_eq!(own_code(&denial), "invalid_packet");
    assert_eq!(broker.metrics().sum("sluice_rooms", &[]), 1.0);
}
