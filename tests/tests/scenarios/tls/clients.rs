//! Real clients over TLS, on every transport and reactor, and their certificates.

use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, eventually};

use super::authority::{Asks, Authority, Tls};
use super::{handshakes, setup, trusting, url};
use crate::shared::mark;

/// With two reactors, every other client that begins with polling has its WebSocket come in on the one where its
/// session is not.
#[test]
fn clients_meet_over_every_transport_and_reactor() {
    const BYTES: usize = 300_000;
    let authority = Authority::new();
    let broker = setup(&authority, "[server]\nreactors = 2").start();
    let node = Driver::node();
    let ways = [
        json!(["websocket"]),
        json!(["polling"]),
        json!(["polling", "websocket"]),
    ];
    let clients: Vec<_> = (0..9)
        .map(|n| {
            let opts = trusting(&authority, ways[n % 3].clone());
            node.connect(&format!("c{n}"), &url(&broker), &opts)
        })
        .collect();
    for client in clients.iter().skip(2).step_by(3) {
        assert_eq!(client.upgraded(), "websocket");
    }
    let text = "x".repeat(BYTES);
    for (n, sender) in clients.iter().enumerate() {
        sender.emit("all:news", json!([n, text]));
        for client in &clients {
            assert_eq!(client.expect("all:news"), [json!(n), json!(text)]);
        }
    }
    mark(&clients[0], &clients.iter().collect::<Vec<_>>());
    let metrics = broker.metrics();
    assert!(metrics.sum("sluice_reactor_forwarded_total", &[]) > 0.0);
    assert!(handshakes(&broker, "ok") >= 9.0);
    assert_eq!(handshakes(&broker, "failed"), 0.0);
}

#[test]
fn messages_are_compressed_under_tls_too() {
    let authority = Authority::new();
    let broker = setup(&authority, "[server.compression]\nenabled = true").start();
    let node = Driver::node();
    let mut opts = trusting(&authority, json!(["polling", "websocket"]));
    opts["perMessageDeflate"] = json!({"threshold": 0});
    let [one, two] = ["one", "two"].map(|name| node.connect(name, &url(&broker), &opts));
    for client in [&one, &two] {
        assert_eq!(client.upgraded(), "websocket");
    }
    let text = "again and ".repeat(5_000);
    one.emit("all:news", json!([text]));
    assert_eq!(two.expect("all:news"), [json!(text)]);
}

#[test]
fn python_speaks_tls() {
    let authority = Authority::new();
    let broker = setup(&authority, "").start();
    let python = Driver::python();
    // It trusts what its environment trusts, and is told to trust anyone.
    let opts = json!({"insecure": true, "transports": ["polling", "websocket"]});
    let client = python.connect("py", &url(&broker), &opts);
    client.emit("all:news", json!(["hello"]));
    assert_eq!(client.expect("all:news"), [json!("hello")]);
}

#[test]
fn a_drain_says_goodbye_under_tls() {
    let authority = Authority::new();
    let mut broker = setup(&authority, "[server]\ndrain_period = \"6s\"").start();
    let node = Driver::node();
    let clients: Vec<_> = ["websocket", "polling"]
        .iter()
        .map(|way| node.connect(way, &url(&broker), &trusting(&authority, json!([way]))))
        .collect();
    broker.signal_term();
    for client in &clients {
        assert_eq!(client.disconnected(), "transport close", "{}", client.name);
    }
    assert_eq!(broker.wait_exit().0, 0);
}

/// A broker that takes clients for who their certificates say they are.
fn with_badges(authority: &Authority, clients: &Authority, tls: &str, policy: &str) -> Broker {
    let config = format!(
        "client_ca = \"clients.pem\"\n{tls}\n[[policy]]\nname = \"fixture-badge\"\n{policy}"
    );
    let setup = setup(authority, &config).modules(&["fixture-badge"]);
    setup.file("clients.pem", clients.pem()).start()
}

fn shows(opts: &Value, pem: &super::Pem) -> Value {
    let mut opts = opts.clone();
    opts["cert"] = json!(pem.cert);
    opts["key"] = json!(pem.key);
    opts
}

