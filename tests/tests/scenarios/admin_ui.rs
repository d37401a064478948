//! The official Socket.IO Admin UI attaches to the broker as it does to Node's server.

use serde_json::{Value, json};
use sluice_tests::{Broker, Browser, Client, Driver, Nats, Notice, Setup, eventually};

use crate::shared::{RELAY, clients, start_behind, websocket};

/// The bcrypt hash of `changeit` that `bcryptjs` makes.
const HASH: &str = "$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS";

fn config(more: &str) -> String {
    format!(
        "[admin.ui]\nenabled = true\nusername = \"admin\"\npassword = \"{HASH}\"\n{more}\n{RELAY}"
    )
}

fn auth(auth: &Value) -> Value {
    json!({"transports": ["websocket"], "auth": auth})
}

fn login() -> Value {
    auth(&json!({"username": "admin", "password": "changeit"}))
}

/// Waits for an event, and skips others. Its arguments.
fn told(ui: &Client, event: &str) -> Vec<Value> {
    loop {
        match ui.next() {
            Notice::Event { name, args } if name == event => return args,
            _ => {}
        }
    }
}

/// Waits for an event with such arguments.
fn told_that(ui: &Client, event: &str, is_it: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    loop {
        let args = told(ui, event);
        if is_it(&args) {
            return args;
        }
    }
}

#[test]
fn only_who_knows_the_password_enters_and_a_session_is_as_good() {
    let node = Driver::node();
    let broker = Broker::start(&config(""), &[]);
    let url = broker.url("/admin");
    for wrong in [
        json!({}),
        json!({"username": "admin", "password": "changeit2"}),
        json!({"username": "root", "password": "changeit"}),
        json!({"sessionId": "0123456789abcdef"}),
    ] {
        let refusal = node.try_connect(&wrong.to_string(), &url, &auth(&wrong));
        let refusal = refusal.err().unwrap_or_else(|| panic!("{wrong} is let in"));
        assert_eq!(refusal.message, "invalid credentials");
        assert_eq!(refusal.code(), "invalid_credentials");
    }
    let ui = node.connect("ui", &url, &login());
    let session = ui.expect("session")[0].clone();
    let config = ui.expect("config");
    assert_eq!(
        config[0]["supportedFeatures"].as_array().map(Vec::len),
        Some(8),
        "no single events in production: {config:?}"
    );
    let again = node.connect("again", &url, &auth(&json!({"sessionId": session})));
    again.expect("config");
    // Not for others, and not without being enabled.
    let plain = Broker::start(RELAY, &[]);
    let refusal = node.try_connect("none", &plain.url("/admin"), &login());
    assert_eq!(
        refusal.err().expect("a refusal").message,
        "Invalid namespace"
    );
}

