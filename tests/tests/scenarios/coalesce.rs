//! Of many events that share a key, the newest is delivered once a window; the last one always arrives.

use serde_json::{Value, json};
use sluice_tests::{Client, Driver};

use crate::effects::doer;
use crate::shared::websocket;

/// Sends so many numbered events, from 1, at once: the acks of all of them.
fn burst(client: &Client, event: &str, count: u64) -> Vec<Value> {
    let options = json!({"ack": true, "first": 1});
    let mut answers = client
        .flood(event, count, 1_000_000, &options)
        .wait()
        .answers;
    answers.sort_by_key(|(number, ..)| *number);
    answers.into_iter().map(|(_, ack, _)| ack).collect()
}

const DELIVERED: &str = r#"{"ok":true}"#;
const SUPERSEDED: &str = r#"{"ok":true,"superseded":true}"#;

fn acks(of: &[&str]) -> Vec<Value> {
    of.iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect()
}

#[test]
fn the_first_goes_at_once_and_the_last_when_the_window_ends() {
    let broker = doer("config = { window_ms = 1000 }");
    let node = Driver::node();
    let ann = node.connect("ann", &broker.url("/"), &websocket());
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    let answers = burst(&ann, "move", 4);
    assert_eq!(
        answers,
        acks(&[DELIVERED, SUPERSEDED, SUPERSEDED, DELIVERED])
    );
    assert_eq!(bob.expect("move"), [json!(1)]);
    assert_eq!(bob.expect("move"), [json!(4)]);
    let metrics = broker.metrics();
    let dropped = metrics.sum("sluice_events_dropped_total", &[("reason", "superseded")]);
    assert_eq!(dropped, 2.0);
}

#[test]
fn without_a_leading_one_only_the_last_arrives() {
    let broker = doer("config = { window_ms = 1000 }");
    let node = Driver::node();
    let ann = node.connect("ann", &broker.url("/"), &websocket());
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    let answers = burst(&ann, "settle", 3);
    assert_eq!(answers, acks(&[SUPERSEDED, SUPERSEDED, DELIVERED]));
    assert_eq!(bob.expect("settle"), [json!(3)]);
}

/// What has the shorter window is due first, also if it came later.
#[test]
fn a_short_window_does_not_wait_for_a_long_one() {
    let broker = doer("config = { window_ms = 1000 }");
    let node = Driver::node();
    let ann = node.connect("ann", &broker.url("/"), &websocket());
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    ann.emit("someday", json!(["long"]));
    assert_eq!(burst(&ann, "settle", 2), acks(&[SUPERSEDED, DELIVERED]));
    assert_eq!(bob.expect("settle"), [json!(2)]);
    // The long one is still there.
    ann.disconnect();
    assert_eq!(bob.expect("someday"), [json!("long")]);
}

/// A window that nobody lives to see the end of: with its socket, what waits is due.
#[test]
fn what_waits_is_delivered_when_its_socket_ends() {
    let broker = doer("config = { window_ms = 60000 }");
    let node = Driver::node();
    let ann = node.connect("ann", &broker.url("/"), &websocket());
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    for n in 1..=3 {
        ann.emit("move", json!([n]));
    }
    ann.emit("settle", json!(["s"]));
    // Another socket has a window of its own, and other events do not wait.
    let cat = node.connect("cat", &broker.url("/"), &websocket());
    cat.ok("move", json!(["cat"]));
    ann.ok("other", json!([]));
    cat.expect("other");
    assert_eq!(bob.expect("move"), [json!(1)]);
    assert_eq!(bob.expect("move"), [json!("cat")]);
    bob.expect("other");
    ann.disconnect();
    assert_eq!(bob.expect("move"), [json!(3)]);
    assert_eq!(bob.expect("settle"), [json!("s")]);
    bob.expect("left");
}
