//! What one client can cost is bounded: calls that fail, sessions, namespaces, bytes that wait for it, bodies that
//! do not come.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use sluice_tests::raw::{self, Packet, Polling, Socket};
use sluice_tests::{Broker, Client, Driver, Record, eventually};
use tungstenite::{Message, WebSocket};

use crate::keep_alive::{HANDSHAKE, KeepAlive, open_packet, session_path};
use crate::shared::{RELAY, websocket};

/// What anybody else may wait for an ack. On an idle machine it is milliseconds.
const UNDISTURBED: Duration = Duration::from_secs(6);

fn is_prompt(client: &Client) {
    let ack = client.ask_within("fine", json!([]), UNDISTURBED);
    assert_eq!(ack, Some(vec![json!({"ok": true})]), "{}", client.name);
}

/// The next message that begins like this.
fn skip_to(socket: &mut WebSocket<TcpStream>, wanted: &str) -> String {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) if text.starts_with(wanted) => return text.as_str().to_owned(),
            Message::Text(text) if text.as_str() == "2" => {
                socket.send(Message::text("3")).unwrap();
            }
            _ => {}
        }
    }
}

/// Each of these calls would hold up its reactor, and everybody on it, for the policy's whole deadline.
#[test]
fn a_thousand_failing_calls_at_once_hold_nobody_up() {
    const CALLS: usize = 1000;
    let node = Driver::node();
    let config = r#"
        [server]
        reactors = 1
        [[policy]]
        name = "fixture-loop"
        timeout = "10ms"
        [[namespace]]
        path = "/"
        [[namespace.route]]
        event = "*"
        action = "emit"
        to = "others"
    "#;
    let broker = Broker::start(config, &["fixture-loop"]);
    let other = node.connect("other", &broker.url("/"), &websocket());
    let mut flooding = raw::upgrade(broker.listen, "", &[]).unwrap();
    flooding.send(Message::text("40")).unwrap();
    skip_to(&mut flooding, "40");
    let traps = |kind| {
        let labels = [("policy", "fixture-loop"), ("kind", kind)];
        broker.metrics().sum("sluice_policy_traps_total", &labels)
    };

    for _ in 0..CALLS {
        flooding.write(Message::text(r#"42["loop"]"#)).unwrap();
    }
    flooding.flush().unwrap();
    let denials = thread::spawn(move || {
        for _ in 0..CALLS {
            let denial = skip_to(&mut flooding, "42");
            assert!(denial.starts_with(r#"42["error",{"#), "{denial}");
            assert!(denial.contains("policy_failed"), "{denial}");
        }
        flooding
    });
    let mut acks = 0;
    while acks < 20 || !denials.is_finished() {
        is_prompt(&other);
        acks += 1;
    }
    let mut flooding = denials.join().expect("a denial for each call");
    assert!(traps("budget") > 0.0, "{}", broker.metrics().text());
    let called = traps("deadline");
    assert!(called >= 1.0, "{}", broker.metrics().text());
    assert!(called < 200.0, "{called} calls were made");

    // What was used up comes back: the call is made again.
    eventually("a call that is made again", || {
        flooding.send(Message::text(r#"421["loop"]"#)).unwrap();
        let ack = skip_to(&mut flooding, "431");
        assert!(ack.contains("policy_failed"), "{ack}");
        (traps("deadline") > called).then_some(())
    });
    is_prompt(&other);
}

/// A session outlives its requests, so a client needs no more than one connection to open many.
#[test]
fn sessions_are_bounded_and_not_only_connections() {
    const MOST: usize = 5;
    let config = format!(
        "[server]\nmax_connections = {MOST}\nconnect_timeout = \"5s\"\ndrain_period = \"100ms\"\n{RELAY}"
    );
    let broker = Broker::start(&config, &[]);
    let mut connection = KeepAlive::open(broker.listen);
    let fill = |connection: &mut KeepAlive| -> Vec<String> {
        let admitted = |connection: &mut KeepAlive| {
            eventually("room for a session", || {
                Some(connection.get(HANDSHAKE)).filter(|response| response.status != 503)
            })
        };
        (0..MOST)
            .map(|_| session_path(&admitted(connection)))
            .collect()
    };
    let is_full = |connection: &mut KeepAlive| {
        for _ in 0..3 {
            let refused = connection.get(HANDSHAKE);
            assert_eq!(refused.status, 503, "{refused:?}");
        }
    };
    let paths = fill(&mut connection);
    is_full(&mut connection);
    // As many come in as have ended, and no more: no place is lost on the way.
    for path in paths {
        assert_eq!(connection.post(&path, "40").status, 200);
        assert_eq!(connection.post(&path, "1").status, 200);
    }
    fill(&mut connection);
    is_full(&mut connection);
    // None of these enters a namespace, so all of them end by themselves.
    fill(&mut connection);
}

#[test]
fn a_connection_is_in_64_namespaces_at_most() {
    const MOST: usize = 64;
    let config = RELAY.replace("path = \"/\"", "path = \"/org-{id}\"");
    let broker = Broker::start(&config, &[]);
    let mut socket = broker.socket();
    let enter = |socket: &mut Socket, id: usize| {
        socket.send(&format!("40/org-{id},"));
        match socket.packet() {
            Packet::Text(text) => text,
            other => panic!("{other:?}"),
        }
    };
    let is_in = |answer: &str, id| answer.starts_with(&format!(r#"40/org-{id},{{"sid":"#));
    let works = |socket: &mut Socket, id: usize| {
        socket.send(&format!(r#"42/org-{id},7["fine"]"#));
        let ack = format!(r#"43/org-{id},7[{{"ok":true}}]"#);
        assert_eq!(socket.packet(), Packet::Text(ack));
    };
    for id in 0..MOST {
        let answer = enter(&mut socket, id);
        assert!(is_in(&answer, id), "{answer}");
    }
    for id in [MOST, MOST + 1] {
        let answer = enter(&mut socket, id);
        let refused = answer.strip_prefix(&format!("44/org-{id},"));
        let refused: serde_json::Value = serde_json::from_str(refused.unwrap()).unwrap();
        assert_eq!(refused["data"]["code"], "overloaded");
    }
    for id in 0..MOST {
        works(&mut socket, id);
    }
    // The bound is one connection's.
    let mut another = broker.socket();
    let answer = enter(&mut another, MOST);
    assert!(is_in(&answer, MOST), "{answer}");
    // Leaving one frees one place.
    socket.send("41/org-3,");
    let answer = enter(&mut socket, MOST);
    assert!(is_in(&answer, MOST), "{answer}");
    works(&mut socket, MOST);
    assert!(enter(&mut socket, 3).contains("overloaded"));
    works(&mut socket, 0);
}

/// A sender, a reader that loses nothing, and a client that reads nothing.
struct Slow {
    broker: Broker,
    sender: Client,
    reader: Client,
    slow: Socket,
    _node: Driver,
}

impl Slow {
    fn new(server: &str) -> Self {
        let node = Driver::node();
        // One reactor, so that writes to the reader keep step with the sender on a machine that is busy.
        let broker = Broker::start(&format!("[server]\nreactors = 1\n{server}\n{RELAY}"), &[]);
        Self {
            sender: node.connect("sender", &broker.url("/"), &websocket()),
            reader: node.connect_quiet("reader", &broker.url("/"), &websocket()),
            slow: broker.socket().connected(),
            broker,
            _node: node,
        }
    }

    /// Sends 20 MB, which is more than the kernel holds, in steps that the reader has to keep pace with.
    fn flood(&self) {
        let text = "x".repeat(100_000);
        for step in 1..=40 {
            let options = json!({"template": {"text": text}, "first": (step - 1) * 5});
            let answers = self.sender.flood("big", 5, 1000, &options).wait().answers;
            let denied = answers
                .iter()
                .find(|(_, ack, _)| *ack != json!({"ok": true}));
            assert_eq!(denied, None);
            self.reader.wait_received(step * 5);
        }
        let received = self.reader.collect();
        let numbers = received.iter().map(|event| event[1]["seq"].as_u64());
        assert!(numbers.eq((0..200).map(Some)), "all, in order");
    }

    /// Waits for the end of the client that does not read, and shows that it was the only one.
    fn ended(mut self) {
        let sid = self.slow.id.clone();
        let is_end = |record: &Record| record.message() == "disconnected";
        let end = self.broker.logs.wait("the slow client's end", is_end);
        assert!(end.has("socket", &sid), "{sid}: {}", end.line);
        assert!(end.has("reason", "slow client"), "{}", end.line);
        eventually("one slow client counted", || {
            let counted = self
                .broker
                .metrics()
                .sum("sluice_slow_client_disconnects_total", &[]);
            (counted == 1.0).then_some(())
        });
        eventually("two connections left", || {
            let left = self.broker.metrics().sum("sluice_connections", &[]);
            (left == 2.0).then_some(())
        });
        // What had been written is still there; then it ends.
        self.slow.until_closed();
        is_prompt(&self.sender);
        assert_eq!(self.broker.logs.find(|record| is_end(record)).len(), 1);
    }
}

#[test]
fn a_client_that_more_bytes_wait_for_than_it_may_have_is_let_go() {
    let scene =
        Slow::new("ping_timeout = \"10m\"\n[server.slow_client]\nmax_queued_bytes = \"1MiB\"");
    scene.flood();
    scene.ended();
}

/// Far fewer bytes wait for it than may, and no heartbeat is due.
#[test]
fn a_client_that_takes_nothing_for_too_long_is_let_go() {
    let timeout = Duration::from_secs(2);
    let scene = Slow::new(
        "ping_interval = \"10m\"\n[server.slow_client]\nmax_queued_bytes = \"256MiB\"\nmax_stall = \"2s\"",
    );
    let start = Instant::now();
    scene.flood();
    let sent = Instant::now();
    scene.ended();
    assert!(start.elapsed() > timeout, "{:?}", start.elapsed());
    let after = sent.elapsed();
    assert!(after < timeout + Duration::from_secs(16), "{after:?}");
}

/// A client that asks for an upgrade which is going to be refused has lost time.
#[test]
fn an_upgrade_that_would_be_refused_is_not_offered() {
    for (setting, upgrades) in [
        ("", json!(["websocket"])),
        ("allow_upgrades = false", json!([])),
        (r#"transports = ["polling"]"#, json!([])),
    ] {
        let broker = Broker::start(&format!("[server]\n{setting}\n{RELAY}"), &[]);
        let mut connection = KeepAlive::open(broker.listen);
        let open = open_packet(&connection.get(HANDSHAKE));
        assert_eq!(open["upgrades"], upgrades, "{setting}");
        for member in ["sid", "pingInterval", "pingTimeout", "maxPayload"] {
            assert!(!open[member].is_null(), "{setting}: {open}");
        }
        assert_eq!(open["pingInterval"], 25_000);
        // The packet is cut to its new length, and the session is one.
        let polling = Polling::open(broker.listen).connected();
        assert_eq!(polling.post(br#"42["fine"]"#).unwrap().status, 200);
    }
}

#[test]
fn bodies_that_do_not_come_hold_nobody_up() {
    let node = Driver::node();
    let config = format!("[server]\nreactors = 1\ndrain_period = \"100ms\"\n{RELAY}");
    let broker = Broker::start(&config, &[]);
    let other = node.connect("other", &broker.url("/"), &websocket());
    let bystander = Polling::open(broker.listen).connected();
    let waiting: Vec<_> = (0..50)
        .map(|n| {
            let mut connection = KeepAlive::open(broker.listen);
            let path = session_path(&connection.get(HANDSHAKE));
            // Nothing at all, or a beginning.
            let body = if n % 2 == 0 { "" } else { r#"42["all:half"# };
            connection.send("POST", &path, 1000, body);
            connection
        })
        .collect();
    for n in 0..20 {
        is_prompt(&other);
        let start = Instant::now();
        assert_eq!(bystander.post(br#"42["news"]"#).unwrap().status, 200);
        assert_eq!(other.expect("news"), [] as [serde_json::Value; 0], "{n}");
        open_packet(&KeepAlive::open(broker.listen).get(HANDSHAKE));
        assert!(start.elapsed() < UNDISTURBED, "{:?}", start.elapsed());
    }
    drop(waiting);
    is_prompt(&other);
}
