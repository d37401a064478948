//! A client that does not read is let go, counted, and costs nobody else an event.

use serde_json::json;
use sluice_tests::{Broker, Driver, eventually, raw};

use crate::shared::{RELAY, websocket};

#[test]
fn a_slow_client_is_disconnected_and_counted_and_others_lose_nothing() {
    let node = Driver::node();
    let config = format!(
        "[server]\nping_interval = \"1s\"\nping_timeout = \"60s\"\n[server.slow_client]\nmax_queued_messages = 400\nmax_queued_bytes = \"16MiB\"\n{RELAY}"
    );
    let broker = Broker::start(&config, &[]);
    let sender = node.connect("sender", &broker.url("/"), &websocket());
    let reader = node.connect_quiet("reader", &broker.url("/"), &websocket());
    let slow: raw::Socket = broker.socket().connected();
    let sid = slow.id.clone();

    // Far more than the kernel's buffers hold, so that the broker has to queue; then the queue overflows. It holds more
    // than a second's events: whoever reads has to get their turn on a busy machine.
    let count = 800;
    let text = "x".repeat(20_000);
    let flood = sender.flood("big", count, 300, &json!({"template": {"text": text}}));
    assert!(
        flood
            .wait()
            .answers
            .iter()
            .all(|(_, ack, _)| *ack == json!({"ok": true}))
    );
    reader.wait_received(usize::try_from(count).unwrap());
    let received = reader.collect();
    assert!(
        received
            .iter()
            .map(|event| event[1]["seq"].as_u64())
            .eq((0..count).map(Some)),
        "all, in order"
    );

    eventually("the slow client counted", || {
        (broker
            .metrics()
            .sum("sluice_slow_client_disconnects_total", &[])
            == 1.0)
            .then_some(())
    });
    let record = broker.logs.wait("the slow client's end", |record| {
        record.message() == "disconnected" && record.has("socket", &sid)
    });
    assert!(
        record
            .field("reason")
            .as_str()
            .is_some_and(|reason| reason.contains("slow")),
        "{}",
        record.line
    );
    eventually("two connections left", || {
        (broker.metrics().sum("sluice_connections", &[]) == 2.0).then_some(())
    });
    drop(slow);
}

/// Events of a volatile route: a client that takes nothing misses them and stays, everyone else gets all of them.
#[test]
fn volatile_events_are_skipped_for_a_client_that_takes_nothing() {
    let node = Driver::node();
    let config = r#"
[server.slow_client]
max_stall = "1h"
[[namespace]]
path = "/"
[[namespace.route]]
event = "position"
to = "others"
volatile = true
[[namespace.route]]
event = "*"
to = "others"
"#;
    let broker = Broker::start(config, &[]);
    let sender = node.connect("sender", &broker.url("/"), &websocket());
    let reader = node.connect_quiet("reader", &broker.url("/"), &websocket());
    let mut idle = broker.socket().connected();

    // One at a time, so that who reads has always taken the last one. 20 MB do not fit into what the kernel holds for
    // who does not; then it reads on, and finds itself in good standing.
    let count = 400;
    let text = "x".repeat(50_000);
    for number in 1..=count {
        sender.ok("position", json!([text]));
        reader.wait_received(number);
    }
    sender.ok("last", json!([]));
    let mut received = 0.0;
    loop {
        match idle.packet() {
            raw::Packet::Text(text) if text.starts_with(r#"42["position""#) => received += 1.0,
            raw::Packet::Text(text) => {
                assert_eq!(text, r#"42["last"]"#);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    // Only now is it certain that all of them have come to where the idle one is.
    let skipped = broker
        .metrics()
        .sum("sluice_events_dropped_total", &[("reason", "volatile")]);
    assert!(skipped > 0.0, "{skipped}");
    assert_eq!(received + skipped, 400.0);
}

/// No bound is reached; it just stops.
#[test]
fn a_client_that_stops_reading_is_gone_within_a_second_or_so() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let sender = node.connect("sender", &broker.url("/"), &websocket());
    let reader = node.connect_quiet("reader", &broker.url("/"), &websocket());
    let stopped = broker.socket().connected();
    let text = "x".repeat(20_000);
    let flood = sender.flood("big", 300, 300, &json!({"template": {"text": text}}));
    let record = broker.logs.wait("the end of who stopped", |record| {
        record.message() == "disconnected" && record.has("socket", &stopped.id)
    });
    assert!(record.has("reason", "slow client"), "{}", record.line);
    flood.wait();
    reader.wait_received(300);
    let counted = broker
        .metrics()
        .sum("sluice_slow_client_disconnects_total", &[]);
    assert_eq!(counted, 1.0);
}
