//! The back ends of the example, in Python and on Node, as they are shipped: they publish, consume and answer.

use std::path::{Path, PathBuf};

use serde_json::json;
use sluice_tests::{Cluster, Driver, Service};

use super::one_each;

const CONFIG: &str = include_str!("../../../../examples/cluster/sluice.toml");

fn script(name: &str) -> PathBuf {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/cluster");
    example.join(name)
}

#[test]
fn back_ends_in_python_and_on_node_serve_clients_of_all_nodes() {
    let cluster = Cluster::start(3, CONFIG);
    let mut python = Service::python(&script("backend.py"), &cluster.nats);
    let node = Service::node(&script("backend.mjs"), &cluster.nats);
    let driver = Driver::node();
    let clients = one_each(&driver, &cluster, [0, 1, 2]);
    for client in &clients {
        client.ok("join", json!(["orders"]));
    }
    for client in &clients {
        // A request's reply is the ack.
        let price = client.ask("price", json!(["tea"]));
        assert_eq!(price, [json!({"item": "tea", "price": 3})]);
        let stock = client.ask("stock", json!(["tea"]));
        assert_eq!(stock, [json!({"item": "tea", "left": 12})]);
        // Stored, taken by the back end, and told to all in a room, wherever they are.
        client.ok("order", json!(["coffee"]));
        for member in &clients {
            let told = member.expect("ordered");
            assert_eq!(told, [json!({"by": client.sid, "item": "coffee"})]);
        }
    }
    // An event to the back end, and an event to everyone in the namespace.
    clients[0].ok("visit", json!(["tea"]));
    for client in &clients {
        assert_eq!(client.expect("popular"), [json!("tea"), json!(1)]);
    }

    // Nobody answers: the client is told. What is durable waits.
    python.kill();
    let denial = clients[1].denied("price", json!(["tea"]));
    assert_eq!(denial["code"], "backend_missing");
    clients[2].ok("order", json!(["tea"]));
    let _python = Service::python(&script("backend.py"), &cluster.nats);
    for member in &clients {
        let told = member.expect("ordered");
        assert_eq!(told, [json!({"by": clients[2].sid, "item": "tea"})]);
    }
    drop(node);
}
