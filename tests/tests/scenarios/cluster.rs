//! Several brokers on one NATS server are one broker, and what becomes of that when parts of it fail.

mod backends; // the example's
mod delivery;
mod everywhere;
mod nats;
mod nodes;
mod order;
mod partition;
mod presence;
mod proxies;
mod rolling;
mod stream;

use serde_json::json;
use sluice_tests::{Client, Cluster, Driver, eventually};

use self::stream::Stream;
use crate::shared::websocket;

/// A client over WebSocket on each of these nodes; client `c1` is on node 1.
fn one_each<const N: usize>(driver: &Driver, cluster: &Cluster, nodes: [usize; N]) -> [Client; N] {
    nodes.map(|node| {
        let url = cluster[node].url("/");
        driver.connect(&format!("c{node}"), &url, &websocket())
    })
}

/// The same with clients that keep what they receive.
fn one_quiet_each<const N: usize>(
    driver: &Driver,
    cluster: &Cluster,
    nodes: [usize; N],
) -> [Client; N] {
    nodes.map(|node| {
        let url = cluster[node].url("/");
        driver.connect_quiet(&format!("q{node}"), &url, &websocket())
    })
}

/// The numbers that a client has received as the second argument of `room:x`.
fn numbers(client: &Client) -> Vec<u64> {
    let received = client.collect();
    let events = received.iter().filter(|event| event[0] == "room:x");
    events
        .map(|event| event[2].as_u64().expect("a number"))
        .collect()
}

/// The same, until they are what is waited for.
fn numbers_until(client: &Client, what: &str, is_all: impl Fn(&[u64]) -> bool) -> Vec<u64> {
    let mut heard = Vec::new();
    eventually(what, || {
        heard.extend(numbers(client));
        is_all(&heard).then_some(())
    });
    heard
}

/// Sends a number into a room.
fn number(sender: &Client, room: &str, number: u64) {
    sender.emit("room:x", json!([room, number]));
}

/// What the nodes say of events for other nodes. Every one is sent or dropped by its sender, and received or missed by its
/// receiver: what was dropped is missed as well.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Accounts {
    sent: f64,
    received: f64,
    dropped: f64,
    missing: f64,
}

impl Accounts {
    fn of(cluster: &Cluster, nodes: &[usize]) -> Self {
        let sum = |name: &str| cluster.sum(nodes, &format!("sluice_cluster_{name}_total"), &[]);
        Self {
            sent: sum("sent"),
            received: sum("received"),
            dropped: sum("dropped"),
            missing: sum("missing"),
        }
    }

    /// Waits until every event that these nodes had for each other has come, or is known to be missing.
    fn settled(cluster: &Cluster, nodes: &[usize]) -> Self {
        let mut last = None;
        let settled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("accounts that agree", || {
                let accounts = Self::of(cluster, nodes);
                last = Some(accounts);
                let Self {
                    sent,
                    received,
                    dropped,
                    missing,
                } = accounts;
                (sent + dropped == received + missing).then_some(accounts)
            })
        }));
        settled.unwrap_or_else(|_| panic!("accounts that do not agree: {last:?}"))
    }
}

/// What is said while node 2 is away for less than it may be arrives there, whole and in order.
fn nothing_is_lost(cluster: &Cluster, goes: impl FnOnce(), returns: impl FnOnce()) {
    let driver = Driver::node();
    let [a] = one_each(&driver, cluster, [0]);
    let [away] = one_quiet_each(&driver, cluster, [2]);
    away.ok("join", json!(["r"]));
    let stream = Stream::begin(&a, "r");
    stream.goes_on(20);
    goes();
    stream.goes_on(100);
    returns();
    let sent = stream.end();
    away.wait_received(usize::try_from(sent).unwrap());
    assert!(numbers(&away).into_iter().eq(0..sent));
    let accounts = Accounts::settled(cluster, &[0, 1, 2]);
    assert_eq!(
        (accounts.missing, accounts.dropped),
        (0.0, 0.0),
        "{accounts:?}"
    );
}

/// A client joins a room on one node, and what another sends into it from then on arrives: everything is as it should
/// be between the two.
fn reach_each_other(room: &str, clients: &[&Client]) {
    for member in clients {
        member.ok("join", json!([room]));
    }
    for sender in clients {
        sender.ok("room:hello", json!([room, sender.name]));
        for member in clients.iter().filter(|member| member.name != sender.name) {
            let heard = member.expect("room:hello");
            // A policy may have added something.
            let expected = [json!(room), json!(sender.name)];
            assert_eq!(heard.get(..2), Some(&expected[..]), "{}", member.name);
        }
    }
}
