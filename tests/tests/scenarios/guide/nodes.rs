//! Three servers on NATS in place of Redis, behind the load balancers of the Node server.

use serde_json::json;
use sluice_tests::{Cluster, Driver, Proxy};

use super::{read, signed_in, start};
use crate::shared::{Visitors, wait_back};

fn nginx(cluster: &Cluster) -> Proxy {
    let nodes = [0, 1, 2].map(|node| cluster[node].listen.port());
    Proxy::before("nginx", &read("nginx.conf"), nodes)
}

fn haproxy(cluster: &Cluster) -> Proxy {
    let nodes = [0, 1, 2].map(|node| cluster[node].listen.port());
    Proxy::before("haproxy", &read("haproxy.cfg"), nodes)
}

/// Users of networks of their own, so that they are on different servers.
fn everyone_hears_everyone(cluster: &Cluster, proxy: &Proxy) {
    let driver = Driver::node();
    let users = Visitors::connect(8, &driver, proxy, |user, way| {
        (format!("http://{way}/"), signed_in(user))
    });
    let with_some =
        (0..3).filter(|node| cluster[*node].metrics().sum("sluice_connections", &[]) > 0.0);
    assert!(with_some.count() > 1, "all on one server show nothing");
    for sender in &users.clients {
        sender.ok("message", json!([format!("hello from {}", sender.name)]));
        for user in &users.clients {
            let heard = user.expect("message");
            assert_eq!(heard[0]["from"], sender.name.as_str());
        }
    }
}

#[test]
fn several_servers_are_one_behind_nginx() {
    let cluster = start(3);
    everyone_hears_everyone(&cluster, &nginx(&cluster));
}

#[test]
fn several_servers_are_one_behind_haproxy() {
    let cluster = start(3);
    everyone_hears_everyone(&cluster, &haproxy(&cluster));
}

/// A server dies without a word; its clients come back by themselves, elsewhere.
#[test]
fn clients_come_back_when_a_server_dies() {
    let mut cluster = start(3);
    let proxy = nginx(&cluster);
    let driver = Driver::node();
    let mut options = signed_in("alice");
    options["reconnection"] = json!(true);
    options["reconnectionDelay"] = json!(100);
    let alice = driver.connect("alice", &proxy.url("/"), &options);
    let hers = (0..3).find(|node| cluster[*node].metrics().sum("sluice_connections", &[]) > 0.0);
    cluster[hers.expect("a server with alice")].kill();
    assert_eq!(alice.disconnected(), "transport close");
    wait_back(&alice, "join", &json!(["tearoom"]));
}
