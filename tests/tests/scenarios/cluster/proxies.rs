//! The load balancer configurations of the example, run as they are shipped, before three nodes.

use std::net::IpAddr;

use serde_json::{Value, json};
use sluice_tests::{Backend, Cluster, Driver, Proxy, Relay, Setup, eventually, http};

use crate::shared::{BALANCED, Visitors, wait_back};

/// Clients of twelve networks.
const CLIENTS: u8 = 12;

#[derive(Clone, Copy)]
enum Kind {
    Nginx,
    HaproxySource,
    HaproxyCookie,
}

impl Kind {
    fn start(self, cluster: &Cluster) -> Proxy {
        let nodes = [0, 1, 2].map(|node| cluster[node].listen);
        let example = |name: &str| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/cluster");
            std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
        };
        match self {
            Self::Nginx => Proxy::nginx(&example("nginx.conf"), nodes),
            Self::HaproxySource => Proxy::haproxy(&example("haproxy-source.cfg"), nodes),
            Self::HaproxyCookie => Proxy::haproxy(&example("haproxy-cookie.cfg"), nodes),
        }
    }

    /// The options of a client that never leaves polling.
    fn polling(self) -> Value {
        self.options(&json!({"transports": ["polling"]}))
    }

    fn options(self, options: &Value) -> Value {
        let mut options = options.clone();
        if matches!(self, Self::HaproxyCookie) {
            options["withCredentials"] = json!(true);
        }
        options
    }
}

fn visitors(driver: &Driver, proxy: &Proxy, options: &Value) -> Visitors {
    Visitors::connect(CLIENTS, driver, proxy, |_, way| {
        (format!("http://{way}/"), options.clone())
    })
}

fn cluster() -> Cluster {
    Cluster::start(3, BALANCED)
}

fn connections(cluster: &Cluster, node: usize) -> f64 {
    cluster[node].metrics().sum("sluice_connections", &[])
}

/// Sessions of many requests are whole on three nodes, and what they say reaches those on all of them.
fn polling_clients_stay_where_they_are(kind: Kind) {
    let cluster = cluster();
    let driver = Driver::node();
    let proxy = kind.start(&cluster);
    let visitors = visitors(&driver, &proxy, &kind.polling());
    for node in 0..3 {
        assert!(
            connections(&cluster, node) > 0.0,
            "nobody is on node {node}"
        );
    }
    for round in 0..20 {
        for client in &visitors.clients {
            client.ok("echo", json!([client.name, round]));
            assert_eq!(client.expect("echo")[1], json!(round));
        }
    }
    for sender in &visitors.clients {
        sender.ok("news", json!([sender.name]));
        for client in &visitors.clients {
            assert_eq!(
                client.expect("news"),
                [json!(sender.name)],
                "{}",
                client.name
            );
        }
    }
    // A body that is more than a proxy holds in memory by default.
    let large = "x".repeat(500_000);
    for client in &visitors.clients[..3] {
        client.ok("echo", json!([large, {"$bin": "AAEC"}]));
        assert_eq!(
            client.expect("echo"),
            [json!(large), json!({"$bin": "AAEC"})]
        );
    }
}

#[test]
fn polling_clients_stay_where_they_are_behind_nginx() {
    polling_clients_stay_where_they_are(Kind::Nginx);
}

#[test]
fn polling_clients_stay_where_they_are_behind_haproxy_by_their_address() {
    polling_clients_stay_where_they_are(Kind::HaproxySource);
}

#[test]
fn polling_clients_stay_where_they_are_behind_haproxy_by_a_cookie() {
    polling_clients_stay_where_they_are(Kind::HaproxyCookie);
}

/// A client as it is by default begins with polling and moves to a WebSocket, on the node where it began.
fn clients_move_to_a_websocket(kind: Kind) {
    let cluster = cluster();
    let driver = Driver::node();
    let proxy = kind.start(&cluster);
    let options = kind.options(&json!({"transports": ["polling", "websocket"]}));
    let visitors = visitors(&driver, &proxy, &options);
    for client in &visitors.clients {
        assert_eq!(client.upgraded(), "websocket");
        client.ok("echo", json!([]));
    }
    let hidden = http::request(proxy.address, "GET", "/metrics", &[], &[]).unwrap();
    assert_eq!(hidden.status, 404, "operators' paths are not for the world");
}

#[test]
fn clients_move_to_a_websocket_behind_nginx() {
    clients_move_to_a_websocket(Kind::Nginx);
}

#[test]
fn clients_move_to_a_websocket_behind_haproxy_by_their_address() {
    clients_move_to_a_websocket(Kind::HaproxySource);
}

#[test]
fn clients_move_to_a_websocket_behind_haproxy_by_a_cookie() {
    clients_move_to_a_websocket(Kind::HaproxyCookie);
}

/// While a node is told to stop and is gone, clients come in all the time, and those that were on it come back.
fn a_node_may_leave(kind: Kind) {
    let mut cluster = cluster();
    let driver = Driver::node();
    let proxy = kind.start(&cluster);
    let mut options = kind.polling();
    options["reconnection"] = json!(true);
    options["reconnectionDelay"] = json!(100);
    let visitors = visitors(&driver, &proxy, &options);
    cluster[0].signal_term();
    let mut late = 0;
    while cluster[0].runs() {
        let way = &visitors.ways[late % visitors.ways.len()];
        let url = format!("http://{}/", way.address);
        // Whoever begins in the moment in which a node goes has to try again.
        eventually("a client that comes in", || {
            late += 1;
            driver
                .try_connect(&format!("late-{late}"), &url, &kind.polling())
                .ok()
        })
        .disconnect();
    }
    assert!(late > 0);
    for client in &visitors.clients {
        wait_back(client, "echo", &json!([]));
    }
}

#[test]
fn a_node_may_leave_behind_nginx() {
    a_node_may_leave(Kind::Nginx);
}

#[test]
fn a_node_may_leave_behind_haproxy_by_addresses() {
    a_node_may_leave(Kind::HaproxySource);
}

#[test]
fn a_node_may_leave_behind_haproxy_with_cookies() {
    a_node_may_leave(Kind::HaproxyCookie);
}

/// What a node learns of its clients: their address, and how they came.
fn clients_are_introduced(kind: Kind) {
    let backend = Backend::start();
    backend.answer("/admit", 204, "");
    let host = backend.url().replace("http://", "");
    let config = format!(
        r#"
        [server]
        probes = true
        [[policy]]
        name = "webhook-auth"
        grant = ["http"]
        http = {{ hosts = ["http://{host}"] }}
        [policy.config]
        url = "{}/admit"
        headers = ["host", "x-forwarded-for", "x-forwarded-proto"]
        "#,
        backend.url()
    );
    let cluster = Cluster::start_with(3, |_| Setup::new(&config).modules(&["webhook-auth"]));
    let driver = Driver::node();
    let proxy = kind.start(&cluster);
    let way = Relay::from_address(IpAddr::from([127, 0, 9, 9]), proxy.address);
    let url = format!("http://{}/", way.address);
    driver.connect("visitor", &url, &kind.polling());
    let asked: Value = serde_json::from_slice(&backend.asked()[0].body).unwrap();
    assert_eq!(
        asked["headers"],
        json!({
            "host": way.address.to_string(),
            "x-forwarded-for": "127.0.9.9",
            "x-forwarded-proto": "http",
        })
    );
}

#[test]
fn clients_are_introduced_by_nginx() {
    clients_are_introduced(Kind::Nginx);
}

#[test]
fn clients_are_introduced_by_haproxy() {
    clients_are_introduced(Kind::HaproxySource);
}
