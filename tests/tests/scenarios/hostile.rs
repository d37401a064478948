//! What no well-behaved client sends: refused as the protocol says, and nothing of it stays.

use serde_json::{Value, json};
use sluice_tests::raw::{self, Packet, Polling, Socket};
use sluice_tests::{Broker, Client, Driver, eventually};

use crate::shared::{RELAY, clients, websocket};

/// A broker with a witness, whose connection none of this may touch.
pub(crate) struct Scene {
    pub broker: Broker,
    pub witness: Client,
    before: u64,
    _node: Driver,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// With these keys of `[server]`.
    pub(crate) fn with(keys: &str) -> Self {
        let node = Driver::node();
        let config = format!("[server]\ndrain_period = \"200ms\"\n{keys}\n{RELAY}");
        let broker = Broker::start(&config, &[]);
        let [witness] = clients(&node, &broker, ["witness"]);
        // What the first connections cost is not what an attack costs.
        witness.ok("warm up", json!(["x".repeat(100_000)]));
        let before = broker.resident();
        Self {
            broker,
            witness,
            before,
            _node: node,
        }
    }

    pub(crate) fn socket(&self) -> Socket {
        self.broker.socket().connected()
    }

    /// The witness, and nobody else, is left.
    pub(crate) fn is_alone(&self) {
        eventually("all others gone", || {
            let left = self.broker.metrics().sum("sluice_connections", &[]);
            (left == 1.0).then_some(())
        });
    }

