//! A node and its NATS server: it serves without, says so, and finds it by itself.

mod login;

use serde_json::json;
use sluice_tests::{Broker, Driver, Nats, Setup, eventually};

use crate::shared::clients;

fn code(broker: &Broker) -> Option<String> {
    let readiness = broker.get("/readyz").json();
    readiness["reasons"][0]["code"].as_str().map(str::to_owned)
}

#[test]
fn a_node_serves_its_own_clients_without_it_and_finds_it_when_it_comes() {
    let mut nats = Nats::start();
    nats.kill();
    let setup = Setup::new("").env("SLUICE_CLUSTER__NATS_URL", &nats.url());
    let broker = setup.start();
    assert_eq!(code(&broker).as_deref(), Some("nats_disconnected"));
    let node = Driver::node();
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    a.ok("hello", json!(["there"]));
    b.expect("hello");

    nats.start_again();
    eventually("a connection", || code(&broker).is_none().then_some(()));
    assert_eq!(broker.metrics().sum("sluice_nats_connected", &[]), 1.0);
    nats.kill();
    eventually("its loss", || code(&broker));
    assert_eq!(broker.metrics().sum("sluice_nats_connected", &[]), 0.0);
    nats.start_again();
    eventually("another connection", || {
        code(&broker).is_none().then_some(())
    });
    assert_eq!(
        broker.metrics().sum("sluice_nats_connections_total", &[]),
        2.0
    );
}