#[test]
fn numbers_come_every_two_seconds() {
    let node = Driver::node();
    let broker = Broker::start(&config(""), &[]);
    let [a, _b] = clients(&node, &broker, ["a", "b"]);
    let ui = node.connect("ui", &broker.url("/admin"), &login());
    let stats = told(&ui, "server_stats").remove(0);
    assert_eq!(stats["serverId"], broker.ready["node"], "{stats}");
    assert_eq!(stats["clientsCount"], 3, "{stats}");
    assert_eq!(stats["pollingClientsCount"], 0, "{stats}");
    let namespaces =
        json!([{"name": "/", "socketsCount": 2}, {"name": "/admin", "socketsCount": 1}]);
    assert_eq!(stats["namespaces"], namespaces, "{stats}");
    assert!(stats["pid"].is_u64() && stats["hostname"].is_string() && stats["uptime"].is_f64());
    for _ in 0..5 {
        a.ok("all:x", json!([1]));
    }
    let counted = |kind: &str, stats: &Value| {
        let all = stats["aggregatedEvents"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let of_kind = all.iter().filter(|it| it["type"] == kind);
        assert!(
            all.iter()
                .all(|it| it["timestamp"].as_u64().is_some_and(|at| at % 1000 == 0))
        );
        of_kind.map(|it| it["count"].as_u64().unwrap()).sum::<u64>()
    };
    let (mut packets_in, mut packets_out) = (0, 0);
    while packets_in < 5 || packets_out < 10 {
        let stats = told(&ui, "server_stats").remove(0);
        packets_in += counted("packetsIn", &stats);
        packets_out += counted("packetsOut", &stats);
    }
    assert_eq!(packets_in, 5);
}

#[test]
fn in_development_it_is_told_of_every_socket_and_event() {
    let node = Driver::node();
    let broker = Broker::start(&config("mode = \"development\""), &[]);
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    a.ok("join", json!(["r"]));
    let (a_id, b_id) = (a.state()["sid"].clone(), b.state()["sid"].clone());
    let ui = node.connect("ui", &broker.url("/admin"), &login());
    let sockets = told(&ui, "all_sockets").remove(0);
    let find = |id: &Value| sockets.as_array()?.iter().find(|it| it["id"] == *id);
    let first = find(&a_id).expect("a is there");
    assert_eq!(first["rooms"], json!([a_id, "r"]), "{first}");
    assert_eq!(first["transport"], "websocket");
    assert_eq!(first["nsp"], "/");
    assert!(find(&b_id).is_some());

    b.ok("join", json!(["r"]));
    let is_of = |id: &Value, place: usize| {
        let id = id.clone();
        move |args: &[Value]| args[place] == id
    };
    let joined = told_that(&ui, "room_joined", is_of(&b_id, 2));
    assert_eq!(joined[..3], [json!("/"), json!("r"), b_id.clone()]);
    a.ok("room:chat", json!(["r", {"text": "höi"}]));
    let received = told_that(&ui, "event_received", |it| it[2][0] == "room:chat");
    assert_eq!(received[..2], [json!("/"), a_id.clone()]);
    assert_eq!(received[2], json!(["room:chat", "r", {"text": "höi"}]));
    let sent = told(&ui, "event_sent");
    assert_eq!(sent[..3], [json!("/"), b_id.clone(), received[2].clone()]);
    let late = node.connect("late", &broker.url("/"), &websocket());
    let late_id = late.state()["sid"].clone();
    let connected = told_that(&ui, "socket_connected", |it| it[0]["id"] == late_id);
    assert_eq!(connected[0]["handshake"]["address"], "127.0.0.1");
    late.disconnect();
    let gone = told_that(&ui, "socket_disconnected", is_of(&late_id, 1));
    assert_eq!(gone[2], "client namespace disconnect");

    // Nobody looks any more, and nothing is told.
    ui.disconnect();
    eventually("nobody who looks", || {
        (broker.metrics().sum("sluice_live_watchers", &[]) == 0.0).then_some(())
    });
}

#[test]
fn its_commands_are_done_and_a_readonly_one_has_none() {
    let node = Driver::node();
    let broker = Broker::start(&config(""), &[]);
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    let ui = node.connect("ui", &broker.url("/admin"), &login());
    let id = a.state()["sid"].clone();
    ui.ok("join", json!(["/", "vip", id]));
    ui.ok("emit", json!(["/", "vip", "hello", {"n": 1}]));
    assert_eq!(a.expect("hello"), [json!({"n": 1})]);
    let file = json!([{"$bin": "AAEC"}, {"in": {"$bin": "/w=="}}]);
    ui.ok("emit", json!(["/", "vip", "file", file[0], file[1]]));
    assert_eq!(json!(a.expect("file")), file);
    ui.ok("emit", json!(["/", null, "everyone"]));
    for one in [&a, &b] {
        one.expect("everyone");
    }
    ui.ok("leave", json!(["/", "vip"]));
    ui.ok("emit", json!(["/", "vip", "hello"]));
    ui.ok("_disconnect", json!(["/", false, id]));
    assert_eq!(a.disconnected(), "io server disconnect");
    let denial = ui.denied("emit", json!(["/", null, "connect"]));
    assert_eq!(denial["code"], "invalid_packet");
    eventually("a record of each", || {
        (broker.metrics().sum("sluice_admin_ui_commands_total", &[]) == 7.0).then_some(())
    });

    let broker = Broker::start(&config("readonly = true"), &[]);
    let [a] = clients(&node, &broker, ["c"]);
    let ui = node.connect("reader", &broker.url("/admin"), &login());
    ui.expect("session");
    let features = ui.expect("config")[0]["supportedFeatures"].clone();
    assert_eq!(features, json!(["AGGREGATED_EVENTS"]));
    let denial = ui.denied("_disconnect", json!(["/", true, null]));
    assert_eq!(denial["code"], "readonly");
    assert_eq!(a.state()["connected"], true);
}

#[test]
fn over_one_node_it_sees_all() {
    let nats = Nats::start();
    let node = Driver::node();
    let start = || start_behind(&nats, Setup::new(&config("mode = \"development\"")));
    let (one, two) = (start(), start());
    let ui = node.connect("ui", &one.url("/admin"), &login());
    for broker in [&one, &two] {
        let name = broker.ready["node"].clone();
        told_that(&ui, "server_stats", |it| it[0]["serverId"] == name);
    }
    // A session of one is one of all.
    let a = node.connect("a", &two.url("/"), &websocket());
    let id = a.state()["sid"].clone();
    told_that(&ui, "socket_connected", |it| it[0]["id"] == id);
    ui.ok("emit", json!(["/", id, "hello"]));
    a.expect("hello");
    ui.ok("_disconnect", json!(["/", false, id]));
    assert_eq!(a.disconnected(), "io server disconnect");
}

#[test]
fn the_official_page_attaches() {
    let node = Driver::node();
    let mut browser = Browser::start();
    let page = browser.serve("node_modules/@socket.io/admin-ui/ui/dist");
    let cors = format!("[server.cors]\norigins = [\"{page}\"]\ncredentials = true\n");
    let broker = Broker::start(&format!("{cors}{}", config("mode = \"development\"")), &[]);
    let [a] = clients(&node, &broker, ["a"]);
    a.ok("join", json!(["the-room"]));
    let id = a.state()["sid"].as_str().unwrap().to_owned();
    browser.open(&page, &json!({"anywhere": true}));
    let field =
        |label: &str| format!(".v-dialog form .v-text-field:has(label:text('{label}')) input");
    browser.fill(&field("Server URL"), &format!("http://{}", broker.listen));
    browser.fill(&field("Username"), "admin");
    browser.fill(&field("Password"), "changeit");
    browser.click(".v-dialog form button[type=submit]");
    browser.reads("body", "connected");
    browser.reads("main", "/admin");
    let go = |browser: &mut Browser, to: &str| browser.click(&format!("nav a[href='#/{to}']"));
    go(&mut browser, "servers");
    browser.reads("main", broker.ready["node"].as_str().unwrap());
    go(&mut browser, "rooms");
    browser.reads("main", "the-room");
    go(&mut browser, "events");
    browser.reads("main", "Timestamp");
    a.ok("all:hello", json!([1]));
    browser.reads("main", "all:hello");
    go(&mut browser, "sockets");
    browser.reads("main", &id);
    browser.shoot("admin-ui");
    // It came by polling, and is told that it does not any more.
    go(&mut browser, "clients");
    browser.until("!document.querySelector('main').textContent.includes('HTTP long-polling')");
    // Its fonts are another host's, which there is none of here.
    let mut problems = browser.problems();
    problems.retain(|it| !it.contains("ERR_NAME_NOT_RESOLVED") && !it.contains("ERR_INTERNET"));
    assert_eq!(problems, Vec::<String>::new());
}