    /// The broker lives, serves, and has neither panicked nor grown.
    pub(crate) fn unharmed(mut self) {
        let mut newcomer = self.socket();
        newcomer.send(r#"421["after","all"]"#);
        assert_eq!(
            newcomer.packet(),
            Packet::Text(r#"431[{"ok":true}]"#.into())
        );
        assert_eq!(
            self.witness.expect("after"),
            [json!("all")],
            "the witness saw nothing else"
        );
        let grown = self.broker.resident().saturating_sub(self.before);
        assert!(grown < 32 << 20, "grown by {} KiB", grown >> 10);
        assert!(self.broker.runs());
        let panics = self
            .broker
            .logs
            .find(|record| record.line.contains("panicked"));
        assert!(panics.is_empty(), "{panics:?}");
        drop(newcomer);
        assert_eq!(self.broker.stop(), 0);
    }
}

#[test]
fn a_message_of_two_megabytes() {
    let scene = Scene::new();
    for _ in 0..20 {
        let mut socket = scene.socket();
        socket.send(&format!("421[\"x\",\"{}\"]", "y".repeat(2_000_000)));
        let (before, code) = socket.until_closed();
        assert_eq!(before, [], "no answer but the end");
        // Message too big (RFC 6455, 7.4.1); or the line is simply cut while the message is still being sent.
        assert!(code.is_none_or(|code| code == 1009), "close code {code:?}");
        let session = Polling::open(scene.broker.listen);
        match session.post(&vec![b'4'; 2_000_000]) {
            Ok(response) => assert_eq!(response.status, 413, "{response:?}"),
            Err(error) => assert!(
                matches!(
                    error.kind(),
                    std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe
                ),
                "{error}"
            ),
        }
    }
    scene.unharmed();
}

/// Announced, and then not sent, or sent without end.
#[test]
fn ten_thousand_attachments_announced() {
    let scene = Scene::new();
    let mut kept = Vec::new();
    for _ in 0..20 {
        let mut socket = scene.socket();
        socket.send(r#"4510000-1["x",{"_placeholder":true,"num":0}]"#);
        for _ in 0..200 {
            socket.send_binary(&[0; 1000]);
        }
        kept.push(socket);
    }
    let mut endless = scene.socket();
    endless.send(r#"4599999999999999999999-1["x"]"#);
    endless.until_closed();
    scene.unharmed();
    drop(kept);
}

#[test]
fn an_unknown_namespace() {
    let scene = Scene::new();
    let mut socket = scene.socket();
    for name in ["/nope", "/nope/deeper", "/org-1", "/%2e%2e", "/ü", "/a b"] {
        socket.send(&format!("40{name},{{}}"));
        assert_eq!(
            socket.packet(),
            Packet::Text(format!(r#"44{name},{{"message":"Invalid namespace"}}"#)),
            "the answer of Node's server"
        );
    }
    // An event for a namespace that was never entered ends the connection, as in Node's server, or is ignored; it
    // is answered in no case.
    socket.send(r#"42/nope,7["x"]"#);
    socket.send(r#"421["all:x"]"#);
    let next = socket.packet();
    assert!(
        matches!(&next, Packet::Closed(_)) || next == Packet::Text(r#"42["all:x"]"#.into()),
        "{next:?}"
    );
    if !matches!(next, Packet::Closed(_)) {
        assert_eq!(scene.witness.expect("all:x"), [] as [Value; 0]);
    }
    scene.unharmed();
}

#[test]
fn packets_before_connect() {
    let scene = Scene::new();
    for packet in [
        r#"42["all:x",1]"#,
        r#"421["all:x",1]"#,
        "41",
        r#"431[1]"#,
        r#"451-["all:x",{"_placeholder":true,"num":0}]"#,
    ] {
        let mut socket = scene.broker.socket();
        socket.send(packet);
        // The one that announces an attachment is a packet only with it.
        socket.send_binary(b"attachment");
        let (before, _) = socket.until_closed();
        assert_eq!(before, [], "{packet} is answered by the end alone");
    }
    let mut socket = scene.broker.socket();
    socket.send_binary(b"no packet announced these");
    socket.until_closed();
    scene.unharmed();
}

#[test]
fn text_that_is_no_utf_8() {
    let scene = Scene::new();
    for bytes in [
        &b"42[\"all:x\",\"\xff\xfe\"]"[..],
        b"\xc3",
        b"42[\"\xed\xa0\x80\"]",
        b"\x80",
    ] {
        let mut socket = scene.socket();
        socket.send_raw_text(bytes);
        let (before, code) = socket.until_closed();
        assert_eq!(before, [], "{bytes:?}");
        // Invalid payload data (RFC 6455, 7.4.1).
        assert_eq!(code, Some(1007), "{bytes:?}");
    }
    let session = Polling::open(scene.broker.listen).connected();
    let response = session.post(b"42[\"all:x\",\"\xff\"]").unwrap();
    assert!((400..500).contains(&response.status), "{response:?}");
    scene.unharmed();
}

/// Packets that are none. The connection ends or the packet is denied; nobody else is told anything.
#[test]
fn malformed_packets() {
    let scene = Scene::new();
    let deep = format!(
        "42[\"all:x\",{}{}]",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let long_name = format!("42[\"{}\",1]", "n".repeat(100_000));
    for packet in [
        "4",
        "42",
        "42[",
        "42[]",
        "42{}",
        "42[1]",
        "42[null,1]",
        "42\"x\"",
        "42[\"all:x\",]",
        "42[\"all:x\"]]",
        "42[\"all:x\",01]",
        "42[\"all:x\",NaN]",
        "42[\"all:x\",'x']",
        "42[\"all:\\ud800\"]",
        "42[\"all:x\",\"\\q\"]",
        "42[\"all:x\",\"\u{1}\"]",
        "4299999999999999999999999[\"all:x\"]",
        "42-1[\"all:x\"]",
        "42/,[\"all:x\"",
        "45[\"all:x\"]",
        "45-[\"all:x\"]",
        "451[\"all:x\"]",
        "451-",
        "46",
        "49",
        "4a",
        "9",
        "",
        "7x",
        "1",
        "0{}",
        "2probe",
        "5",
        "6",
        deep.as_str(),
        long_name.as_str(),
    ] {
        let mut socket = scene.socket();
        socket.send(packet);
        // A connection that was left open answers this; one that was closed says so.
        socket.send(r#"429["all:probe"]"#);
        loop {
            match socket.packet() {
                Packet::Closed(_) => break,
                Packet::Text(text) if text.starts_with("439[") => break,
                Packet::Text(_) => {}
                Packet::Binary(bytes) => panic!("{packet:.60}: {bytes:?}"),
            }
        }
    }
    // What is odd and still an event has been delivered; nobody has been thrown out by it.
    scene.socket().send(r#"42["all:end"]"#);
    scene.witness.skip_to("all:end");
    scene.unharmed();
}

/// A second CONNECT, an ack nobody asked for, a DISCONNECT of what was never entered.
#[test]
fn packets_out_of_turn() {
    let scene = Scene::new();
    for packet in [
        "40",
        r#"40{"token":1}"#,
        r#"437["ack"]"#,
        "41/nope,",
        r#"44{"message":"mine"}"#,
    ] {
        let mut socket = scene.socket();
        socket.send(packet);
        socket.send(r#"421["all:fine"]"#);
        loop {
            match socket.packet() {
                Packet::Closed(_) => break,
                Packet::Text(text) if text.starts_with("431[") => break,
                _ => {}
            }
        }
    }
    scene.socket().send(r#"42["all:end"]"#);
    scene.witness.skip_to("all:end");
    scene.unharmed();
}

/// Bytes that are no HTTP, heads without an end, and heads that are too long.
#[test]
fn connections_that_speak_no_http() {
    use std::io::{Read, Write};
    let scene = Scene::new();
    let long_head = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20));
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"SSH-2.0-x\r\n",
        b"GET\r\n\r\n",
        long_head.as_bytes(),
    ] {
        let mut stream = raw::connect(scene.broker.listen);
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        // A reset is an answer too; hanging is not.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        }
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    scene.unharmed();
}

#[test]
fn a_client_that_comes_and_goes_without_end_leaves_nothing() {
    let scene = Scene::new();
    for _ in 0..300 {
        let mut socket = scene.broker.socket();
        socket.send("40");
        socket.shutdown();
        drop(Polling::open(scene.broker.listen));
    }
    let node = Driver::node();
    node.connect("after", &scene.broker.url("/"), &websocket())
        .disconnect();
    scene.unharmed();
}
