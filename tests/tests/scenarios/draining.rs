//! A node that its operator empties: for good, or for a while.

use std::time::Duration;

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Cluster, Driver, eventually};

use crate::operator::ask;
use crate::shared::{RELAY, clients, websocket};

fn drain(broker: &Broker) -> Value {
    broker.get("/api/v1/drain").json()
}

fn many(node: &Driver, broker: &Broker, count: usize) -> Vec<Client> {
    (0..count)
        .map(|n| node.connect(&format!("c{n}"), &broker.url("/"), &websocket()))
        .collect()
}

#[test]
fn an_operator_drains_a_node_and_sees_how_far_it_is() {
    let node = Driver::node();
    let mut broker = Broker::start(&format!("[server]\ndrain_period = \"3s\"\n{RELAY}"), &[]);
    let clients = many(&node, &broker, 12);
    let polling = node.connect("p", &broker.url("/"), &json!({"transports": ["polling"]}));
    assert_eq!(
        drain(&broker),
        json!({"state": "serving", "total": 0, "closed": 0, "left": 0})
    );
    let answer = broker.post("/api/v1/drain", &json!({"period": "15s"}));
    assert_eq!(answer.status, 202, "{answer:?}");
    let begun = answer.json();
    assert_eq!(begun["state"], "draining");
    assert_eq!(
        (&begun["exit"], &begun["total"]),
        (&json!(true), &json!(13)),
        "{begun}"
    );
    assert_eq!(begun["period_seconds"], 15.0, "{begun}");
    let ready = broker.get("/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("draining"), "{ready:?}");
    // It goes on, a few at a time.
    eventually("a part of it", || {
        let status = drain(&broker);
        let (closed, left) = (
            status["closed"].as_u64().unwrap(),
            status["left"].as_u64().unwrap(),
        );
        assert_eq!(closed + left, 13, "{status}");
        (closed > 2 && left > 2).then_some(())
    });
    // There is no way back from its end.
    let undo = broker.delete("/api/v1/drain");
    assert_eq!((undo.status, &undo.json()["code"]), (409, &json!("ending")));
    let stay = broker.post("/api/v1/drain", &json!({"exit": false}));
    assert_eq!(stay.status, 409, "{stay:?}");
    // The rest in the time that is configured: all that there was to be seen of the slow drain has been.
    broker.signal_term();
    let (code, _) = broker.wait_exit();
    assert_eq!(code, 0);
    for client in clients.iter().chain([&polling]) {
        assert_eq!(client.disconnected(), "transport close");
    }
    let begun = broker
        .logs
        .wait("its begin", |it| it.message() == "draining");
    assert!(
        begun.has("connections", "13") && begun.has("exit", "true"),
        "{}",
        begun.line
    );
    let ended = broker.logs.wait("its end", |it| it.message() == "drained");
    assert!(
        ended.has("closed", "13") && ended.has("left", "0"),
        "{}",
        ended.line
    );
    let wrote = broker
        .logs
        .wait("who did it", |it| it.has("operation", "drain"));
    assert!(
        wrote.has("did", "drain of 13 sockets, exit true"),
        "{}",
        wrote.line
    );
}

#[test]
fn the_command_line_waits_until_the_node_has_ended() {
    let node = Driver::node();
    let mut broker = Broker::start(RELAY, &[]);
    let clients = many(&node, &broker, 5);
    let exited = ask(&broker, &["drain", "--period", "1s"]);
    assert_eq!(exited.code, Some(0), "{exited:?}");
    assert!(exited.stdout.starts_with("drained: "), "{exited:?}");
    assert!(exited.stderr.contains("of 5 sockets closed"), "{exited:?}");
    assert_eq!(broker.wait_exit().0, 0);
    for client in &clients {
        assert_eq!(client.disconnected(), "transport close");
    }
    // Whom nobody answers is not told that all is well.
    let again = ask(&broker, &["drain"]);
    assert_eq!(again.code, Some(1), "{again:?}");
}

#[test]
fn a_node_is_emptied_stays_and_serves_again() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let clients = many(&node, &broker, 6);
    let exited = ask(&broker, &["drain", "--stay", "--period", "500ms", "--json"]);
    assert_eq!(exited.code, Some(0), "{exited:?}");
    let status: Value = serde_json::from_str(&exited.stdout).unwrap();
    assert_eq!(
        (&status["state"], &status["left"]),
        (&json!("drained"), &json!(0)),
        "{status}"
    );
    for client in &clients {
        assert_eq!(client.disconnected(), "transport close");
    }
    // It is there, and takes nobody.
    assert_eq!(broker.get("/readyz").status, 503);
    assert_eq!(broker.metrics().sum("sluice_draining", &[]), 1.0);
    assert_eq!(broker.metrics().sum("sluice_drain_closed_total", &[]), 6.0);
    let late = node.try_connect("late", &broker.url("/"), &websocket());
    assert!(late.is_err());
    let undone = ask(&broker, &["drain", "--undo"]);
    assert_eq!(undone.stdout, "serving\n", "{undone:?}");
    assert_eq!(broker.get("/readyz").status, 200);
    assert_eq!(broker.metrics().sum("sluice_draining", &[]), 0.0);
    let back = node.connect("back", &broker.url("/"), &websocket());
    back.ok("join", json!(["r"]));
    assert_eq!(broker.stop(), 0);
}

