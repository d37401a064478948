//! How the official client is told that the server has ended it, and whether it connects again by itself.

use serde_json::{Value, json};
use sluice_tests::{Client, Driver};

use super::servers::{Case, Servers};
use crate::shared::websocket;

type Provoke = fn(&Client);

/// What makes a server end a client.
const CAUSES: &[(&str, Provoke)] = &[
    ("disconnected by the server", |client| {
        client.emit("bye", json!([]))
    }),
    ("a message that is no packet", |client| client.write("4abc")),
    ("an unknown engine packet", |client| client.write("7")),
    ("a ping from the client", |client| client.write("2")),
    ("what is no JSON", |client| client.write(r#"42["x""#)),
    ("a second connect", |client| client.write("40")),
    ("a namespace never entered", |client| {
        client.write(r#"42/custom,["x"]"#)
    }),
    ("bytes that nothing announced", |client| {
        client.write("bAAA=")
    }),
    ("a payload too large", |client| {
        client.emit("x", json!(["y".repeat(20_000)]));
    }),
    ("heartbeats that are not answered", Client::mute),
];

fn case(driver: &Driver, transport: &'static str, name: &'static str, provoke: Provoke) -> Case {
    let driver = driver.clone();
    Case::new(format!("told of {name} ({transport})"), move |to| {
        let opts = json!({"transports": [transport]});
        let name = format!("{name} {transport} {to}");
        let client = driver.connect(&name, &format!("http://{to}/"), &opts);
        provoke(&client);
        let reason = client.disconnected();
        let is_active = client.state()["active"] == Value::Bool(true);
        vec![format!("{reason}, connects again: {is_active}")]
    })
}

#[test]
fn clients_are_told_the_reasons_of_nodes_server() {
    let servers = Servers::hasty();
    // Node's server tells these only to a poll that waits, and nobody can know whether one does.
    let is_known = |transport, name| {
        let untold = ["an unknown engine packet", "a ping from the client"];
        transport == "websocket" || !untold.contains(&name)
    };
    let ways = CAUSES
        .iter()
        .flat_map(|cause| ["websocket", "polling"].map(|transport| (transport, cause.0, cause.1)));
    let cases: Vec<_> = ways
        .filter(|(transport, name, _)| is_known(*transport, *name))
        .map(|(transport, name, provoke)| case(&servers.driver, transport, name, provoke))
        .collect();
    servers.compare(&cases);
}

/// A client connects again by itself, and finds another server.
#[test]
fn clients_are_told_that_the_server_goes_as_by_nodes_server() {
    let servers = Servers::start(&json!({}), "drain_period = \"2s\"");
    let [node, broker] = [servers.node, servers.broker.listen].map(|to| {
        let url = format!("http://{to}/");
        servers.driver.connect(&url, &url, &websocket())
    });
    servers.driver.close_echo(servers.node);
    servers.broker.signal_term();
    let told = |client: &Client| (client.disconnected(), client.state()["active"].clone());
    assert_eq!(told(&node), told(&broker));
}
