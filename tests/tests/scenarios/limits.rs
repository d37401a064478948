//! The 101st message within a minute is denied, with and without an ack, and nobody else notices.

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, Setup};

use crate::connect::JWT;
use crate::shared::{RELAY, SECRET, clients, signed_in};

const LIMIT: &str = r#"
    [[policy]]
    name = "rate-limit"
    [policy.config]
    limits = [{ events = "message", limit = "100 per minute" }]
"#;

fn start() -> Broker {
    Setup::new(&format!("{JWT}{LIMIT}{RELAY}"))
        .modules(&["jwt-auth", "rate-limit"])
        .env("JWT_SECRET", SECRET)
        .start()
}

fn limited(denial: &Value) {
    assert_eq!(denial["code"], "rate_limited", "{denial}");
    assert_eq!(denial["policy"], "rate-limit", "{denial}");
    assert!(denial["message"].is_string(), "{denial}");
    let retry = denial["retry_after_ms"].as_u64().unwrap_or_default();
    assert!((1..=60_000).contains(&retry), "{denial}");
}

fn hundred(client: &Client) {
    let answers = client
        .flood("message", 100, 10_000, &json!({}))
        .wait()
        .answers;
    assert!(
        answers
            .iter()
            .all(|(_, ack, _)| *ack == json!({"ok": true})),
        "{answers:?}"
    );
}

#[test]
fn the_hundred_and_first_message_is_denied() {
    let node = Driver::node();
    let broker = start();
    let alice = node.connect("alice", &broker.url("/"), &signed_in("alice"));
    let again = node.connect("alice again", &broker.url("/"), &signed_in("alice"));
    let bob = node.connect_quiet("bob", &broker.url("/"), &signed_in("bob"));
    hundred(&alice);
    limited(&alice.denied("message", json!(["one too many"])));
    alice.emit("message", json!(["without an ack"]));
    limited(&alice.expect("error")[0]);
    // The limit is the user's, on whatever socket.
    limited(&again.denied("message", json!(["by the back door"])));
    // Other events have no limit, and other users have their own.
    alice.ok("typing", json!([]));
    hundred(&bob);
    limited(&bob.denied("message", json!([])));

    bob.wait_received(101);
    let received = bob.collect();
    assert!(
        received[..100]
            .iter()
            .map(|event| event[1].as_u64())
            .eq((0..100).map(Some)),
        "alice's hundred, in order"
    );
    assert_eq!(received[100][0], "typing");
    let denied = |policy: &str, verdict: &str| {
        broker.metrics().sum(
            "sluice_policy_verdicts_total",
            &[("policy", policy), ("hook", "event"), ("verdict", verdict)],
        )
    };
    assert_eq!(
        denied("rate-limit", "deny"),
        4.0,
        "{}",
        broker.metrics().text()
    );
    assert_eq!(denied("rate-limit", "pass"), 200.0);
}

/// The count is the broker's, not the module's: neither a reload nor a new connection wins a fresh hundred.
#[test]
fn the_count_outlives_a_reload_and_a_reconnection() {
    let node = Driver::node();
    let broker = start();
    let alice = node.connect("alice", &broker.url("/"), &signed_in("alice"));
    hundred(&alice);
    let config = format!("{JWT}{LIMIT}{RELAY}").replace(
        "\"100 per minute\" }",
        "\"100 per minute\", message = \"slow down\" }",
    );
    broker.reconfigure(&config);
    sluice_tests::eventually("the new message", || {
        let denial = alice.denied("message", json!([]));
        limited(&denial);
        (denial["message"] == "slow down").then_some(())
    });
    alice.disconnect();
    alice.disconnected();
    assert!(alice.reconnect());
    limited(&alice.denied("message", json!([])));
}

#[test]
fn who_will_not_listen_is_disconnected() {
    let node = Driver::node();
    let policy = r#"
        [[policy]]
        name = "rate-limit"
        [policy.config]
        limits = [{ events = "message", burst = 2, rate = 0.01, per = "socket" }]
        disconnect_after = 3
    "#;
    let broker = Broker::start(&format!("{policy}{RELAY}"), &["rate-limit"]);
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    for client in [&a, &b] {
        client.ok("message", json!([1]));
    }
    a.ok("message", json!([2]));
    for _ in 0..3 {
        a.emit("message", json!(["too many"]));
    }
    assert_eq!(a.disconnected(), "io server disconnect");
    let errors = (0..3)
        .map(|_| a.next())
        .filter(|notice| format!("{notice:?}").contains("rate_limited"))
        .count();
    assert!(errors >= 2, "it was told before it was closed");
    b.ok("message", json!(["b has its own count"]));
}
