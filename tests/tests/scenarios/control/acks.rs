//! What clients answer a back end.

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, http};

use super::{emit, ok, polling, relay, sorted};
use crate::shared::{mark, websocket};

fn msgpack(transport: &str) -> Value {
    json!({"transports": [transport], "parser": "msgpack", "query": {"parser": "msgpack"}})
}

/// Each transport with each parser.
fn one_of_each_kind(node: &Driver, broker: &Broker) -> [Client; 4] {
    let kinds = [
        ("a", websocket()),
        ("b", polling()),
        ("c", msgpack("websocket")),
        ("d", msgpack("polling")),
    ];
    kinds.map(|(name, opts)| node.connect(name, &broker.url("/"), &opts))
}

#[test]
fn clients_of_every_kind_answer_a_back_end() {
    let node = Driver::node();
    let broker = Broker::start(&relay(), &[]);
    let [a, b, c, d] = one_of_each_kind(&node, &broker);
    let clients = [a, b, c, d, node.connect("e", &broker.url("/"), &json!({}))];
    for (number, client) in clients.iter().enumerate() {
        client.answers("ask", json!([number, {"from": client.name}, "[\""]));
        client.answers("empty", json!([]));
        client.answers("many", json!(vec![number; 15]));
    }
    let asked = emit(&broker, &json!({"event": "ask", "args": [1], "ack": true}));
    assert_eq!(asked["deliveries"], 5, "{asked}");
    assert_eq!(asked["missing"], 0, "{asked}");
    let acks = sorted(&asked["acks"]);
    assert_eq!(acks.len(), 5, "{asked}");
    for (number, client) in clients.iter().enumerate() {
        assert_eq!(client.expect("ask"), [json!(1), json!("ack")]);
        assert_eq!(
            acks[number]["args"],
            json!([number, {"from": client.name}, "[\""])
        );
        assert_eq!(acks[number]["node"], broker.ready["node"]);
        assert_eq!(acks[number]["socket"], client.state()["sid"], "{asked}");
    }
    for (event, count) in [("empty", 0), ("many", 15)] {
        let asked = emit(&broker, &json!({"event": event, "ack": {"timeout": "20s"}}));
        assert_eq!(asked["missing"], 0, "{asked}");
        for ack in asked["acks"].as_array().unwrap() {
            assert_eq!(ack["args"].as_array().unwrap().len(), count, "{asked}");
        }
        clients.iter().for_each(|client| _ = client.expect(event));
    }
    mark(&clients[0], &clients.each_ref());
}

#[test]
fn bytes_go_to_clients_and_come_back() {
    let node = Driver::node();
    let broker = Broker::start(&relay(), &[]);
    let clients = one_of_each_kind(&node, &broker);
    for client in &clients {
        client.answers("bytes", json!([{"$bin": "AAECAw=="}, 5]));
    }
    let asked = emit(
        &broker,
        &json!({
            "event": "bytes",
            "args": [{"file": {"_placeholder": true, "num": 0}}],
            "attachments": ["/wD/"],
            "ack": true,
        }),
    );
    assert_eq!(asked["missing"], 0, "{asked}");
    assert_eq!(asked["acks"].as_array().unwrap().len(), 4, "{asked}");
    for ack in asked["acks"].as_array().unwrap() {
        assert_eq!(ack["args"], json!([{"_placeholder": true, "num": 0}, 5]));
        assert_eq!(ack["attachments"], json!(["AAECAw=="]));
    }
    for client in &clients {
        assert_eq!(client.expect("bytes")[0], json!({"file": {"$bin": "/wD/"}}));
    }
}

#[test]
fn who_does_not_answer_is_missing() {
    let node = Driver::node();
    let broker = Broker::start(&relay(), &[]);
    let [a, b] = ["a", "b"].map(|name| node.connect(name, &broker.url("/"), &websocket()));
    a.answers("ask", json!(["here"]));
    let asked = emit(&broker, &json!({"event": "ask", "ack": {"timeout": 2000}}));
    assert_eq!(
        (&asked["deliveries"], &asked["missing"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(asked["acks"][0]["args"], json!(["here"]));
    // Whoever goes is not waited for.
    b.answers("other", json!([]));
    let admin = broker.admin();
    let waits = std::thread::spawn(move || {
        let headers = [("Content-Type", "application/json")];
        let body = json!({"event": "last", "ack": {"timeout": "50s"}}).to_string();
        ok(&http::request(admin, "POST", "/api/v1/emit", &headers, body.as_bytes()).unwrap())
    });
    for client in [&a, &b] {
        client.skip_to("last");
        client.disconnect();
    }
    let asked = waits.join().expect("an answer");
    assert_eq!(
        (&asked["deliveries"], &asked["missing"]),
        (&json!(2), &json!(2))
    );
    let nobody = emit(&broker, &json!({"event": "ask", "ack": true}));
    assert_eq!(nobody, json!({"deliveries": 0, "acks": [], "missing": 0}));
}

/// What nobody asked for is nothing, whatever it looks like.
#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let node = Driver::node();
    let broker = Broker::start(&relay(), &[]);
    for (name, opts) in [("a", websocket()), ("b", polling())] {
        let client = node.connect(name, &broker.url("/"), &opts);
        for packet in ["430[]", "4399[1,2]", "42[\"!\",    1]", "427[\"!\"     ]"] {
            client.write(packet);
        }
        client.emit("all:next", json!([]));
        client.expect("all:next");
        client.disconnect();
    }
}
