//! Back ends are told of sockets: that they come, where they are, and that they go.

use serde_json::{Value, json};
use sluice_tests::{Broker, Bus, Client, Driver, Nats, Setup, eventually, jwt};

use crate::shared::{RELAY, SECRET, start_behind, wait_alone, wait_ready};

/// A user has a room of his own; what else happens, clients tell a policy.
const POLICIES: &str = r#"
    [[policy]]
    name = "jwt-auth"
    config = { secret = "SECRET", rooms = ["user:{user}"] }
    [[policy]]
    name = "fixture-doer"
    grant = ["emit", "rooms"]
"#;

fn start(nats: &Nats, cluster: &str, lifecycle: &str) -> Broker {
    let policies = POLICIES.replace("SECRET", SECRET);
    let config = format!(
        "[server]\nreactors = 2\n[cluster]\nname = \"eu\"\n{cluster}\n{policies}{RELAY}\n[namespace.lifecycle]\n{lifecycle}"
    );
    let setup = Setup::new(&config).modules(&["jwt-auth", "fixture-doer"]);
    start_behind(nats, setup)
}

/// `ann-1` is a client of the user `ann`.
fn connect(node: &Driver, broker: &Broker, name: &str, transports: &[&str]) -> Client {
    let user = name.split('-').next().unwrap();
    let auth = json!({"token": jwt::user(user, SECRET), "welcome": true, "attribute": "a\"b"});
    let options = json!({"transports": transports, "auth": auth});
    node.connect(name, &broker.url("/"), &options)
}

fn steer(broker: &Broker, what: &str, body: &Value) {
    let done = broker.post(&format!("/api/v1/sockets/{what}"), body);
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(done.json()["sockets"], 1, "{done:?}");
}

/// What was told, without what every message has.
fn short(told: &[Value]) -> Vec<String> {
    let each = told.iter().map(|it| {
        let detail = it.get("room").or(it.get("reason"));
        let detail = detail.and_then(Value::as_str).unwrap_or("-");
        format!("{} {detail}", it["event"].as_str().unwrap())
    });
    each.collect()
}

fn counted(broker: &Broker, name: &str, label: (&str, &str)) -> f64 {
    broker.metrics().sum(name, &[label])
}

#[test]
fn what_happens_to_a_socket_is_told_in_order_and_once() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let broker = start(&nats, "", "");
    let mut told = bus.subscribe("sluice.eu.lifecycle.>");
    let node = Driver::node();
    for transport in ["websocket", "polling"] {
        let refused = json!({"transports": [transport], "auth": {"token": "no"}});
        assert!(
            node.try_connect(&format!("refused-{transport}"), &broker.url("/"), &refused)
                .is_err()
        );
        let a = connect(&node, &broker, &format!("ann-{transport}"), &[transport]);
        let one = json!(["one"]);
        // The second changes nothing, twice.
        a.ok("join", one.clone());
        a.ok("join", one.clone());
        a.ok("join", json!(["two"]));
        a.ok("leave", one.clone());
        a.ok("leave", one);
        a.ok("do:join", json!(["den"]));
        a.ok("do:join", json!(["two"]));
        a.ok("do:leave", json!(["den"]));
        let which = json!([a.sid]);
        steer(
            &broker,
            "join",
            &json!({"sockets": which, "join": ["x", "two"]}),
        );
        steer(
            &broker,
            "leave",
            &json!({"sockets": which, "leave": ["two", "no"]}),
        );
        a.disconnect();
        let events = told.take(13);
        assert_eq!(
            short(&events),
            [
                "connected -",
                "joined user:ann",
                "joined welcomed",
                "joined one",
                "joined two",
                "left one",
                "joined den",
                "left den",
                "joined x",
                "left two",
                "left user:ann",
                "left welcomed",
                "left x",
            ],
            "{transport}"
        );
        let end = told.expect();
        assert_eq!(end.subject, "sluice.eu.lifecycle.=2F.disconnected");
        assert_eq!(end.header("Content-Type"), Some("application/json"));
        let end_json = end.json();
        assert_eq!(end.header("Nats-Msg-Id"), end_json["id"].as_str());
        assert_eq!(end_json["reason"], "client namespace disconnect");
        for event in events.iter().chain([&end_json]) {
            assert_eq!(event["socket"], *a.sid, "{event}");
            assert_eq!(event["user"], "ann", "{event}");
            assert_eq!(event["attributes"]["told"], "a\"b", "{event}");
            assert_eq!(event["namespace"], "/", "{event}");
            assert_eq!(event["node"], broker.ready["node"], "{event}");
            assert!(event["time"].as_str().unwrap().ends_with('Z'), "{event}");
        }
        assert!(told.is_empty());
    }
    let published = "sluice_backend_published_total";
    // Counted once NATS has it, which may be after it has come.
    eventually("their count", || {
        (counted(&broker, published, ("kind", "lifecycle")) == 28.0).then_some(())
    });
    assert_eq!(broker.metrics().sum(published, &[]), 28.0);
}

