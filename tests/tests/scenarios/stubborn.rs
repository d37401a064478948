//! Clients that begin what they do not finish, or do without end what is allowed: nobody else waits for them, and
//! when they are gone, so is what they took.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::json;
use sluice_tests::raw::{Packet, Socket, frame, head};
use sluice_tests::{Record, eventually};

use crate::hostile::Scene;
use crate::keep_alive::{HANDSHAKE, KeepAlive, session_path};

const TEXT: u8 = 0x81;

/// Short enough for a test to wait for, and longer than a busy machine makes an innocent client wait.
const HEARTBEAT: &str = "ping_interval = \"500ms\"\nping_timeout = \"2s\"";

impl Scene {
    /// The witness is served while all this goes on.
    fn serves(&self) {
        self.witness.ok("room:none", json!(["none"]));
    }

    /// How the sockets ended whose ids begin like this.
    fn ends(&self, count: usize, reason: &str) {
        let is_end =
            |record: &&Record| record.message() == "disconnected" && record.has("reason", reason);
        eventually("their ends in the log", || {
            (self.broker.logs.find(is_end).len() >= count).then_some(())
        });
    }
}

#[test]
fn connections_that_say_nothing_or_half_of_it() {
    let scene = Scene::new();
    let beginnings: [&[u8]; 4] = [
        b"",
        b"G",
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n",
        b"POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n4",
    ];
    let held: Vec<_> = (0..400)
        .map(|n| {
            let mut stream = TcpStream::connect(scene.broker.listen).unwrap();
            stream.write_all(beginnings[n % beginnings.len()]).unwrap();
            stream
        })
        .collect();
    scene.serves();
    scene.socket();
    drop(held);
    scene.unharmed();
}

