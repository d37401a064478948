//! Sockets, rooms and namespaces: listed, and made to change.

use serde_json::json;
use sluice_tests::{Broker, Client, Driver};

use super::{emit, id, ok, polling, relay, send, with_users};
use crate::shared::{mark, signed_in, websocket};

#[test]
fn sockets_rooms_and_namespaces_are_listed() {
    let node = Driver::node();
    let broker = with_users();
    let connect = |name: &str, user: &str| node.connect(name, &broker.url("/"), &signed_in(user));
    let [a, b] = [connect("a", "ann"), connect("b", "ben")];
    a.ok("join", json!(["one"]));
    b.ok("join", json!(["one"]));
    b.ok("join", json!(["two"]));
    let list = |query: &str| ok(&broker.get(&format!("/api/v1/sockets{query}")));
    let ids = |query: &str| {
        let sockets = list(query)["sockets"].clone();
        let ids = sockets
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["id"].clone());
        ids.collect::<Vec<_>>()
    };
    let all = list("");
    assert_eq!(all["truncated"], false);
    assert_eq!(all["sockets"].as_array().unwrap().len(), 2, "{all}");
    let its = &list("?user=ben")["sockets"][0];
    assert_eq!(its["id"], id(&b));
    assert_eq!(its["user"], "ben");
    assert_eq!(its["rooms"], json!(["one", "two"]));
    assert_eq!(its["transport"], "websocket");
    assert_eq!(its["namespace"], "/");
    assert_eq!(its["node"], broker.ready["node"]);
    assert!(its["since"].as_str().unwrap().ends_with('Z'), "{its}");
    assert_eq!(ids("?room=two"), [id(&b)]);
    assert_eq!(ids("?room=one&user=ann"), [id(&a)]);
    assert_eq!(ids("?room=one").len(), 2);
    assert!(ids("?namespace=/other").is_empty());
    assert!(ids("?node=elsewhere").is_empty());
    let cut = list("?limit=1");
    assert_eq!(
        (cut["sockets"].as_array().unwrap().len(), &cut["truncated"]),
        (1, &json!(true))
    );
    let present = ok(&broker.get("/api/v1/presence?room=two"));
    let here = broker.ready["node"].as_str().unwrap();
    let member = json!({"socket": id(&b), "user": "ben", "node": here});
    assert_eq!(present["members"], json!([member]), "{present}");
    let rooms = ok(&broker.get("/api/v1/rooms"));
    let expected = json!([
        {"name": "one", "sockets": 2, "nodes": {here: 2}},
        {"name": "two", "sockets": 1, "nodes": {here: 1}},
    ]);
    assert_eq!(rooms, json!({"rooms": expected, "truncated": false}));
    let rooms = ok(&broker.get("/api/v1/rooms?prefix=t&limit=5"));
    assert_eq!(rooms["rooms"].as_array().unwrap().len(), 1, "{rooms}");
    assert_eq!(ok(&broker.get("/api/v1/rooms?limit=1"))["truncated"], true);
    let namespaces = ok(&broker.get("/api/v1/namespaces"));
    let expected = json!([{
        "path": "/", "connections": 2, "nodes": {here: {"connections": 2, "rooms": 2}},
    }]);
    assert_eq!(namespaces, json!({"namespaces": expected}));
}

#[test]
fn sockets_are_made_to_join_leave_and_go() {
    let node = Driver::node();
    let broker = Broker::start(&relay(), &[]);
    let kinds = [
        ("a", websocket()),
        ("b", polling()),
        ("c", json!({})),
        ("d", websocket()),
    ];
    let [a, b, c, d] = kinds.map(|(name, opts)| node.connect(name, &broker.url("/"), &opts));
    let told = |room: &str, receivers: &[&Client]| {
        let told = emit(&broker, &json!({"event": "told", "rooms": [room]}));
        assert_eq!(told["deliveries"], receivers.len(), "{told}");
        receivers.iter().for_each(|it| _ = it.expect("told"));
    };
    c.upgraded();
    let joined = send(
        &broker,
        "join",
        &json!({"sockets": [id(&a), id(&b)], "join": ["x", "y"]}),
    );
    assert_eq!(joined, json!({"sockets": 2, "refused": 0}));
    told("x", &[&a, &b]);
    // Everyone but those.
    let joined = send(&broker, "join", &json!({"except": ["x"], "join": ["z"]}));
    assert_eq!(joined["sockets"], 2);
    told("z", &[&c, &d]);
    let left = send(
        &broker,
        "leave",
        &json!({"rooms": ["x"], "except": [id(&b)], "leave": ["x", "never"]}),
    );
    assert_eq!(left["sockets"], 1);
    told("x", &[&b]);
    told("y", &[&a, &b]);
    let gone = send(&broker, "disconnect", &json!({"rooms": ["y"]}));
    assert_eq!(gone["sockets"], 2);
    for client in [&a, &b] {
        assert_eq!(client.disconnected(), "io server disconnect");
    }
    let gone = send(
        &broker,
        "disconnect",
        &json!({"sockets": [id(&c)], "close": true}),
    );
    assert_eq!(gone["sockets"], 1);
    assert_eq!(c.disconnected(), "io server disconnect");
    mark(&d, &[&d]);
    let wrong = broker.post("/api/v1/sockets/join", &json!({"rooms": [], "join": ["x"]}));
    assert_eq!(wrong.json()["code"], "no_rooms");
}