#[test]
fn an_end_is_told_with_its_reason() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let mut broker = start(&nats, "", "events = [\"disconnected\"]");
    let mut told = bus.subscribe("sluice.eu.lifecycle.=2F.*");
    let node = Driver::node();
    let mut reason = || told.expect().json()["reason"].as_str().map(str::to_owned);
    let client = |name: &str| connect(&node, &broker, name, &["websocket"]);
    client("ann-1").cut();
    // As its system has it.
    let cut = reason().unwrap();
    assert!(
        ["transport close", "transport error"].contains(&&*cut),
        "{cut}"
    );
    client("ann-2").emit("do:disconnect", json!([]));
    assert_eq!(reason().unwrap(), "policy");
    let c = client("ann-3");
    steer(&broker, "disconnect", &json!({"sockets": [c.sid]}));
    assert_eq!(reason().unwrap(), "server namespace disconnect");
    let _last = client("ann-4");
    broker.signal_term();
    assert_eq!(broker.wait_exit().0, 0);
    assert!(reason().is_some());
    assert!(told.is_empty());
}

#[test]
fn expiry_and_revocation_are_told_as_such() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let broker = start(&nats, "", "events = [\"connected\", \"disconnected\"]");
    let mut told = bus.subscribe("sluice.eu.lifecycle.=2F.*");
    let node = Driver::node();
    let client = |name: &str, claims: Value| {
        let token = jwt::sign(&claims, SECRET);
        let options = json!({"transports": ["websocket"], "auth": {"token": token}});
        node.connect(name, &broker.url("/"), &options)
    };
    let mut next = || {
        let told = told.expect().json();
        let said = |key: &str| told[key].as_str().unwrap_or("-").to_owned();
        [said("event"), said("user"), said("reason")]
    };
    let _brief = client("brief", json!({"sub": "ann", "exp": jwt::now() + 4}));
    assert_eq!(next(), ["connected", "ann", "-"]);
    assert_eq!(next(), ["disconnected", "ann", "token expired"]);
    let _by_user = client("by-user", json!({"sub": "ben", "exp": jwt::now() + 3600}));
    assert_eq!(next(), ["connected", "ben", "-"]);
    let revoked = broker.post("/api/v1/revocations", &json!({"user": "ben"}));
    assert_eq!(revoked.json()["sockets"], 1, "{revoked:?}");
    assert_eq!(next(), ["disconnected", "ben", "revoked"]);
    let claims = json!({"sub": "cat", "jti": "t-1", "exp": jwt::now() + 3600});
    let _by_token = client("by-token", claims);
    assert_eq!(next(), ["connected", "cat", "-"]);
    let revoked = broker.post("/api/v1/revocations", &json!({"token_id": "t-1"}));
    assert_eq!(revoked.json()["sockets"], 1, "{revoked:?}");
    assert_eq!(next(), ["disconnected", "cat", "revoked"]);
}

