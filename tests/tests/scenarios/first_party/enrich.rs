//! What the broker knows stands in an event, and what a client claims does not.

use serde_json::json;
use sluice_tests::{Driver, Setup, jwt};

use crate::connect::JWT;
use crate::shared::{RELAY, SECRET, signed_in};

const ENRICH: &str = r#"
    [[policy]]
    name = "enrich"
    [[policy.config.events]]
    event = "all:*"
    fields = { from = "user", socket = "socket", ts = "time", id = "id", event = "event" }
"#;

#[test]
fn nobody_can_say_to_be_someone_else() {
    let node = Driver::node();
    let broker = Setup::new(&format!("{JWT}{ENRICH}{RELAY}"))
        .modules(&["jwt-auth", "enrich"])
        .env("JWT_SECRET", SECRET)
        .start();
    let alice = node.connect("alice", &broker.url("/"), &signed_in("alice"));
    let bob = node.connect("bob", &broker.url("/"), &signed_in("bob"));
    let before = jwt::now() * 1000;
    alice.emit(
        "all:message",
        json!([{"text": "hi", "from": "bob", "id": 1, "ts": 0, "n": 1.50}]),
    );
    let mut ids = Vec::new();
    for client in [&alice, &bob] {
        let message = client.expect("all:message")[0].clone();
        assert_eq!(message["text"], "hi");
        assert_eq!(message["from"], "alice");
        assert_eq!(message["event"], "all:message");
        assert_eq!(message["socket"], *alice.sid);
        assert!(message["ts"].as_u64().unwrap() >= before, "{message}");
        assert_eq!(message.as_object().unwrap().len(), 7);
        ids.push(message["id"].clone());
    }
    assert_eq!(ids[0], ids[1], "all recipients see one event");
    alice.emit("all:message", json!(["no object"]));
    let second = bob.expect("all:message");
    assert_eq!(
        (&second[0], &second[1]["from"]),
        (&json!("no object"), &json!("alice"))
    );
    assert_ne!(second[1]["id"], ids[0]);
    // What the policy is not about is delivered as it was sent.
    alice.emit("other", json!([{"from": "bob"}]));
    bob.skip_to("other");
}
