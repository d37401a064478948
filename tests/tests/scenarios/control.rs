//! What back ends do to clients over HTTP.

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Cluster, Driver, http};

use crate::shared::{RELAY, mark, signed_in, websocket};

/// Several reactors, so that nothing works by being on one.
const REACTORS: &str = "[server]\nreactors = 3\n";

fn relay() -> String {
    format!("{REACTORS}{RELAY}")
}

fn polling() -> Value {
    json!({"transports": ["polling"]})
}

fn msgpack(transport: &str) -> Value {
    json!({"transports": [transport], "parser": "msgpack", "query": {"parser": "msgpack"}})
}

fn ok(response: &http::Response) -> Value {
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

fn emit(broker: &Broker, body: &Value) -> Value {
    ok(&broker.post("/api/v1/emit", body))
}

fn sorted(acks: &Value) -> Vec<Value> {
    let mut acks: Vec<_> = acks.as_array().expect("acks").clone();
    acks.sort_by_key(|ack| ack["args"].to_string());
    acks
}

#[test]
fn clients_of_every_kind_answer_a_back_end() {
    let node = Driver::node();
    let broker = Broker::start(&relay(), &[]);
    let kinds = [
        ("a", websocket()),
        ("b", polling()),
        ("c", msgpack("websocket")),
        ("d", msgpack("polling")),
        ("e", json!({})),
    ];
    let clients = kinds.map(|(name, opts)| node.connect(name, &broker.url("/"), &opts));
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
    let kinds = [
        ("a", websocket()),
        ("b", polling()),
        ("c", msgpack("websocket")),
        ("d", msgpack("polling")),
    ];
    let clients = kinds.map(|(name, opts)| node.connect(name, &broker.url("/"), &opts));
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
    let asked = emit(&broker, &json!({"event": "ask", "ack": {"timeout": 200}}));
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

#[test]
fn a_repeated_request_delivers_nothing() {
    let node = Driver::node();
    let broker = Broker::start(&relay(), &[]);
    let a = node.connect("a", &broker.url("/"), &websocket());
    a.answers("once", json!([7]));
    let body = json!({"event": "once", "id": "key", "ack": true});
    let first = emit(&broker, &body);
    assert_eq!(emit(&broker, &body), first);
    a.expect("once");
    let other = broker.post("/api/v1/emit", &json!({"event": "other", "id": "key"}));
    assert_eq!(other.status, 422, "{other:?}");
    assert_eq!(other.json()["code"], "other_request");
    // One that came to nothing may be sent again.
    let nowhere = json!({"event": "x", "namespace": "/nowhere", "id": "again"});
    for _ in 0..2 {
        assert_eq!(broker.post("/api/v1/emit", &nowhere).status, 404);
    }
    let headers = [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "header"),
    ];
    for _ in 0..2 {
        let body = json!([{"event": "first"}, {"event": "second"}]).to_string();
        let answer = http::request(
            broker.admin(),
            "POST",
            "/api/v1/emit",
            &headers,
            body.as_bytes(),
        );
        let results = ok(&answer.unwrap())["results"].clone();
        assert_eq!(results, json!([{"deliveries": 1}, {"deliveries": 1}]));
    }
    a.expect("first");
    a.expect("second");
    mark(&a, &[&a]);
}

#[test]
fn a_user_is_reached_wherever_he_is() {
    let node = Driver::node();
    let config = format!(
        "{REACTORS}[[policy]]\nname = \"jwt-auth\"\nconfig = {{ secret = \"{}\" }}\n{RELAY}",
        crate::shared::SECRET
    );
    let broker = Broker::start(&config, &["jwt-auth"]);
    let connect = |name: &str, user: &str| node.connect(name, &broker.url("/"), &signed_in(user));
    let [a1, a2] = ["a1", "a2"].map(|name| connect(name, "ann"));
    let b = connect("b", "ben");
    b.ok("join", json!(["r"]));
    let sent = |body: Value, receivers: &[&Client]| {
        let sent = emit(&broker, &body);
        assert_eq!(sent["deliveries"], receivers.len(), "{sent}");
        for receiver in receivers {
            receiver.expect("news");
        }
        mark(&a1, &[&a1, &a2, &b]);
    };
    sent(json!({"event": "news", "users": ["ann"]}), &[&a1, &a2]);
    sent(
        json!({"event": "news", "users": ["ann", "ben", "nobody"]}),
        &[&a1, &a2, &b],
    );
    sent(
        json!({"event": "news", "users": ["ann"], "rooms": ["r"]}),
        &[&a1, &a2, &b],
    );
    sent(
        json!({"event": "news", "users": ["ann", "ben"], "except": ["r"]}),
        &[&a1, &a2],
    );
    // No client reaches what is the broker's own.
    let denial = a1.denied("join", json!(["\u{0}user:ben"]));
    assert_eq!(crate::shared::own_code(&denial), "invalid_packet");
    assert_eq!(broker.metrics().sum("sluice_rooms", &[]), 1.0);
}

fn send(broker: &Broker, what: &str, body: &Value) -> Value {
    ok(&broker.post(&format!("/api/v1/sockets/{what}"), body))
}

#[test]
fn sockets_rooms_and_namespaces_are_listed() {
    let node = Driver::node();
    let config = format!(
        "{REACTORS}[[policy]]\nname = \"jwt-auth\"\nconfig = {{ secret = \"{}\" }}\n{RELAY}",
        crate::shared::SECRET
    );
    let broker = Broker::start(&config, &["jwt-auth"]);
    let connect = |name: &str, user: &str| node.connect(name, &broker.url("/"), &signed_in(user));
    let [a, b] = [connect("a", "ann"), connect("b", "ben")];
    a.ok("join", json!(["one"]));
    b.ok("join", json!(["one"]));
    b.ok("join", json!(["two"]));
    let id = |client: &Client| client.state()["sid"].clone();
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
    let id = |client: &Client| client.state()["sid"].clone();
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

// === over three nodes ===

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
    let id = |client: &Client| client.state()["sid"].clone();
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

#[test]
fn a_node_that_says_nothing_is_named() {
    let node = Driver::node();
    // All of it is asked long before the node is taken for gone.
    let config = format!("{}\n[cluster]\nsurvey_timeout = \"100ms\"\n", relay());
    let cluster = Cluster::start(3, &config);
    cluster.wait_whole();
    let a = node.connect("a", &cluster[0].url("/"), &websocket());
    a.answers("ask", json!([1]));
    cluster[2].pause();
    let silent = json!([cluster[2].ready["node"]]);
    let broker = &cluster[0];
    for path in ["sockets", "presence?room=r"] {
        let answer = ok(&broker.get(&format!("/api/v1/{path}")));
        assert_eq!(answer["silent"], silent, "{path} {answer}");
    }
    let asked = emit(broker, &json!({"event": "ask", "ack": {"timeout": 100}}));
    assert_eq!(asked["silent"], silent, "{asked}");
    assert_eq!(asked["acks"].as_array().unwrap().len(), 1, "{asked}");
    let joined = send(broker, "leave", &json!({"leave": ["r"]}));
    assert_eq!(
        joined,
        json!({"sockets": 1, "refused": 0, "silent": silent})
    );
    cluster[2].resume();
}