#[test]
fn only_what_is_wanted_is_told_where_and_how_it_is_wanted() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let lifecycle = "events = [\"joined\", \"connected\"]\nsubject = \"presence.{event}\"\nformat = \"msgpack\"\n[[namespace]]\npath = \"/quiet\"";
    let broker = start(&nats, "", lifecycle);
    let mut told = bus.subscribe("presence.>");
    let node = Driver::node();
    let auth = json!({"token": jwt::user("ann", SECRET)});
    let options = json!({"transports": ["websocket"], "auth": auth});
    let quiet = node.connect("quiet", &broker.url("/quiet"), &options);
    let a = node.connect("a", &broker.url("/"), &options);
    a.ok("join", json!(["one"]));
    a.ok("leave", json!(["one"]));
    quiet.disconnect();
    a.ok("join", json!(["two"]));
    for (event, text) in [
        ("connected", "connected"),
        ("joined", "user:ann"),
        ("joined", "one"),
        ("joined", "two"),
    ] {
        let message = told.expect();
        assert_eq!(message.subject, format!("presence.{event}"));
        assert_eq!(message.header("Content-Type"), Some("application/msgpack"));
        let mut windows = message.payload.windows(text.len());
        assert!(windows.any(|it| it == text.as_bytes()), "{message:?}");
    }
    assert!(told.is_empty());
}

#[test]
fn what_is_told_while_nats_is_away_arrives_or_is_counted() {
    let mut nats = Nats::start();
    let bus = Bus::connect(&nats);
    bus.make_stream("TOLD", "sluice.eu.lifecycle.>");
    let cluster = "hold = \"60s\"\nmax_queued_messages = 16";
    let broker = start(&nats, cluster, "events = [\"joined\"]");
    let node = Driver::node();
    let a = connect(&node, &broker, "ann", &["websocket"]);
    let stored = |count: usize| {
        eventually("what was told", || {
            let stored = bus.stored("TOLD")?;
            let stored: Vec<_> = stored.iter().map(sluice_tests::Published::json).collect();
            (stored.len() >= count).then(|| short(&stored))
        })
    };
    stored(2);
    nats.kill();
    wait_alone(&broker);
    for number in 0..18 {
        a.ok("join", json!([format!("r{number}")]));
    }
    let lost = "sluice_backend_lost_total";
    assert_eq!(counted(&broker, lost, ("reason", "overloaded")), 2.0);
    nats.start_again();
    wait_ready(&broker);
    eventually("the rest to leave", || {
        (broker.metrics().sum("sluice_backend_queued", &[]) == 0.0).then_some(())
    });
    a.ok("join", json!(["last"]));
    let held = (0..16).map(|number| format!("joined r{number}"));
    let mut expected = vec!["joined user:ann".to_owned(), "joined welcomed".to_owned()];
    expected.extend(held.chain(["joined last".to_owned()]));
    assert_eq!(stored(19), expected);
    let published = "sluice_backend_published_total";
    eventually("their count", || {
        (counted(&broker, published, ("kind", "lifecycle")) == 19.0).then_some(())
    });
    assert_eq!(broker.metrics().sum(lost, &[]), 2.0);
}

#[test]
fn what_is_told_too_long_before_nats_is_back_is_counted() {
    let mut nats = Nats::start();
    let broker = start(&nats, "hold = \"100ms\"", "");
    let node = Driver::node();
    nats.kill();
    wait_alone(&broker);
    let a = connect(&node, &broker, "ann", &["websocket"]);
    a.ok("join", json!(["one"]));
    a.disconnect();
    // Three rooms and the socket itself, twice.
    let lost = "sluice_backend_lost_total";
    eventually("all to be given up", || {
        (counted(&broker, lost, ("reason", "unreachable")) == 8.0).then_some(())
    });
    nats.start_again();
    wait_ready(&broker);
    let bus = Bus::connect(&nats);
    let mut told = bus.subscribe("sluice.eu.lifecycle.>");
    let _b = connect(&node, &broker, "ben", &["websocket"]);
    assert_eq!(
        short(&told.take(3)),
        ["connected -", "joined user:ben", "joined welcomed"]
    );
    assert_eq!(broker.metrics().sum(lost, &[]), 8.0);
}
