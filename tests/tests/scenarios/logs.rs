//! Who came, who went and what was refused is told in structured records.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, Metrics, Record, Setup, eventually, http, prepared, raw};

use crate::shared::{RELAY, clients, signed_in, websocket};

fn is_address(record: &Record) -> bool {
    record
        .field("address")
        .as_str()
        .is_some_and(|address| address.starts_with("127.0.0.1"))
}

#[test]
fn connections_and_disconnections_are_records() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    for (client, total) in [(&a, "1"), (&b, "2")] {
        let record = broker.logs.wait("a connection", |record| {
            record.message() == "connected" && record.has("socket", client.logged_as())
        });
        assert_eq!(record.level(), "INFO", "{}", record.line);
        assert!(record.has("namespace", "/"), "{}", record.line);
        assert!(record.has("total_connections", total), "{}", record.line);
        assert!(is_address(&record), "{}", record.line);
    }
    a.disconnect();
    let record = broker.logs.wait("a disconnection", |record| {
        record.message() == "disconnected" && record.has("socket", a.logged_as())
    });
    assert!(record.field("reason").is_string(), "{}", record.line);
    assert!(record.has("total_connections", "1"), "{}", record.line);
    assert!(
        record.has("namespace", "/") && is_address(&record),
        "{}",
        record.line
    );
    assert!(
        broker
            .logs
            .find(|record| !record.is_structured())
            .is_empty(),
        "every line is a record"
    );
}

#[test]
fn denials_are_records_with_user_policy_and_code() {
    let node = Driver::node();
    let config = format!("{}{RELAY}", crate::connect::JWT);
    let broker = Setup::new(&config)
        .modules(&["jwt-auth"])
        .env("JWT_SECRET", crate::shared::SECRET)
        .start();
    let refused = node
        .try_connect("nobody", &broker.url("/"), &websocket())
        .map(|_| ())
        .unwrap_err();
    let record = broker.logs.wait("a denied connection", |record| {
        record.message() == "connection denied" && record.has("code", refused.code())
    });
    assert!(
        record.has("policy", "jwt-auth") && record.has("namespace", "/"),
        "{}",
        record.line
    );
    assert!(is_address(&record), "{}", record.line);

    let alice = node.connect("alice", &broker.url("/"), &signed_in("alice"));
    let record = broker.logs.wait("a connection", |record| {
        record.has("socket", alice.logged_as())
    });
    assert!(record.has("user", "alice"), "{}", record.line);
    alice.denied("join", json!([{}]));
    let record = broker.logs.wait("a denied event", |record| {
        record.message() == "event denied" && record.has("code", "invalid_packet")
    });
    assert!(
        record.has("socket", alice.logged_as()) && record.has("user", "alice"),
        "{}",
        record.line
    );
    assert!(
        record.has("event", "join") && record.has("namespace", "/"),
        "{}",
        record.line
    );
}

/// The handshake that fails is told with code, message and context, as `connection_error` is in Node's server.
#[test]
fn handshake_errors_are_records() {
    let broker = Broker::start("", &[]);
    let path = "/socket.io/?EIO=4&transport=carrier-pigeon";
    assert_eq!(
        sluice_tests::http::request(broker.listen, "GET", path, &[], &[])
            .unwrap()
            .status,
        400
    );
    let record = broker.logs.wait("a handshake error", |record| {
        record.message() == "handshake failed" && !record.field("code").is_null()
    });
    assert!(is_address(&record), "{}", record.line);
}

#[test]
fn the_readable_format_is_for_people() {
    let node = Driver::node();
    let broker = Setup::new("")
        .env("SLUICE_TELEMETRY__FORMAT", "readable")
        .start();
    let [a] = clients(&node, &broker, ["a"]);
    let record = broker
        .logs
        .wait("a connection", |record| record.line.contains(a.logged_as()));
    assert!(!record.is_structured(), "{}", record.line);
    assert!(record.line.contains("INFO"), "{}", record.line);
}

