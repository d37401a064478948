//! Who may come in: as many as the operator allows, as fast, and while there is memory. Whoever is refused is told, with
//! the time after which to try again; whoever is in notices nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use sluice_tests::raw::{self, Packet, Polling};
use sluice_tests::{Broker, Driver, Setup, eventually, http};

use crate::connect::JWT;
use crate::hostile::Scene;
use crate::keep_alive::{HANDSHAKE, KeepAlive, session_path};
use crate::shared::{RELAY, SECRET, signed_in, websocket};

fn refused(broker: &Broker, limit: &str) -> f64 {
    let labels = [("reason", limit)];
    broker
        .metrics()
        .sum("sluice_connections_refused_total", &labels)
}

pub(crate) fn cut(broker: &Broker, why: &str) -> f64 {
    let labels = [("reason", why)];
    broker
        .metrics()
        .sum("sluice_connections_cut_total", &labels)
}

/// Seconds after which to try again.
fn retry_after(response: &http::Response) -> u64 {
    let retry = response.header("retry-after");
    retry.and_then(|it| it.parse().ok()).expect("Retry-After")
}

/// What is answered to a connection that has asked nothing.
fn unasked(mut stream: &TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn sessions_of_one_address_are_bounded() {
    let broker = Broker::start("[server]\nmax_connections_per_ip = 2\n", &[]);
    let first = broker.socket().connected();
    let _second = broker.socket().connected();
    assert_eq!(raw::upgrade_status(broker.listen, "", &[]), 503);
    let refusal = http::request(broker.listen, "GET", HANDSHAKE, &[], &[]).unwrap();
    assert_eq!((refusal.status, retry_after(&refusal)), (503, 1));
    assert_eq!(refusal.json()["message"], "Too many connections");
    assert_eq!(refused(&broker, "max_connections_per_ip"), 2.0);
    broker.logs.wait("the refusal", |record| {
        record.message() == "connection refused"
            && record.has("limit", "max_connections_per_ip")
            && record.has("address", "127.0.0.1")
    });
    // Another address is another's.
    let mut other = raw::connect_from([127, 0, 0, 2].into(), broker.listen);
    let request = format!("GET {HANDSHAKE} HTTP/1.0\r\n\r\n");
    other.write_all(request.as_bytes()).unwrap();
    assert!(unasked(&other).starts_with("HTTP/1.0 200"));
    drop(first);
    eventually("a place for another", || {
        (raw::upgrade_status(broker.listen, "", &[]) == 101).then_some(())
    });
}

/// They would take descriptors and memory without ever being a session.
#[test]
fn connections_of_one_address_that_say_nothing_are_bounded() {
    let broker = Broker::start("[server]\nmax_connections_per_ip = 2\n", &[]);
    let silent = || raw::connect(broker.listen);
    let held: Vec<_> = (0..8).map(|_| silent()).collect();
    for _ in 0..20 {
        let answer = unasked(&silent());
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("Retry-After: 1\r\n"), "{answer}");
    }
    assert_eq!(refused(&broker, "max_connections_per_ip"), 20.0);
    drop(held);
    eventually("a place for another", || {
        (raw::upgrade_status(broker.listen, "", &[]) == 101).then_some(())
    });
}

/// Nothing of a polling session that is over still counts, whichever way it ended.
#[test]
fn a_polling_session_counts_until_it_ends() {
    let keys = "max_connections_per_ip = 2\nconnect_timeout = \"3s\"";
    let broker = Broker::start(&format!("[server]\n{keys}\n{RELAY}"), &[]);
    let mut connection = KeepAlive::open(broker.listen);
    let ended = session_path(&connection.get(HANDSHAKE));
    let _forgotten = session_path(&connection.get(HANDSHAKE));
    assert_eq!(connection.get(HANDSHAKE).status, 503);
    assert_eq!(connection.post(&ended, "40").status, 200);
    assert_eq!(connection.post(&ended, "1").status, 200);
    for _ in 0..2 {
        // The other one was never in a namespace.
        eventually("a place for another", || {
            (connection.get(HANDSHAKE).status == 200).then_some(())
        });
    }
}