#[test]
fn policies_see_who_a_required_certificate_is() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let broker = with_badges(&authority, &clients, "", "");
    let node = Driver::node();
    for way in ["websocket", "polling"] {
        let opts = trusting(&authority, json!([way]));
        let alice = clients.client("alice", 7);
        let client = node.connect(way, &url(&broker), &shows(&opts, &alice));
        let who = client.ask("who", json!([])).remove(0);
        assert_eq!(who["subject"], r"CN=alice,O=Example\, Inc.");
        assert_eq!(who["common_name"], "alice");
        assert_eq!(who["alternative_names"], json!(["DNS:alice.example.com"]));
        assert_eq!(who["fingerprint"].as_str().map(str::len), Some(64));
        broker.logs.wait("its connection", |record| {
            record.message() == "connected" && record.has("socket", client.logged_as())
        });
        // Nobody comes in without, or with that of somebody else's authority.
        node.try_connect(&format!("{way} none"), &url(&broker), &opts)
            .err()
            .expect("no certificate, no connection");
        let other = authority.client("mallory", 8);
        node.try_connect(
            &format!("{way} other"),
            &url(&broker),
            &shows(&opts, &other),
        )
        .err()
        .expect("nobody has signed this one");
    }
    let connected = broker.logs.find(|record| record.message() == "connected");
    assert!(connected.iter().all(|record| record.has("user", "alice")));
    eventually("the refusals to be counted", || {
        (handshakes(&broker, "failed") >= 4.0).then_some(())
    });
}

#[test]
fn an_optional_certificate_may_be_missing_and_must_hold() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let tls = "client_auth = \"optional\"\nclient_crl = \"revoked.pem\"";
    let setup = setup(
        &authority,
        &format!(
            "client_ca = \"clients.pem\"\n{tls}\n[[policy]]\nname = \"fixture-badge\"\nconfig = {{ optional = true }}"
        ),
    );
    let broker = setup
        .modules(&["fixture-badge"])
        .file("clients.pem", clients.pem())
        .file("revoked.pem", clients.revokes(13))
        .start();
    let node = Driver::node();
    let opts = trusting(&authority, json!(["websocket"]));
    let nobody = node.connect("nobody", &url(&broker), &opts);
    assert_eq!(nobody.ask("who", json!([])), [Value::Null]);
    let bob = shows(&opts, &clients.client("bob", 12));
    let bob = node.connect("bob", &url(&broker), &bob);
    assert_eq!(bob.ask("who", json!([]))[0]["common_name"], "bob");
    let revoked = shows(&opts, &clients.client("eve", 13));
    node.try_connect("eve", &url(&broker), &revoked)
        .err()
        .expect("a revoked certificate");
}

/// Who knows a session's id has not the key that it began with.
#[test]
fn a_polling_session_goes_on_with_the_certificate_that_it_began_with() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let tls = "client_auth = \"optional\"";
    let broker = with_badges(&authority, &clients, tls, "config = { optional = true }");
    let (alice, bob) = (clients.client("alice", 1), clients.client("bob", 2));
    let ask = |pem, path: &str| {
        let asks = Asks {
            shows: pem,
            ..Asks::of(&authority, "localhost")
        };
        let answer = Tls::open(broker.listen, &asks).and_then(|tls| tls.get(path));
        answer.expect("an answer")
    };
    const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";
    let opened = ask(Some(&alice), HANDSHAKE);
    let (_, sid) = opened.split_once(r#""sid":""#).expect("a session");
    let poll = format!("{HANDSHAKE}&sid={}", sid.split('"').next().unwrap());
    for other in [None, Some(&bob)] {
        let answer = ask(other, &poll);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let answer = ask(Some(&alice), &poll);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn operators_see_whose_certificate_it_is_and_that_it_is_tls() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let config = "client_ca = \"clients.pem\"\nclient_auth = \"optional\"\n\
        [admin.ui]\nenabled = true\nusername = \"admin\"\nmode = \"development\"\n\
        password = \"$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS\"\n";
    let setup = setup(&authority, config);
    let broker = setup.file("clients.pem", clients.pem()).start();
    let node = Driver::node();
    let opts = trusting(&authority, json!(["websocket"]));
    let nobody = node.connect("nobody", &url(&broker), &opts);
    let alice = shows(&opts, &clients.client("alice", 7));
    let alice = node.connect("alice", &url(&broker), &alice);
    let shown = |id: &str| broker.get(&format!("/api/v1/sockets/{id}")).json();
    let shown_alice = shown(&alice.sid);
    assert_eq!(shown_alice["certificate"], r"CN=alice,O=Example\, Inc.");
    assert_eq!(shown_alice["secure"], true);
    assert_eq!(shown(&nobody.sid).get("certificate"), None);
    let told = crate::operator::ask(&broker, &["sockets", &alice.sid]);
    assert!(told.stdout.contains("CN=alice"), "{told:?}");

    let mut opts = opts;
    opts["auth"] = json!({"username": "admin", "password": "changeit"});
    let ui = node.connect("ui", &format!("{}admin", url(&broker)), &opts);
    ui.skip_to("config");
    let sockets = loop {
        match ui.next() {
            sluice_tests::Notice::Event { name, mut args } if name == "all_sockets" => {
                break args.remove(0);
            }
            _ => {}
        }
    };
    let all = sockets.as_array().unwrap();
    assert!(all.len() >= 2, "{sockets}");
    assert!(
        all.iter().all(|it| it["handshake"]["secure"] == true),
        "{sockets}"
    );
}
