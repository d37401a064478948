//! SIGTERM under load: clients are told, nothing new is let in, and the process ends in time.

use std::time::Duration;

use serde_json::json;
use sluice_tests::{Broker, Client, Driver, eventually, http};

use crate::shared::{RELAY, websocket};

#[test]
fn a_broker_that_is_told_to_stop_says_goodbye_and_goes() {
    let node = Driver::node();
    let period = Duration::from_secs(2);
    let mut broker = Broker::start(&format!("[server]\ndrain_period = \"2s\"\n{RELAY}"), &[]);
    let names: Vec<String> = (0..20).map(|n| format!("client-{n}")).collect();
    let clients: Vec<_> = names
        .iter()
        .map(|name| node.connect(name, &broker.url("/"), &websocket()))
        .collect();
    let polling = node.connect(
        "polling",
        &broker.url("/"),
        &json!({"transports": ["polling"]}),
    );
    assert_eq!(broker.get("/readyz").status, 200);
    let floods: Vec<_> = clients[..4]
        .iter()
        .map(|client| {
            client.flood(
                "room:none",
                100_000,
                200,
                &json!({"ack": false, "template": "none"}),
            )
        })
        .collect();
    eventually("events", || {
        (broker.metrics().sum("sluice_events_received_total", &[]) > 100.0).then_some(())
    });

    broker.signal_term();
    // While it drains, it says that it is not ready and takes no new client.
    let not_ready = eventually("readiness to go", || {
        http::request(broker.admin(), "GET", "/readyz", &[], &[])
            .ok()
            .filter(|response| response.status == 503)
    });
    assert!(not_ready.text().contains("drain"), "{}", not_ready.text());
    let late = node
        .try_connect("late", &broker.url("/"), &websocket())
        .map(|client| client.sid);
    assert!(late.is_err(), "let in while draining: {late:?}");

    let (code, took) = broker.wait_exit();
    assert_eq!(code, 0);
    // The period, and a little for a machine that does other things.
    assert!(took < period + Duration::from_secs(2), "{took:?}");
    for client in clients.iter().chain([&polling]) {
        // Clients connect again by themselves after this reason, and would not after "io server disconnect".
        assert_eq!(client.disconnected(), "transport close", "{}", client.name);
    }
    eventually("every goodbye in the log", || {
        let told = broker
            .logs
            .find(|record| record.message() == "disconnected");
        (told.len() == clients.len() + 1).then_some(())
    });
    drop(floods);
}

#[test]
fn without_clients_it_goes_at_once() {
    let mut broker = Broker::start("[server]\ndrain_period = \"30s\"\n", &[]);
    broker.signal_term();
    let (code, took) = broker.wait_exit();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// Clients are closed over the period, not in one blow that would make all of them reconnect at once.
#[test]
fn goodbyes_are_spread_over_the_period() {
    let node = Driver::node();
    let mut broker = Broker::start(
        &format!("[server]\ndrain_period = \"1500ms\"\n{RELAY}"),
        &[],
    );
    let clients: Vec<_> = (0..30)
        .map(|n| node.connect(&format!("c{n}"), &broker.url("/"), &websocket()))
        .collect();
    broker.signal_term();
    let mut ends: Vec<_> = clients.iter().map(Client::disconnected_at).collect();
    ends.sort();
    let spread = ends[29] - ends[0];
    assert!(spread > Duration::from_millis(500), "{spread:?}");
    assert_eq!(broker.wait_exit().0, 0);
}

#[test]
fn an_interrupt_from_the_terminal_ends_it_too() {
    let mut broker = Broker::start("", &[]);
    broker.signal_interrupt();
    assert_eq!(broker.wait_exit().0, 0);
}
