//! What several scenarios say in the same words.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, Nats, Proxy, Relay, Setup, eventually, jwt};

/// The key that the scenarios sign with.
pub(crate) const SECRET: &str = "a-secret-of-32-bytes-for-hmac-256";

/// The routes of Node's reference server in `driver.mjs`.
pub(crate) const RELAY: &str = r#"
    [[namespace]]
    path = "/"
    [[namespace.route]]
    event = "join"
    action = "join"
    room = "/0"
    [[namespace.route]]
    event = "leave"
    action = "leave"
    room = "/0"
    [[namespace.route]]
    event = "all:*"
    action = "emit"
    to = "all"
    [[namespace.route]]
    event = "room:*"
    action = "emit"
    to = "room"
    room = "/0"
    [[namespace.route]]
    event = "*"
    action = "emit"
    to = "others"
"#;

/// Nodes behind a load balancer, which asks them whether they serve.
pub(crate) const BALANCED: &str = r#"
    [server]
    probes = true
    drain_period = "2s"
    [[namespace]]
    path = "/"
    [[namespace.route]]
    event = "echo"
    to = "sender"
    [[namespace.route]]
    event = "*"
    to = "all"
"#;

/// The options of a client that uses WebSocket from the start.
pub(crate) fn websocket() -> Value {
    json!({"transports": ["websocket"]})
}

/// The options of a client that signs in as a user.
pub(crate) fn signed_in(user: &str) -> Value {
    json!({"transports": ["websocket"], "auth": {"token": jwt::user(user, SECRET)}})
}

/// Starts a broker behind a NATS server, connected to it.
pub(crate) fn start_behind(nats: &Nats, setup: Setup) -> Broker {
    let broker = setup.env("SLUICE_CLUSTER__NATS_URL", &nats.url()).start();
    wait_ready(&broker);
    broker
}

pub(crate) fn wait_ready(broker: &Broker) {
    eventually("a node that is ready", || {
        (broker.get("/readyz").status == 200).then_some(())
    });
}

/// Waits until a node says that it is alone.
pub(crate) fn wait_alone(broker: &Broker) {
    eventually("the loss of NATS", || {
        (broker.get("/readyz").status == 503).then_some(())
    });
}

/// Connects clients over WebSocket to the namespace `/`.
pub(crate) fn clients<const N: usize>(
    node: &Driver,
    broker: &Broker,
    names: [&str; N],
) -> [Client; N] {
    names.map(|name| node.connect(name, &broker.url("/"), &websocket()))
}

/// Clients behind a load balancer, each of a network of its own.
pub(crate) struct Visitors {
    pub(crate) clients: Vec<Client>,
    pub(crate) ways: Vec<Relay>,
}

impl Visitors {
    /// `comes` is told a client's name and where it finds the load balancer: its URL, and its options.
    pub(crate) fn connect(
        count: u8,
        driver: &Driver,
        proxy: &Proxy,
        comes: impl Fn(&str, SocketAddr) -> (String, Value),
    ) -> Self {
        let ways: Vec<_> = (1..=count)
            .map(|network| Relay::from_address(IpAddr::from([127, 0, network, 1]), proxy.address))
            .collect();
        let clients = ways.iter().enumerate().map(|(number, way)| {
            let name = format!("visitor-{number}");
            let (url, options) = comes(&name, way.address);
            driver.connect(&name, &url, &options)
        });
        Self {
            clients: clients.collect(),
            ways,
        }
    }
}

/// Waits until a client that comes back by itself is served. What it sends while it has not noticed yet is lost.
pub(crate) fn wait_back(client: &Client, event: &str, args: &Value) {
    eventually("a client that is back", || {
        client.ask_within(event, args.clone(), Duration::from_secs(1))
    });
}

/// Shows that nothing else is under way to `receivers`: each gets the mark next. `all:*` events go to everyone,
/// and what was sent before arrives before.
pub(crate) fn mark(sender: &Client, receivers: &[&Client]) {
    sender.emit("all:mark", json!([sender.name]));
    for receiver in receivers {
        assert_eq!(
            receiver.expect("all:mark"),
            [json!(sender.name)],
            "{}",
            receiver.name
        );
    }
}

/// The code of a denial that the broker itself made.
pub(crate) fn own_code(denial: &Value) -> &str {
    assert!(denial["policy"].is_null(), "a policy made {denial}");
    assert!(
        denial["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty()),
        "{denial}"
    );
    denial["code"].as_str().unwrap_or_default()
}
