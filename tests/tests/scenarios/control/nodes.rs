//! Three nodes answer as one, and say which of them is silent.

use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use sluice_tests::{Broker, Cluster, Driver, Setup, http};

use super::{emit, id, ok, relay, send, sorted};
use crate::shared::{mark, websocket};

#[test]
fn all_nodes_answer_as_one() {
    let node = Driver::node();
    let cluster = Cluster::start(3, &relay());
    cluster.wait_whole();
    let connect = |at: usize, name: &str| {
        let client = node.connect(name, &cluster[at].url("/"), &websocket());
        client.answers("ask", json!([name]));
        client
    };
    let [a, b, c] = [connect(0, "a"), connect(1, "b"), connect(2, "c")];
    let broker = &cluster[0];
    let joined = send(
        broker,
        "join",
        &json!({"sockets": [id(&b), id(&c)], "join": ["r"]}),
    );
    assert_eq!(joined, json!({"sockets": 2, "refused": 0}));
    let asked = emit(broker, &json!({"event": "ask", "ack": true}));
    assert_eq!(
        (&asked["deliveries"], &asked["missing"]),
        (&json!(3), &json!(0)),
        "{asked}"
    );
    let acks = sorted(&asked["acks"]);
    for (at, (ack, client)) in acks.iter().zip([&a, &b, &c]).enumerate() {
        assert_eq!(ack["socket"], id(client), "{asked}");
        assert_eq!(ack["node"], cluster[at].ready["node"], "{asked}");
        client.expect("ask");
    }
    let asked = emit(
        broker,
        &json!({"event": "ask", "rooms": ["r"], "ack": true}),
    );
    assert_eq!(sorted(&asked["acks"]).len(), 2, "{asked}");
    for client in [&b, &c] {
        client.expect("ask");
    }
    // What has been joined is reached from everywhere.
    emit(&cluster[1], &json!({"event": "news", "rooms": ["r"]}));
    for client in [&b, &c] {
        client.expect("news");
    }

    let sockets = ok(&broker.get("/api/v1/sockets"));
    assert_eq!(sockets["sockets"].as_array().unwrap().len(), 3, "{sockets}");
    let one = ok(&broker.get(&format!("/api/v1/sockets/{}", id(&c).as_str().unwrap())));
    assert_eq!(one["node"], cluster[2].ready["node"]);
    let there = cluster[1].ready["node"].as_str().unwrap();
    let sockets = ok(&broker.get(&format!("/api/v1/sockets?node={there}")));
    assert_eq!(sockets["sockets"][0]["id"], id(&b), "{sockets}");
    let rooms = ok(&broker.get("/api/v1/rooms"));
    assert_eq!(rooms["rooms"][0]["sockets"], 2, "{rooms}");
    assert_eq!(rooms["rooms"][0]["nodes"][there], 1, "{rooms}");
    let namespaces = ok(&broker.get("/api/v1/namespaces"));
    assert_eq!(
        namespaces["namespaces"][0]["connections"], 3,
        "{namespaces}"
    );
    let gone = send(broker, "disconnect", &json!({"rooms": ["r"]}));
    assert_eq!(gone["sockets"], 2);
    for client in [&b, &c] {
        assert_eq!(client.disconnected(), "io server disconnect");
    }
    mark(&a, &[&a]);
}

/// What is answered to a question that others are asked beside.
fn asks(broker: &Broker, path: &'static str, body: Option<Value>) -> JoinHandle<Value> {
    let admin = broker.admin();
    let method = if body.is_some() { "POST" } else { "GET" };
    let body = body.map(|it| it.to_string()).unwrap_or_default();
    thread::spawn(move || {
        let path = format!("/api/v1/{path}");
        let headers = [("Content-Type", "application/json")];
        ok(&http::request(admin, method, &path, &headers, body.as_bytes()).expect("an answer"))
    })
}

#[test]
fn a_node_that_says_nothing_is_named() {
    let node = Driver::node();
    // All of it is asked long before the node is taken for gone, and at once: each answer waits for the node, and leaves
    // the others their time.
    let cluster = Cluster::start_with(3, |_| {
        Setup::new(&relay())
            .env("SLUICE_CLUSTER__SURVEY_TIMEOUT", "1500ms")
            .env("SLUICE_CLUSTER__NODE_TIMEOUT", "60s")
    });
    let a = node.connect("a", &cluster[0].url("/"), &websocket());
    a.answers("ask", json!([1]));
    cluster[2].pause();
    let silent = json!([cluster[2].ready["node"]]);
    let broker = &cluster[0];
    let lists = ["sockets", "presence?room=r"].map(|path| asks(broker, path, None));
    let question = json!({"event": "ask", "ack": {"timeout": 1500}});
    let asked = asks(broker, "emit", Some(question));
    let left = asks(broker, "sockets/leave", Some(json!({"leave": ["r"]})));
    for list in lists {
        let answer = list.join().expect("a list");
        assert_eq!(answer["silent"], silent, "{answer}");
    }
    let asked = asked.join().expect("acks");
    assert_eq!(asked["silent"], silent, "{asked}");
    assert_eq!(asked["acks"].as_array().unwrap().len(), 1, "{asked}");
    assert_eq!(
        left.join().expect("how many"),
        json!({"sockets": 1, "refused": 0, "silent": silent})
    );
    cluster[2].resume();
}
