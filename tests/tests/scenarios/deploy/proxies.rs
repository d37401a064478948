//! nginx, HAProxy and Caddy before three nodes.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use sluice_tests::{Cluster, Driver, Proxy, Record, Relay, Setup, eventually, http};

use crate::shared::{BALANCED, Visitors, wait_back};

const CLIENTS: u8 = 6;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Nginx,
    Haproxy,
    Caddy,
}

impl Kind {
    fn start(self, cluster: &Cluster) -> Proxy {
        let nodes = [0, 1, 2].map(|node| cluster[node].listen);
        match self {
            Self::Nginx => Proxy::deployed_nginx(nodes),
            Self::Haproxy => Proxy::deployed_haproxy(nodes),
            Self::Caddy => Proxy::deployed_caddy(nodes),
        }
    }

    fn url(self, address: SocketAddr) -> String {
        match self {
            Self::Nginx | Self::Haproxy => format!("https://{address}/"),
            Self::Caddy => format!("http://{address}/"),
        }
    }

    /// Clients of six networks: each node has some, whoever counts.
    fn visitors(self, driver: &Driver, proxy: &Proxy, options: &Value) -> Visitors {
        Visitors::connect(CLIENTS, driver, proxy, |_, way| {
            (self.url(way), options.clone())
        })
    }

    /// Of a client that keeps cookies and believes the test's certificate.
    fn options(self, transports: &[&str]) -> Value {
        json!({
            "transports": transports,
            "withCredentials": true,
            "rejectUnauthorized": false,
        })
    }
}

/// Sessions of many requests are whole, those that upgrade do so where they began, and everyone hears everyone.
fn clients_are_served(kind: Kind) {
    let cluster = Cluster::start(3, BALANCED);
    let driver = Driver::node();
    let proxy = kind.start(&cluster);
    let polling = kind.visitors(&driver, &proxy, &kind.options(&["polling"]));
    for round in 0..5 {
        for client in &polling.clients {
            client.ok("echo", json!([client.name, round]));
            assert_eq!(client.expect("echo")[1], json!(round));
        }
    }
    // A body that is more than a proxy holds in memory by default.
    let large = "x".repeat(500_000);
    polling.clients[0].ok("echo", json!([large]));
    assert_eq!(polling.clients[0].expect("echo"), [json!(large)]);
    let url = kind.url(proxy.address);
    let upgraded = driver.connect("upgraded", &url, &kind.options(&["polling", "websocket"]));
    assert_eq!(upgraded.upgraded(), "websocket");
    let direct = driver.connect("direct", &url, &kind.options(&["websocket"]));
    direct.ok("news", json!(["of the day"]));
    for client in polling.clients.iter().chain([&upgraded, &direct]) {
        assert_eq!(
            client.expect("news"),
            [json!("of the day")],
            "{}",
            client.name
        );
    }
    let mut elsewhere = kind.options(&["polling"]);
    elsewhere["path"] = json!("/metrics");
    let refused = driver.try_connect("operator", &url, &elsewhere).err();
    let status = refused.and_then(|refusal| refusal.status);
    assert_eq!(status, Some(404), "operators' paths are not for the world");
}

#[test]
fn clients_are_served_behind_nginx() {
    clients_are_served(Kind::Nginx);
}

#[test]
fn clients_are_served_behind_haproxy() {
    clients_are_served(Kind::Haproxy);
}

#[test]
fn clients_are_served_behind_caddy() {
    clients_are_served(Kind::Caddy);
}

/// A node is told to stop, drains and is gone: its clients come back on others, and new ones come in all the time.
fn a_node_may_leave(kind: Kind) {
    let mut cluster = Cluster::start(3, BALANCED);
    let driver = Driver::node();
    let proxy = kind.start(&cluster);
    let mut options = kind.options(&["websocket"]);
    options["reconnection"] = json!(true);
    options["reconnectionDelay"] = json!(100);
    let visitors = kind.visitors(&driver, &proxy, &options);
    cluster[0].signal_term();
    let url = kind.url(proxy.address);
    let mut late = 0;
    while cluster[0].runs() {
        eventually("a client that comes in", || {
            let name = format!("late-{late}");
            late += 1;
            let once = kind.options(&["websocket"]);
            driver.try_connect(&name, &url, &once).ok()
        })
        .disconnect();
    }
    for client in &visitors.clients {
        wait_back(client, "echo", &json!([]));
    }
    let connections = |node: usize| cluster[node].metrics().sum("sluice_connections", &[]);
    eventually("all of them on the nodes that stay", || {
        (connections(1) + connections(2) == f64::from(CLIENTS)).then_some(())
    });
}

