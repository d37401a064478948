//! What one server does, with the numbers of the Node server's options.

use serde_json::json;
use sluice_tests::raw::{self, upgrade_status};
use sluice_tests::{Broker, Driver, eventually, http};

use super::{ORIGIN, signed_in, start, token, url};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

fn address(broker: &Broker) -> std::net::SocketAddr {
    (std::net::Ipv4Addr::LOCALHOST, broker.listen.port()).into()
}

#[test]
fn clients_are_told_the_same_numbers() {
    let cluster = start(1);
    let upgraded = raw::upgrade(address(&cluster[0]), "", &[]).expect("an upgrade");
    let mut websocket = upgraded;
    let tungstenite::Message::Text(hello) = websocket.read().unwrap() else {
        panic!("no handshake");
    };
    let numbers: serde_json::Value = serde_json::from_str(&hello.as_str()[1..]).unwrap();
    assert_eq!(numbers["pingInterval"], 10_000);
    assert_eq!(numbers["pingTimeout"], 5_000);
    assert_eq!(numbers["maxPayload"], 1_000_000);
    assert_eq!(numbers["upgrades"], json!([]));
}

#[test]
fn websocket_is_the_only_transport() {
    let cluster = start(1);
    let refused = http::request(address(&cluster[0]), "GET", POLLING, &[], &[]).unwrap();
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json(),
        json!({"code": 0, "message": "Transport unknown"})
    );
    // What the Node server counts by its code and writes down: here both, in one place.
    let labels = [("code", "0")];
    let counted = cluster[0]
        .metrics()
        .sum("sluice_handshake_errors_total", &labels);
    assert!(counted >= 1.0);
}

#[test]
fn pages_of_the_one_origin_are_let_in() {
    let cluster = start(1);
    let preflight = |origin: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization"),
        ];
        http::request(address(&cluster[0]), "OPTIONS", POLLING, &headers, &[]).unwrap()
    };
    let answer = preflight(ORIGIN);
    assert_eq!(answer.status, 204, "{answer:?}");
    for (name, value) in [
        ("access-control-allow-origin", ORIGIN),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET,POST"),
        ("access-control-allow-headers", "Content-Type,Authorization"),
    ] {
        let said = answer.header(name).map(|said| said.replace(", ", ","));
        assert_eq!(said.as_deref(), Some(value), "{name}");
    }
    assert_eq!(preflight("https://elsewhere.example").status, 403);
    let upgrade = |origin| upgrade_status(address(&cluster[0]), "", &[("Origin", origin)]);
    assert_eq!(upgrade(ORIGIN), 101);
    assert_eq!(upgrade("https://elsewhere.example"), 403);
}

#[test]
fn what_is_long_is_compressed_and_what_is_too_long_ends_the_connection() {
    let cluster = start(1);
    let driver = Driver::node();
    let offers = |user: &str| {
        let mut options = signed_in(user);
        options["perMessageDeflate"] = json!({"threshold": 1024});
        options
    };
    let feed = url(&cluster[0], "/feed");
    let [alice, bob] = ["alice", "bob"].map(|user| driver.connect(user, &feed, &offers(user)));
    let (agreed, before) = bob.wire();
    assert!(agreed.is_object(), "no compression: {agreed}");
    let long = "x".repeat(100_000);
    alice.ok("message", json!([long]));
    assert_eq!(bob.expect("messageBatch"), [json!([long])]);
    let (_, after) = bob.wire();
    assert!(after - before < 10_000, "{} bytes", after - before);
    alice.emit("message", json!(["x".repeat(1_000_001)]));
    assert_eq!(alice.disconnected(), "transport close");
}

#[test]
fn operators_see_what_they_saw() {
    let cluster = start(1);
    let broker = &cluster[0];
    let driver = Driver::node();
    let numbers = || {
        let accept = [("Accept", "application/json")];
        let answer = http::request(broker.admin(), "GET", "/metrics", &accept, &[]).unwrap();
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answer.json()
    };
    let [alice, bob] =
        ["alice", "bob"].map(|user| driver.connect(user, &url(broker, "/"), &signed_in(user)));
    let before = numbers();
    assert_eq!(before["connections"], 2);
    let timestamp = before["timestamp"].as_str().expect("a time");
    assert!(
        timestamp.len() == 24 && timestamp.ends_with('Z'),
        "{timestamp}"
    );

    // An empty room is gone with its last member: nothing has to look for it.
    let rooms = |numbers: &serde_json::Value| numbers["rooms"].as_u64().expect("a number");
    alice.ok("join", json!(["tearoom"]));
    bob.ok("join", json!(["tearoom"]));
    assert_eq!(rooms(&numbers()), rooms(&before) + 1);
    alice.ok("leave", json!(["tearoom"]));
    bob.disconnect();
    eventually("the end of the room", || {
        let now = numbers();
        (now["connections"] == 1 && rooms(&now) < rooms(&before) + 1).then_some(())
    });

    // Log lines, with the total of connections.
    let came = broker
        .logs
        .wait("a connection", |record| record.message() == "connected");
    assert_eq!(came.field("user"), "alice");
    assert!(came.field("total_connections").is_number(), "{came:?}");
    let went = broker
        .logs
        .wait("its end", |record| record.message() == "disconnected");
    assert_eq!(went.field("user"), "bob");

    for address in [broker.admin(), address(broker)] {
        for path in ["/healthz", "/readyz"] {
            let probe = http::request(address, "GET", path, &[], &[]).unwrap();
            assert_eq!(probe.status, 200, "{path} of {address}");
        }
    }
}

#[test]
fn a_limit_is_a_users_whatever_the_connection() {
    let cluster = start(1);
    let driver = Driver::node();
    let [first, second] = ["one", "two"]
        .map(|name| driver.connect_quiet(name, &url(&cluster[0], "/"), &signed_in("alice")));
    let sent = first
        .flood("message", 100, 10_000, &json!({"template": "no. {seq}"}))
        .wait();
    assert!(
        sent.answers
            .iter()
            .all(|(_, ack, _)| *ack == json!({"ok": true}))
    );
    let denial = second.denied("message", json!(["one too many"]));
    assert_eq!(denial["message"], "Rate limit exceeded");
    assert!(
        denial["retry_after_ms"]
            .as_u64()
            .is_some_and(|it| it <= 60_000),
        "{denial}"
    );
    // Who it is stands in the token; what it says of itself counts for nothing.
    let claims =
        json!({"transports": ["websocket"], "auth": {"token": token("alice"), "userId": "bob"}});
    let third = driver.connect("three", &url(&cluster[0], "/"), &claims);
    assert_eq!(
        third.denied("message", json!(["again"]))["code"],
        "rate_limited"
    );
}
