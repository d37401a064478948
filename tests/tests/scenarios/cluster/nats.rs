//! The NATS server dies, hangs and restarts: clients stay, every node serves its own, and what is lost is counted.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_tests::{Bus, Client, Cluster, Driver, Nats, Setup, eventually, policy};

use super::stream::Stream;
use super::{Accounts, numbers, one_each, one_quiet_each, reach_each_other};
use crate::rollout::push;
use crate::shared::RELAY;

/// A stream of events from node 0 to a member there and one on node 1, while something happens.
struct Scene {
    cluster: Cluster,
    clients: [Client; 3],
    near: Client,
    far: Client,
    stream: Stream,
}

impl Scene {
    fn begin() -> Self {
        let cluster = Cluster::start(3, RELAY);
        let driver = Driver::node();
        let clients = one_each(&driver, &cluster, [0, 1, 2]);
        let [near, far] = one_quiet_each(&driver, &cluster, [0, 1]);
        for member in [&near, &far] {
            member.ok("join", json!(["r"]));
        }
        let stream = Stream::begin(&clients[0], "r");
        stream.goes_on(50);
        Self {
            cluster,
            clients,
            near,
            far,
            stream,
        }
    }

    /// Ends it after all nodes have found each other. How many events were sent, and how many came.
    fn end(self) -> (u64, u64) {
        let Self {
            cluster,
            clients,
            near,
            far,
            stream,
        } = self;
        cluster.wait_whole();
        stream.goes_on(50);
        let sent = stream.end();
        // Its own clients have been served all the while.
        near.wait_received(usize::try_from(sent).unwrap());
        assert!(numbers(&near).into_iter().eq(0..sent));
        // The rooms of before are known again, and whoever joins is heard.
        let [a, b, c] = &clients;
        a.ok("room:end", json!(["r"]));
        reach_each_other("after", &[a, b, c]);
        for client in [a, b, c, &near, &far] {
            assert_eq!(
                client.state()["sid"],
                json!(client.sid),
                "it has never left"
            );
        }
        let accounts = Accounts::settled(&cluster, &[0, 1, 2]);
        let mut received: Vec<Vec<Value>> = Vec::new();
        eventually("the last event", || {
            received.extend(far.collect());
            let last = received.last().map(|event| &event[0]);
            (last == Some(&json!("room:end"))).then_some(())
        });
        let heard: Vec<_> = received
            .iter()
            .filter(|event| event[0] == "room:x")
            .map(|event| event[2].as_u64().unwrap())
            .collect();
        assert!(heard.is_sorted_by(|a, b| a < b), "in order, none twice");
        let delivered = heard.len() as u64;
        assert_eq!(
            delivered as f64 + accounts.missing,
            sent as f64,
            "what was not delivered is counted: {delivered} of {sent} came, {accounts:?}"
        );
        (sent, delivered)
    }
}

fn code(cluster: &Cluster, node: usize) -> Option<String> {
    let readiness = cluster[node].get("/readyz").json();
    readiness["reasons"][0]["code"].as_str().map(str::to_owned)
}

#[test]
fn ten_seconds_without_nats_are_survived_and_what_is_lost_is_counted() {
    let mut scene = Scene::begin();
    scene.cluster.nats.kill();
    for node in 0..3 {
        let said = eventually("a node that is not ready", || code(&scene.cluster, node));
        assert_eq!(said, "nats_disconnected");
    }
    // Not to wait for something: this is how long it is gone.
    thread::sleep(Duration::from_secs(10));
    scene.stream.goes_on(50);
    scene.cluster.nats.start_again();
    scene.end();
}

#[test]
fn a_restart_of_nats_during_fan_out_is_survived_and_what_is_lost_is_counted() {
    let mut scene = Scene::begin();
    for _ in 0..3 {
        scene.cluster.nats.start_again();
        scene.cluster.wait_whole();
        scene.stream.goes_on(20);
    }
    scene.end();
}

#[test]
fn a_nats_server_that_hangs_holds_up_nobody() {
    let scene = Scene::begin();
    scene.cluster.nats.pause();
    thread::sleep(Duration::from_secs(4));
    scene.stream.goes_on(50);
    scene.cluster.nats.resume();
    scene.end();
}

/// With three servers and three copies of everything, one of them may die at any moment: nodes go on with another, durable
/// events are stored, and policies can be rolled out.
#[test]
fn one_of_three_nats_servers_may_die() {
    const DURABLE: &str =
        "[[namespace.route]]\nevent = \"order\"\naction = \"publish\"\ndurable = true\n";
    let [first, second, mut third] = Nats::start_three();
    let bus = Bus::connect(&first);
    let urls = [&first, &second, &third].map(Nats::url);
    // The route before those of the relay: the first that matches decides.
    let config = RELAY.replacen(
        "[[namespace.route]]",
        &format!("{DURABLE}[[namespace.route]]"),
        1,
    );
    let cluster = Cluster::start_on(first, 3, |node| {
        // Each begins with another, and knows all.
        let mut urls = urls.clone();
        urls.rotate_left(node);
        Setup::new(&config)
            .env("SLUICE_CLUSTER__NATS_URL", &urls.join(","))
            .env("SLUICE_CLUSTER__REPLICAS", "3")
    });
    let driver = Driver::node();
    let [a, b, c] = one_each(&driver, &cluster, [0, 1, 2]);
    reach_each_other("before", &[&a, &b, &c]);
    a.ok("order", json!([1]));
    let pushed = push(&cluster[0], "stamp", &policy("fixture-stamp"));
    assert_eq!(pushed.status, 200, "{pushed:?}");
    third.kill();
    cluster.wait_whole();
    reach_each_other("after", &[&a, &b, &c]);
    // A stream whose leader has died chooses another, which takes it a moment.
    for client in [&a, &b, &c] {
        eventually("a durable event", || {
            let answer = client.ask_within("order", json!([2]), Duration::from_secs(5))?;
            (answer[0] == json!({"ok": true})).then_some(())
        });
    }
    eventually("a roll-out", || {
        let next = push(&cluster[1], "stamp", &policy("fixture-stamp-b"));
        (next.status == 200).then_some(())
    });
    third.start_again();
    cluster.wait_whole();
    let stored = bus.stored("SLUICE_sluice_EVENTS").expect("the stream");
    assert!(stored.len() >= 4, "{}", stored.len());
    Accounts::settled(&cluster, &[0, 1, 2]);
}
