//! The chat example as it is shipped: its own configuration, driven as its page drives it.

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, Setup};

use crate::shared::{SECRET, signed_in};

/// The example's configuration with the modules that the tests have built.
pub(crate) fn shipped() -> Setup {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/chat/sluice.toml");
    let config = std::fs::read_to_string(path).unwrap();
    let shipped = "module = \"../../target/policies/";
    assert_eq!(
        config.matches(shipped).count(),
        3,
        "the example's three policies"
    );
    Setup::new(&config.replace(shipped, "module = \"policies/"))
        .modules(&["jwt-auth", "rate-limit", "validate"])
        .env("JWT_SECRET", SECRET)
}

fn start() -> Broker {
    shipped().start()
}

fn user(node: &Driver, broker: &Broker, name: &str) -> Client {
    node.connect(name, &broker.url("/"), &signed_in(name))
}

/// The one argument of an event, whose envelope says that it is from `from`; what is in it.
fn opened(args: Vec<Value>, from: &str) -> Value {
    let [envelope] = <[Value; 1]>::try_from(args).expect("one argument");
    assert_eq!(envelope["from"], from, "{envelope}");
    let time = envelope["timestamp"].as_str().unwrap_or_default();
    assert!(
        time.len() == 24 && time.starts_with("20") && time.ends_with('Z'),
        "{envelope}"
    );
    assert_eq!(
        envelope.as_object().map(serde_json::Map::len),
        Some(3),
        "{envelope}"
    );
    envelope["text"].clone()
}

#[test]
fn two_users_chat() {
    let node = Driver::node();
    let broker = start();
    let [alice, bob] = ["alice", "bob"].map(|name| user(&node, &broker, name));
    alice.ok("message", json!(["<b>hello</b> & 'welcome' żółć 🎉"]));
    for client in [&alice, &bob] {
        let text = opened(client.expect("message"), "alice");
        assert_eq!(
            text,
            "&lt;b&gt;hello&lt;&#x2F;b&gt; &amp; &#x27;welcome&#x27; żółć 🎉"
        );
    }
    alice.ok("typing", json!([true]));
    assert_eq!(opened(bob.expect("typing"), "alice"), true);
    for client in [&alice, &bob] {
        client.ok("join", json!(["den"]));
    }
    bob.ok(
        "room message",
        json!([{"room": "den", "text": "in <here>"}]),
    );
    for client in [&alice, &bob] {
        let text = opened(client.expect("room message"), "bob");
        assert_eq!(text, json!({"room": "den", "text": "in &lt;here&gt;"}));
    }
    alice.ok("leave", json!(["den"]));
    bob.ok("room message", json!([{"room": "den", "text": "gone?"}]));
    opened(bob.expect("room message"), "bob");
    bob.ok("message", json!(["to all"]));
    assert_eq!(opened(alice.expect("message"), "bob"), "to all");
}

#[test]
fn what_the_page_never_sends_is_denied() {
    let node = Driver::node();
    let broker = start();
    let alice = user(&node, &broker, "alice");
    for (event, args) in [
        ("message", json!([])),
        ("message", json!([""])),
        ("message", json!([5])),
        ("message", json!(["a", "b"])),
        ("message", json!(["x".repeat(501)])),
        // 101 characters that escaping makes longer than 500: the length of what is delivered counts.
        ("message", json!(["&".repeat(101)])),
        ("room message", json!(["den", "text"])),
        ("room message", json!([{"room": "den"}])),
        (
            "room message",
            json!([{"room": "den", "text": "x", "from": "bob"}]),
        ),
        ("typing", json!(["yes"])),
        ("join", json!([{}])),
    ] {
        let denial = alice.denied(event, args.clone());
        assert_eq!(denial["policy"], "validate", "{event} {args}: {denial}");
        assert_eq!(
            denial["code"], "invalid_arguments",
            "{event} {args}: {denial}"
        );
    }
    alice.ok("message", json!(["x".repeat(500)]));
    alice.ok("message", json!(["&".repeat(100)]));
    // Characters, not bytes.
    alice.ok("message", json!(["ł".repeat(500)]));
    assert_eq!(alice.denied("shout", json!(["x"]))["code"], "no_route");
}

/// What the page's button does: 120 messages at once.
#[test]
fn a_flood_is_limited_with_a_visible_error() {
    let node = Driver::node();
    let broker = start();
    let alice = node.connect_quiet("alice", &broker.url("/"), &signed_in("alice"));
    let bob = user(&node, &broker, "bob");
    let flood = alice
        .flood(
            "message",
            120,
            100_000,
            &json!({"template": "message {seq}"}),
        )
        .wait();
    let (allowed, denied): (Vec<_>, Vec<_>) = flood
        .answers
        .iter()
        .partition(|(_, ack, _)| ack["ok"] == true);
    assert_eq!((allowed.len(), denied.len()), (100, 20));
    for (_, ack, _) in denied {
        let denial = &ack["error"];
        assert_eq!(denial["code"], "rate_limited", "{denial}");
        assert!(
            denial["retry_after_ms"]
                .as_u64()
                .is_some_and(|wait| (1..=60_000).contains(&wait)),
            "{denial}"
        );
    }
    for n in 0..100 {
        assert_eq!(
            opened(bob.expect("message"), "alice"),
            json!(format!("message {n}"))
        );
    }
    bob.ok("message", json!(["still here"]));
}

/// The page is served from another port: its origin is the one that the configuration lets in.
#[test]
fn the_page_s_origin_is_served_and_no_other() {
    let broker = start();
    let status =
        |origin| sluice_tests::raw::upgrade_status(broker.listen, "", &[("Origin", origin)]);
    assert_eq!(status("http://localhost:8080"), 101);
    assert_eq!(status("http://evil.example"), 403);
}