/// Nobody is closed any more once it is to serve again.
#[test]
fn a_drain_is_undone_in_the_middle() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let clients = many(&node, &broker, 10);
    broker.post("/api/v1/drain", &json!({"period": "60s", "exit": false}));
    eventually("the first to go", || {
        (drain(&broker)["closed"] == 1).then_some(())
    });
    let undone = ask(&broker, &["drain", "--undo"]);
    assert_eq!(undone.code, Some(0), "{undone:?}");
    let left = broker.get("/api/v1/node").json()["connections"]
        .as_u64()
        .unwrap();
    assert!(left >= 8, "{left}");
    // Whoever was to be the last is there.
    drop(clients);
    let back = node.connect("back", &broker.url("/"), &websocket());
    back.ok("x", json!([]));
}

/// Who empties a node for an hour is not to make its supervisor kill it.
#[test]
fn a_signal_shortens_a_drain_and_a_second_one_ends_it() {
    let node = Driver::node();
    let mut broker = Broker::start(&format!("[server]\ndrain_period = \"1s\"\n{RELAY}"), &[]);
    let clients = many(&node, &broker, 4);
    broker.post("/api/v1/drain", &json!({"period": "1h", "exit": true}));
    broker.signal_term();
    let (code, took) = broker.wait_exit();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(8), "{took:?}");
    for client in &clients {
        assert_eq!(client.disconnected(), "transport close");
    }

    let node = Driver::node();
    let mut broker = Broker::start(&format!("[server]\ndrain_period = \"1h\"\n{RELAY}"), &[]);
    let clients = many(&node, &broker, 4);
    broker.signal_term();
    broker
        .logs
        .wait("the drain", |it| it.message() == "draining");
    broker.signal_term();
    let (code, took) = broker.wait_exit();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(8), "{took:?}");
    for client in &clients {
        assert_eq!(client.disconnected(), "transport close");
    }
}

/// An emptied node is one of the cluster all the same: what is asked of it reaches the clients of others.
#[test]
fn an_emptied_node_goes_on_working_for_others() {
    let node = Driver::node();
    let cluster = Cluster::start(2, RELAY);
    let [a] = clients(&node, &cluster[0], ["a"]);
    let [b] = clients(&node, &cluster[1], ["b"]);
    cluster[0].post("/api/v1/drain", &json!({"period": "0s", "exit": false}));
    assert_eq!(a.disconnected(), "transport close");
    eventually("an empty node", || {
        (drain(&cluster[0])["state"] == "drained").then_some(())
    });
    cluster[0].emit("/", &[], "news", &json!([1]));
    assert_eq!(b.expect("news"), [json!(1)]);
    let body = json!({"sockets": [b.sid], "join": ["r"]});
    let moved = cluster[0].post("/api/v1/sockets/join", &body);
    assert_eq!(moved.json()["sockets"], 1, "{moved:?}");
    eventually("the others to know", || {
        let nodes = cluster[1].get("/api/v1/cluster").json();
        let nodes = nodes["nodes"].as_array().unwrap().clone();
        nodes.iter().any(|it| it["draining"] == true).then_some(())
    });
}
