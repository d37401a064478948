//! Polling, WebSocket, the move from one to the other, and what the configuration allows of them.

use serde_json::{Value, json};
use sluice_tests::raw::{Packet, Polling, upgrade_status};
use sluice_tests::{Broker, Driver, http};

use crate::shared::{RELAY, mark};

#[test]
fn all_three_ways_work_with_each_other() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let connect = |name: &str, opts: Value| node.connect(name, &broker.url("/"), &opts);
    let polling = connect("polling", json!({"transports": ["polling"]}));
    let websocket = connect("websocket", json!({"transports": ["websocket"]}));
    let both = connect("both", json!({}));
    assert_eq!(both.upgraded(), "websocket");
    assert_eq!(polling.transport(), "polling");
    assert_eq!(websocket.transport(), "websocket");
    let all = [&polling, &websocket, &both];
    for sender in all {
        sender.ok("all:x", json!([sender.name, {"$bin": "AAEC"}]));
        for receiver in all {
            assert_eq!(
                json!(receiver.expect("all:x")),
                json!([sender.name, {"$bin": "AAEC"}])
            );
        }
    }
    mark(&polling, &all);
}

/// Events that are under way while the transport changes arrive once and in order, in both directions.
#[test]
fn nothing_is_lost_during_an_upgrade() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let reader = node.connect_quiet(
        "reader",
        &broker.url("/"),
        &json!({"transports": ["websocket"]}),
    );
    let mover = node.connect_quiet("mover", &broker.url("/"), &json!({}));
    let flood = mover.flood("all:n", 500, 2000, &json!({}));
    assert!(
        flood
            .wait()
            .answers
            .iter()
            .map(|(seq, ack, _)| (*seq, ack["ok"] == true))
            .eq((0..500).map(|n| (n, true)))
    );
    for client in [&reader, &mover] {
        client.wait_received(500);
        let received = client.collect();
        assert!(
            received
                .iter()
                .map(|event| event[1].as_u64())
                .eq((0..500).map(Some)),
            "{}",
            client.name
        );
    }
    assert_eq!(mover.upgraded(), "websocket");
}

#[test]
fn websocket_alone() {
    let node = Driver::node();
    let broker = Broker::start("[server]\ntransports = [\"websocket\"]\n", &[]);
    node.connect(
        "websocket",
        &broker.url("/"),
        &json!({"transports": ["websocket"]}),
    );
    let refusal = node
        .try_connect(
            "polling",
            &broker.url("/"),
            &json!({"transports": ["polling"]}),
        )
        .map(|_| ());
    assert_eq!(refusal.unwrap_err().message, "xhr poll error");
    // As Node's server answers: code 0, "Transport unknown".
    let response = http::request(
        broker.listen,
        "GET",
        "/socket.io/?EIO=4&transport=polling",
        &[],
        &[],
    )
    .unwrap();
    assert_eq!(
        (response.status, response.json()["code"].clone()),
        (400, json!(0)),
        "{response:?}"
    );
}

#[test]
fn polling_alone() {
    let node = Driver::node();
    let broker = Broker::start("[server]\ntransports = [\"polling\"]\n", &[]);
    // Told that there is nothing to upgrade to, a client does not try.
    let client = node.connect("both", &broker.url("/"), &json!({}));
    client.ok("x", json!([1]));
    assert_eq!(client.transport(), "polling");
    assert_eq!(upgrade_status(broker.listen, "", &[]), 400);
}

#[test]
fn upgrades_can_be_turned_off() {
    let node = Driver::node();
    let broker = Broker::start("[server]\nallow_upgrades = false\n", &[]);
    let client = node.connect("both", &broker.url("/"), &json!({}));
    client.ok("x", json!([1]));
    assert_eq!(client.transport(), "polling");
    node.connect(
        "websocket",
        &broker.url("/"),
        &json!({"transports": ["websocket"]}),
    )
    .ok("x", json!([1]));
}

#[test]
fn the_path_is_configurable() {
    let node = Driver::node();
    let broker = Broker::start("[server]\npath = \"/live/events\"\n", &[]);
    let opts = json!({"path": "/live/events", "transports": ["polling", "websocket"]});
    let client = node.connect("a", &broker.url("/"), &opts);
    assert_eq!(client.upgraded(), "websocket");
    client.ok("x", json!([]));
    let elsewhere = http::request(
        broker.listen,
        "GET",
        "/socket.io/?EIO=4&transport=polling",
        &[],
        &[],
    )
    .unwrap();
    assert_eq!(elsewhere.status, 404);
}

/// What a handshake that is none is told (Engine.IO protocol: a code and a message, status 400).
#[test]
fn a_false_handshake_is_told_why() {
    let broker = Broker::start("", &[]);
    for (query, code) in [
        ("EIO=4&transport=carrier-pigeon", Some(0)),
        ("EIO=4", Some(0)),
        ("EIO=4&transport=polling&sid=unknown", Some(1)),
        ("EIO=3&transport=polling", Some(5)),
    ] {
        let response = http::request(
            broker.listen,
            "GET",
            &format!("/socket.io/?{query}"),
            &[],
            &[],
        )
        .unwrap();
        assert_eq!(response.status, 400, "{query}: {response:?}");
        let told: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        assert_eq!(told["code"].as_u64(), code, "{query}: {}", response.text());
    }
    let post = http::request(
        broker.listen,
        "POST",
        "/socket.io/?EIO=4&transport=polling",
        &[],
        b"40",
    )
    .unwrap();
    assert_eq!(post.status, 400, "{post:?}");
    let put = http::request(
        broker.listen,
        "PUT",
        "/socket.io/?EIO=4&transport=polling",
        &[],
        b"40",
    )
    .unwrap();
    assert!((400..500).contains(&put.status), "{put:?}");
}

/// A message as large as allowed passes, one that is larger ends its connection; over both transports.
#[test]
fn the_largest_message_is_the_configured_one() {
    let broker = Broker::start("[server]\nmax_payload = \"20KB\"\n", &[]);
    let fits = format!("421[\"x\",\"{}\"]", "y".repeat(19_000));
    let exceeds = format!("421[\"x\",\"{}\"]", "y".repeat(21_000));

    let mut socket = broker.socket().connected();
    socket.send(&fits);
    assert_eq!(socket.packet(), Packet::Text("431[{\"ok\":true}]".into()));
    socket.send(&exceeds);
    let (before, code) = socket.until_closed();
    assert_eq!(before, [], "nothing but the end");
    assert!(code.is_none_or(|code| code == 1009), "close code {code:?}");

    let session = Polling::open(broker.listen).connected();
    assert_eq!(session.post(fits.as_bytes()).unwrap().status, 200);
    assert_eq!(session.post(exceeds.as_bytes()).unwrap().status, 413);
    broker.socket().connected();
}