#[test]
fn a_node_may_leave_behind_nginx_with_tls() {
    a_node_may_leave(Kind::Nginx);
}

#[test]
fn a_node_may_leave_behind_haproxy_with_tls() {
    a_node_may_leave(Kind::Haproxy);
}

#[test]
fn a_node_may_leave_behind_caddy() {
    a_node_may_leave(Kind::Caddy);
}

/// What is not TLS at a listener of TLS goes no further.
#[test]
fn nobody_comes_in_without_tls() {
    let cluster = Cluster::start(3, BALANCED);
    for kind in [Kind::Nginx, Kind::Haproxy] {
        let proxy = kind.start(&cluster);
        let plain = http::request(proxy.address, "GET", "/socket.io/", &[], &[]);
        assert!(plain.is_err() || plain.is_ok_and(|response| response.status == 400));
    }
}

/// The nodes know clients by their own addresses, whatever they say of themselves.
fn clients_are_introduced(kind: Kind) {
    let config = BALANCED.replacen(
        "[server]",
        "[server]\n    trusted_proxies = [\"127.0.0.1\"]",
        1,
    );
    let cluster = Cluster::start(3, &config);
    let driver = Driver::node();
    let proxy = kind.start(&cluster);
    introduced(&cluster, &driver, proxy.address, &|address| {
        let mut options = kind.options(&["websocket"]);
        options["extraHeaders"] = json!({"X-Forwarded-For": "10.9.8.7"});
        (kind.url(address), options)
    });
}

fn introduced(
    cluster: &Cluster,
    driver: &Driver,
    proxy: SocketAddr,
    comes: &dyn Fn(SocketAddr) -> (String, Value),
) {
    let way = Relay::from_address(IpAddr::from([127, 0, 9, 9]), proxy);
    let (url, options) = comes(way.address);
    driver.connect("visitor", &url, &options);
    eventually("a visitor with its own address", || {
        let on = |node: usize| {
            let connected = |record: &&Record| record.message() == "connected";
            cluster[node].logs.find(connected)
        };
        let came = (0..3).flat_map(on).next()?;
        assert_eq!(came.field("address"), "127.0.9.9", "{came:?}");
        Some(())
    });
}

#[test]
fn clients_are_introduced_by_nginx_with_tls() {
    clients_are_introduced(Kind::Nginx);
}

#[test]
fn clients_are_introduced_by_haproxy_with_tls() {
    clients_are_introduced(Kind::Haproxy);
}

#[test]
fn clients_are_introduced_by_caddy() {
    clients_are_introduced(Kind::Caddy);
}

/// The brokers end TLS, and are told by the PROXY protocol who it is.
#[test]
fn brokers_that_end_tls_know_their_clients_behind_haproxy() {
    let config = BALANCED.replacen(
        "[server]",
        "[server]\n    trusted_proxies = [\"127.0.0.1\"]\n    proxy_protocol = true\n    \
         tls = { cert = \"cert.pem\", key = \"key.pem\" }",
        1,
    );
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut cluster = Cluster::start_with(3, |_| {
        Setup::new(&config)
            .file("cert.pem", made.cert.pem())
            .file("key.pem", made.signing_key.serialize_pem())
    });
    let driver = Driver::node();
    let nodes = [0, 1, 2].map(|node| cluster[node].listen);
    let proxy = Proxy::deployed_haproxy_tcp(nodes);
    let polling = |address| {
        let url = format!("https://{address}/");
        (
            url,
            json!({"transports": ["polling"], "rejectUnauthorized": false}),
        )
    };
    introduced(&cluster, &driver, proxy.address, &polling);

    // Who drains is left out, and whoever comes is served by others.
    cluster[0].signal_term();
    let mut late = 0;
    while cluster[0].runs() {
        eventually("a client that comes in", || {
            late += 1;
            let (url, options) = polling(proxy.address);
            driver
                .try_connect(&format!("late-{late}"), &url, &options)
                .ok()
        })
        .ok("echo", json!([]));
    }
}
