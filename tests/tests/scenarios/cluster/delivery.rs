//! An event reaches whom it is for, on whatever node they are.

use serde_json::json;
use sluice_tests::{Cluster, Driver, Nats, Setup, eventually};

use crate::shared::{RELAY, clients};

/// Each node's name for all nodes it sees.
#[test]
fn nodes_find_each_other_and_notice_who_leaves() {
    let mut cluster = Cluster::start(3, RELAY);
    let seen = |cluster: &Cluster, node: usize| {
        let shown = cluster[node].get("/api/v1/cluster").json();
        let nodes = shown["nodes"].as_array().unwrap().clone();
        let mut names: Vec<_> = nodes
            .iter()
            .map(|it| it["node"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(names[0], cluster.name(node), "itself first: {shown}");
        names.sort();
        names
    };
    let mut all: Vec<_> = (0..3).map(|node| cluster.name(node).to_owned()).collect();
    all.sort();
    for node in 0..3 {
        eventually("all nodes", || (seen(&cluster, node) == all).then_some(()));
        assert_eq!(
            cluster[node].metrics().sum("sluice_cluster_nodes", &[]),
            3.0
        );
    }
    cluster[2].signal_term();
    let (code, _) = cluster[2].wait_exit();
    assert_eq!(code, 0);
    eventually("two nodes", || (seen(&cluster, 0).len() == 2).then_some(()));
}

#[test]
fn events_cross_nodes_and_reach_each_member_once() {
    let cluster = Cluster::start(3, RELAY);
    let node = Driver::node();
    let [a] = clients(&node, &cluster[0], ["a"]);
    let [b] = clients(&node, &cluster[1], ["b"]);
    let [c] = clients(&node, &cluster[2], ["c"]);
    for (client, rooms) in [(&b, vec!["x", "y"]), (&c, vec!["z"])] {
        for room in rooms {
            client.ok("join", json!([room]));
        }
    }
    // The ack of a join is a promise.
    a.emit("room:hello", json!(["x", {"n": 1}]));
    assert_eq!(b.expect("room:hello"), [json!("x"), json!({"n": 1})]);
    a.emit("all:bye", json!([2]));
    for client in [&a, &b, &c] {
        assert_eq!(client.expect("all:bye"), [json!(2)]);
    }
    // What a back end says to several rooms of one socket is said once.
    let emitted = json!({"namespace": "/", "rooms": ["x", "y", "z"], "except": ["z"], "event": "once", "args": []});
    assert_eq!(cluster[2].post("/api/v1/emit", &emitted).status, 200);
    a.emit("all:mark", json!([]));
    b.expect("once");
    b.expect("all:mark");
    c.expect("all:mark");
}

/// The server takes 64 KiB at a time: what is larger goes in parts, and nobody sees it.
#[test]
fn events_larger_than_a_message_of_nats_arrive_whole_and_in_order() {
    let nats = Nats::start_with("jetstream: enabled\nmax_payload: 65536", &[]);
    let cluster = Cluster::start_on(nats, 3, |_| Setup::new(RELAY));
    let node = Driver::node();
    let [a] = clients(&node, &cluster[0], ["a"]);
    let [b] = clients(&node, &cluster[1], ["b"]);
    let [c] = clients(&node, &cluster[2], ["c"]);
    let text = |number: u32| json!([number, number.to_string().repeat(400_000)]);
    for number in [1, 2, 3] {
        a.emit("all:small", json!([number]));
        a.emit("all:large", text(number));
    }
    for client in [&b, &c] {
        for number in [1, 2, 3] {
            assert_eq!(client.expect("all:small"), [json!(number)]);
            let large = client.expect("all:large");
            assert_eq!(
                json!(large),
                text(number),
                "number {number} is not what was sent"
            );
        }
    }
    let sum = |nodes: &[usize], name| cluster.sum(nodes, name, &[]);
    assert_eq!(sum(&[0], "sluice_cluster_sent_in_parts_total"), 6.0);
    // It is counted once the server has it, and may be with its receivers before.
    eventually("all to be counted", || {
        (sum(&[0], "sluice_cluster_sent_total") == 12.0).then_some(())
    });
    assert_eq!(sum(&[0], "sluice_cluster_dropped_total"), 0.0);
    assert_eq!(sum(&[1, 2], "sluice_cluster_received_total"), 12.0);
    assert_eq!(sum(&[1, 2], "sluice_cluster_missing_total"), 0.0);
}
