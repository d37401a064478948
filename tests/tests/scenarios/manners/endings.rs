//! How the official client is told that the server has ended it, and whether it connects again by itself.

use serde_json::{Value, json};
use sluice_tests::{Client, Driver};

use super::servers::{Case, Servers};

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
    Case::new(format!("{name} ({transport})"), move |to| {
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
#[ignore = "the broker's own way out of a WebSocket is being built"]
fn clients_are_told_the_reasons_of_nodes_server() {
    let servers = Servers::hasty();
    let cases: Vec<_> = CAUSES
        .iter()
        .flat_map(|(name, provoke)| {
            ["websocket", "polling"]
                .map(|transport| case(&servers.driver, transport, name, *provoke))
        })
        .collect();
    servers.compare(&cases);
}

/// A client connects again by itself, and finds another server.
#[test]
fn clients_are_told_that_the_server_goes_as_by_nodes_server() {
    let servers = Servers::start(&json!({}), "drain_period = \"100ms\"");
    let clients = ["websocket", "polling"].map(|transport| {
        let opts = json!({"transports": [transport]});
        [servers.node, servers.broker.listen].map(|to| {
            let name = format!("{transport} {to}");
            servers
                .driver
                .connect(&name, &format!("http://{to}/"), &opts)
        })
    });
    servers.driver.close_echo(servers.node);
    servers.broker.signal_term();
    for [node, broker] in clients {
        let told = |client: &Client| (client.disconnected(), client.state()["active"].clone());
        assert_eq!(told(&node), told(&broker));
    }
}