/// Text of clients cannot forge a record.
#[test]
fn a_client_s_text_stays_inside_its_record() {
    let node = Driver::node();
    let broker = Setup::new("[[namespace]]\npath = \"/\"\n")
        .env("SLUICE_TELEMETRY__FORMAT", "readable")
        .start();
    let [a] = clients(&node, &broker, ["a"]);
    a.denied("evil\u{85}INFO sluice: forged\u{9b}31mred", json!([]));
    broker
        .logs
        .wait("the denial", |record| record.line.contains("evil"));
    assert!(
        broker
            .logs
            .find(|record| record.line.trim_start().starts_with("INFO sluice: forged"))
            .is_empty()
    );
    assert!(
        broker
            .logs
            .find(|record| record.line.contains(['\u{85}', '\u{9b}']))
            .is_empty(),
        "no colours of a client's"
    );
}

/// Who is refused can be kept apart from who comes and goes.
#[test]
fn security_events_have_a_target_of_their_own() {
    let node = Driver::node();
    let broker = Setup::new("[[namespace]]\npath = \"/\"\n")
        .env("SLUICE_TELEMETRY__LOG", "warn,sluice::security=info")
        .env("SLUICE_ADMIN__TOKEN", "secret")
        .start();
    let [a] = clients(&node, &broker, ["a"]);
    a.denied("nothing", json!([]));
    assert_eq!(broker.get("/api/v1/node").status, 401);
    let origin = [("Origin", "https://elsewhere.example")];
    let path = "/socket.io/?EIO=4&transport=polling";
    let refused = http::request(broker.listen, "GET", path, &origin, &[]).unwrap();
    assert_eq!(refused.status, 403);
    for message in ["event denied", "admin request refused", "origin refused"] {
        let record = broker
            .logs
            .wait(message, |record| record.message() == message);
        assert!(record.has("target", "sluice::security"), "{}", record.line);
    }
    let others = broker
        .logs
        .find(|record| !record.has("target", "sluice::security"));
    assert!(others.is_empty(), "{others:?}");
}

/// A broker whose log nobody reads, which the harness always does.
struct Unread {
    child: Child,
    ready: Value,
}

impl Unread {
    fn start(setup: &Setup) -> Self {
        let mut child = Command::new(prepared("SLUICE_TEST_BIN"))
            .args(["run", "--config", "sluice.toml"])
            .current_dir(setup.dir())
            .env_clear()
            .env("SLUICE_SERVER__LISTEN", "127.0.0.1:0")
            .env("SLUICE_SERVER__REACTORS", "1")
            .env("SLUICE_ADMIN__LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(line.strip_prefix("ready ").unwrap()).unwrap();
        Self { child, ready }
    }

    fn at(&self, listener: &str) -> SocketAddr {
        self.ready[listener].as_str().unwrap().parse().unwrap()
    }

    fn dropped_lines(&self) -> f64 {
        let response = http::request(self.at("admin"), "GET", "/metrics", &[], &[]).unwrap();
        Metrics::new(response.text()).sum("sluice_log_lines_dropped_total", &[])
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A pipe holds a few hundred records, and one socket can cause any number: whoever is to read them and does not
/// stops neither the others on the same reactor nor the end of the process.
#[test]
fn a_reader_that_stalls_stops_nobody() {
    let setup = Setup::new(&format!("{RELAY}\n[[namespace]]\npath = \"/b\"\n"));
    let mut broker = Unread::start(&setup);
    let mut bystander = raw::Socket::open(broker.at("listen"), "").connected();
    let mut chatterer = raw::Socket::open(broker.at("listen"), "").connected();
    // Each time it comes and goes there are two records.
    for _ in 0..100 {
        for _ in 0..60 {
            chatterer.send("40/b,");
            let answer = chatterer.packet();
            assert!(
                matches!(&answer, raw::Packet::Text(text) if text.starts_with("40/b,{")),
                "{answer:?}"
            );
            chatterer.send("41/b,");
        }
        bystander.send(r#"420["join","lobby"]"#);
        let raw::Packet::Text(ack) = bystander.packet() else {
            panic!("no ack")
        };
        assert_eq!(ack, r#"430[{"ok":true}]"#);
    }
    eventually("lines dropped", || {
        (broker.dropped_lines() > 0.0).then_some(())
    });
    kill_process(Pid::from_child(&broker.child), Signal::TERM).unwrap();
    let status = eventually("its end", || broker.child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}