#[test]
fn new_sessions_come_no_faster_than_they_may() {
    let broker = Broker::start("[server]\nconnect_rate = \"3 per hour\"\n", &[]);
    let session = Polling::open(broker.listen).connected();
    let _socket = broker.socket();
    let _another = broker.socket();
    let refusal = http::request(broker.listen, "GET", HANDSHAKE, &[], &[]).unwrap();
    assert_eq!(refusal.status, 503, "{refusal:?}");
    assert!(
        (1000..=1200).contains(&retry_after(&refusal)),
        "{refusal:?}"
    );
    assert_eq!(raw::upgrade_status(broker.listen, "", &[]), 503);
    assert_eq!(refused(&broker, "connect_rate"), 2.0);
    // Those who are in go on, and new connections of theirs do not count as new sessions.
    for _ in 0..3 {
        assert_eq!(session.post(br#"42["x"]"#).unwrap().status, 200);
    }
    // Connections have a bound of their own, of four for each session.
    eventually("a connection beyond it", || {
        let stream = TcpStream::connect(broker.listen).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let mut answer = [0; 12];
        let read = (&stream).read(&mut answer).unwrap_or_default();
        (answer[..read] == *b"HTTP/1.1 503").then_some(())
    });
}

#[test]
fn an_address_comes_no_faster_than_it_may() {
    let broker = Broker::start("[server]\nconnect_rate_per_ip = \"2 per 4s\"\n", &[]);
    let since = Instant::now();
    let _sockets = [broker.socket(), broker.socket()];
    assert_eq!(raw::upgrade_status(broker.listen, "", &[]), 503);
    assert_eq!(refused(&broker, "connect_rate_per_ip"), 1.0);
    // A token comes back every two seconds.
    eventually("another token", || {
        (raw::upgrade_status(broker.listen, "", &[]) == 101).then_some(())
    });
    assert!(since.elapsed() > Duration::from_millis(1500));
}

#[test]
fn sockets_of_one_user_are_bounded() {
    let node = Driver::node();
    let broker = Setup::new(&format!(
        "[server]\nmax_connections_per_user = 2\n{JWT}{RELAY}"
    ))
    .modules(&["jwt-auth"])
    .env("JWT_SECRET", SECRET)
    .start();
    let url = broker.url("/");
    let [first, second] = ["a1", "a2"].map(|name| node.connect(name, &url, &signed_in("ann")));
    let refusal = node.try_connect("a3", &url, &signed_in("ann"));
    let refusal = refusal.err().expect("a refusal");
    assert_eq!(refusal.code(), "overloaded", "{refusal:?}");
    assert_eq!(refused(&broker, "max_connections_per_user"), 1.0);
    broker.logs.wait("the refusal", |record| {
        record.message() == "connection denied" && record.has("user", "ann")
    });
    let _ben = node.connect("b1", &url, &signed_in("ben"));
    second.ok("x", json!([1]));
    first.disconnect();
    let mut others = 3;
    eventually("a place for another", || {
        others += 1;
        let name = format!("a{others}");
        node.try_connect(&name, &url, &signed_in("ann")).ok()
    });
}

/// Each of these would otherwise hold a connection for as long as it likes.
#[test]
fn beginnings_without_an_end_are_cut_off() {
    let scene = Scene::with("request_timeout = \"2s\"");
    let beginnings: [(&[u8], &str); 3] = [
        (b"", "silent"),
        (
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nX-Slow: ",
            "slow_head",
        ),
        (b"nonsense\r\n\r\n", "bad_head"),
    ];
    // Side by side: together they wait no longer than one of them.
    let mut held = Vec::new();
    for (beginning, why) in beginnings {
        for _ in 0..50 {
            let mut stream = raw::connect(scene.broker.listen);
            stream.write_all(beginning).unwrap();
            held.push((stream, why));
        }
    }
    scene.witness.ok("room:none", json!(["none"]));
    // A byte more now and then keeps nothing open.
    for (stream, _) in held.iter_mut().filter(|(_, why)| *why == "slow_head") {
        let _ = stream.write_all(b"x");
    }
    for (stream, _) in &mut held {
        let _ = stream.read_to_end(&mut Vec::new());
    }
    for (_, why) in beginnings {
        eventually(why, || (cut(&scene.broker, why) == 50.0).then_some(()));
    }
    scene.witness.ok("room:none", json!(["none"]));
    // One that has asked something waits for no longer.
    let mut idle = KeepAlive::open(scene.broker.listen);
    assert_eq!(idle.get("/nowhere").status, 404);
    assert!(idle.has_ended());
    scene.unharmed();
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let scene = Scene::with("request_timeout = \"2s\"");
    let sessions: Vec<_> = (0..20)
        .map(|_| {
            let mut connection = KeepAlive::open(scene.broker.listen);
            let path = session_path(&connection.get(HANDSHAKE));
            connection.send("POST", &path, 1000, "42[");
            connection
        })
        .collect();
    scene.witness.ok("room:none", json!(["none"]));
    for mut connection in sessions {
        assert_eq!(connection.answer().status, 400);
        assert!(connection.has_ended());
    }
    scene.unharmed();
}

#[test]
fn heads_that_are_too_large_are_answered_431() {
    let scene = Scene::new();
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "y".repeat(64 << 10));
    for headers in [many, long] {
        let mut stream = raw::connect(scene.broker.listen);
        let head = format!("GET {HANDSHAKE} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        let _ = stream.write_all(head.as_bytes());
        let mut answer = Vec::new();
        // What was not read of the head resets the connection behind the answer.
        let _ = stream.read_to_end(&mut answer);
        assert!(
            answer.starts_with(b"HTTP/1.1 431"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    eventually("both counted", || {
        (cut(&scene.broker, "large_head") == 2.0).then_some(())
    });
    scene.unharmed();
}

/// They would keep the answers, and their connections, for as long as they like.
#[test]
fn answers_that_nobody_reads_are_not_kept() {
    const HELD: usize = 20;
    let scene =
        Scene::with("request_timeout = \"1s\"\nping_timeout = \"1s\"\nmax_payload = \"4MB\"");
    let mut sender = scene.socket();
    let text = "y".repeat(3_000_000);
    let held: Vec<_> = (0..HELD)
        .map(|n| {
            let session = Polling::open(scene.broker.listen).connected();
            let join = format!("42[\"join\",\"r{n}\"]");
            assert_eq!(session.post(join.as_bytes()).unwrap().status, 200);
            sender.send(&format!("421[\"room:x\",\"r{n}\",\"{text}\"]"));
            assert_eq!(sender.packet(), Packet::Text(r#"431[{"ok":true}]"#.into()));
            let mut stream = TcpStream::connect(scene.broker.listen).unwrap();
            let sid = &session.sid;
            let poll = format!("GET {HANDSHAKE}&sid={sid} HTTP/1.1\r\nHost: x\r\n\r\n");
            stream.write_all(poll.as_bytes()).unwrap();
            // The answer has begun, and nothing more of it is read.
            stream.read_exact(&mut [0]).unwrap();
            stream
        })
        .collect();
    // Longer than a client may acknowledge nothing; whatever it does now comes too late.
    std::thread::sleep(Duration::from_secs(3));
    for mut stream in held {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < 2_000_000, "{} bytes of the answer", rest.len());
    }
    scene.unharmed();
}

/// Memory that clients take turns readiness off, then new connections away, and comes back with it.
#[test]
fn memory_that_runs_short_keeps_new_clients_away() {
    const BOUND: u64 = 256 << 20;
    let config = format!(
        "[server]\nmax_memory = {BOUND}\nmax_payload = \"8MB\"\n\
         [server.slow_client]\nmax_stall = \"1h\"\nmax_queued_bytes = \"1GiB\"\n{RELAY}"
    );
    let broker = Broker::start(&config, &[]);
    assert!(broker.resident() < BOUND / 2, "{}", broker.resident());
    assert_eq!(broker.get("/readyz").status, 200);
    let mut sender = broker.socket().connected();
    // It never reads, so what it is sent waits for it.
    let slow = broker.socket().connected();
    let event = format!("42[\"x\",\"{}\"]", "y".repeat(4_000_000));
    let mut reasons = Vec::new();
    eventually("a node that is full", || {
        sender.send(&event);
        let ready = broker.get("/readyz");
        if ready.status == 503 {
            reasons.push(ready.json()["reasons"][0]["code"].clone());
        }
        (raw::upgrade_status(broker.listen, "", &[]) == 503).then_some(())
    });
    // From enough to full may be one step.
    reasons.push(broker.get("/readyz").json()["reasons"][0]["code"].clone());
    assert!(reasons.contains(&json!("memory")), "{reasons:?}");
    let polled = http::request(broker.listen, "GET", HANDSHAKE, &[], &[]).unwrap();
    assert_eq!((polled.status, retry_after(&polled)), (503, 1));
    assert!(refused(&broker, "max_memory") >= 2.0);
    assert_eq!(broker.metrics().sum("sluice_memory_pressure", &[]), 2.0);
    // Who is in is served.
    sender.send(r#"421["room:none","none"]"#);
    while sender.read() != Packet::Text(r#"431[{"ok":true}]"#.into()) {}
    drop(slow);
    eventually("a node that lets clients in again", || {
        let ready = broker.get("/readyz").status == 200;
        (ready && raw::upgrade_status(broker.listen, "", &[]) == 101).then_some(())
    });
    for message in ["memory runs short", "memory is enough again"] {
        broker
            .logs
            .wait(message, |record| record.message() == message);
    }
}

/// Official clients come in again by themselves when there is room.
#[test]
fn an_official_client_that_was_refused_comes_in_later() {
    let node = Driver::node();
    let broker = Broker::start(
        &format!("[server]\nmax_connections_per_ip = 1\n{RELAY}"),
        &[],
    );
    let mut others = 0;
    let mut another = |options: &serde_json::Value| {
        others += 1;
        node.try_connect(&format!("n{others}"), &broker.url("/"), options)
    };
    for options in [websocket(), json!({"transports": ["polling"]})] {
        let first = eventually("a place", || another(&websocket()).ok());
        assert!(another(&options).is_err());
        first.disconnect();
        eventually("its place", || another(&options).ok()).disconnect();
    }
}