#[test]
fn frames_byte_by_byte() {
    let scene = Scene::new();
    let mut socket = scene.socket();
    let event = frame(TEXT, br#"421["all:slowly","as slow as can be"]"#);
    for byte in &event {
        socket.send_bytes(&[*byte]);
        scene.serves();
    }
    let delivered = r#"42["all:slowly","as slow as can be"]"#;
    assert_eq!(socket.packet(), Packet::Text(delivered.into()));
    assert_eq!(socket.packet(), Packet::Text(r#"431[{"ok":true}]"#.into()));
    scene.witness.skip_to("all:slowly");
    drop(socket);
    scene.unharmed();
}

/// Nothing is set aside for what is only announced, and a client that sends nothing else is not alive.
#[test]
fn messages_announced_and_never_sent() {
    let scene = Scene::with(HEARTBEAT);
    let held: Vec<Socket> = (0..100)
        .map(|_| {
            let mut socket = scene.socket();
            socket.send_bytes(&head(TEXT, 0x80, 900_000));
            socket.send_bytes(&[0, 0, 0, 0, b'4', b'2']);
            socket
        })
        .collect();
    scene.serves();
    scene.ends(held.len(), "ping timeout");
    scene.is_alone();
    scene.unharmed();
}

#[test]
fn parts_of_a_message_that_never_ends() {
    let scene = Scene::with(HEARTBEAT);
    let held: Vec<Socket> = (0..50)
        .map(|_| {
            let mut socket = scene.socket();
            socket.send_bytes(&frame(0x01, br#"42["all:x",""#));
            for _ in 0..100 {
                socket.send_bytes(&frame(0x00, b"y"));
                // A ping of WebSocket's own is no sign of life of the client's.
                socket.send_bytes(&frame(0x89, b""));
            }
            socket
        })
        .collect();
    scene.serves();
    scene.ends(held.len(), "ping timeout");
    scene.is_alone();
    scene.unharmed();
}

/// Each event asks for an ack, and none is ever read.
#[test]
fn a_flood_whose_answers_nobody_reads() {
    let scene = Scene::with(
        "[server.slow_client]\nmax_queued_messages = 500\nmax_queued_bytes = \"256KiB\"",
    );
    let mut socket = scene.socket();
    let event = format!("421[\"room:none\",\"{}\"]", "n".repeat(100));
    let many = frame(TEXT, event.as_bytes()).repeat(1000);
    // Far more answers than the kernel and the broker hold. The last writes meet the end of the connection.
    for _ in 0..500 {
        socket.send_bytes(&many);
    }
    scene.serves();
    eventually("the flooding client counted", || {
        let metrics = scene.broker.metrics();
        (metrics.sum("sluice_slow_client_disconnects_total", &[]) == 1.0).then_some(())
    });
    scene.ends(1, "slow client");
    scene.is_alone();
    drop(socket);
    scene.unharmed();
}

#[test]
fn thousands_of_namespaces_that_do_not_exist() {
    let scene = Scene::new();
    let mut socket = scene.socket();
    for n in 0..5000 {
        socket.send(&format!("40/nope-{n},"));
        if n % 500 == 499 {
            for n in n - 499..=n {
                let refused = format!(r#"44/nope-{n},{{"message":"Invalid namespace"}}"#);
                assert_eq!(socket.packet(), Packet::Text(refused));
            }
            scene.serves();
        }
    }
    drop(socket);
    scene.is_alone();
    scene.unharmed();
}

#[test]
fn thousands_of_rooms() {
    let scene = Scene::new();
    let mut socket = scene.socket();
    let rooms = || scene.broker.metrics().sum("sluice_rooms", &[]);
    let before = rooms();
    let mut joined = 0;
    for n in 0..5000 {
        socket.send(&format!("42{n}[\"join\",\"room {n}\"]"));
        let Packet::Text(ack) = socket.packet() else {
            panic!("no ack")
        };
        match ack.contains(r#"{"ok":true}"#) {
            true => joined += 1,
            false => assert!(ack.contains(r#""code":"overloaded""#), "{ack}"),
        }
    }
    assert!((1..5000).contains(&joined), "{joined} rooms");
    scene.serves();
    drop(socket);
    scene.is_alone();
    eventually("their rooms gone", || (rooms() == before).then_some(()));
    scene.unharmed();
}

/// Requests that do not wait for answers are answered all the same, one after the other and in order.
#[test]
fn pipelined_requests() {
    const MANY: usize = 200;
    let scene = Scene::new();
    let mut connection = KeepAlive::open(scene.broker.listen);
    let path = session_path(&connection.get(HANDSHAKE));
    assert_eq!(connection.post(&path, "40").status, 200);
    for n in 0..MANY {
        let event = format!("42[\"all:n\",{n}]");
        connection.send("POST", &path, event.len(), &event);
    }
    for _ in 0..MANY {
        assert_eq!(connection.answer().status, 200);
    }
    for n in 0..MANY {
        assert_eq!(scene.witness.expect("all:n"), [json!(n)]);
    }
    for _ in 0..MANY {
        connection.send("GET", "/socket.io/?EIO=4&transport=nothing", 0, "");
    }
    for _ in 0..MANY {
        assert_eq!(connection.answer().status, 400);
    }
    assert_eq!(connection.post(&path, "1").status, 200);
    scene.is_alone();
    scene.unharmed();
}

/// A session that began with polling asks for a WebSocket, and does not say a word over it.
#[test]
fn upgrades_that_never_finish() {
    let scene = Scene::with("upgrade_timeout = \"500ms\"");
    let held: Vec<_> = (0..50)
        .map(|n| {
            let mut connection = KeepAlive::open(scene.broker.listen);
            let path = session_path(&connection.get(HANDSHAKE));
            assert_eq!(connection.post(&path, "40").status, 200);
            let sid = path.rsplit_once("sid=").map_or("", |(_, sid)| sid);
            let mut socket = Socket::bare(scene.broker.listen, &format!("&sid={sid}"));
            if n % 2 == 0 {
                socket.send("2probe");
            }
            (connection, socket)
        })
        .collect();
    scene.serves();
    for (_, mut socket) in held {
        socket.until_closed();
    }
    scene.unharmed();
}
