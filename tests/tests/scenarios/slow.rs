//! A client that does not read is let go, counted, and costs nobody else an event.

use serde_json::json;
use sluice_tests::{Broker, Driver, eventually, raw};

use crate::shared::{RELAY, websocket};

#[test]
fn a_slow_client_is_disconnected_and_counted_and_others_lose_nothing() {
    let node = Driver::node();
    let config = format!(
        "[server]\nping_interval = \"1s\"\nping_timeout = \"60s\"\n[server.slow_client]\nmax_queued_messages = 64\n{RELAY}"
    );
    let broker = Broker::start(&config, &[]);
    let sender = node.connect("sender", &broker.url("/"), &websocket());
    let reader = node.connect_quiet("reader", &broker.url("/"), &websocket());
    let slow: raw::Socket = broker.socket().connected();
    let sid = slow.id.clone();

    // Far more than the kernel's buffers hold, so that the broker has to queue; then the queue overflows.
    let count = 800;
    let text = "x".repeat(20_000);
    let flood = sender.flood("big", count, 400, &json!({"template": {"text": text}}));
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
