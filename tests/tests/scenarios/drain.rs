//! SIGTERM under load: clients are told, nothing new is let in, and the process ends in time.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use sluice_tests::raw::{self, Polling};
use sluice_tests::{Broker, Client, Driver, eventually, http};
use tungstenite::{Message, WebSocket};

use crate::keep_alive::{HANDSHAKE, KeepAlive, session_path};
use crate::msgpack::by_query;
use crate::shared::{RELAY, websocket};

#[test]
fn a_broker_that_is_told_to_stop_says_goodbye_and_goes() {
    let node = Driver::node();
    let period = Duration::from_secs(4);
    let mut broker = Broker::start(&format!("[server]\ndrain_period = \"4s\"\n{RELAY}"), &[]);
    let names: Vec<String> = (0..20).map(|n| format!("client-{n}")).collect();
    let clients: Vec<_> = names
        .iter()
        .map(|name| node.connect(name, &broker.url("/"), &websocket()))
        .collect();
    let polling = node.connect(
        "polling",
        &broker.url("/"),
        &json!({"transports": ["polling"]}),
    );
    let packed = node.connect("packed", &broker.url("/"), &by_query(json!(["polling"])));
    assert_eq!(broker.get("/readyz").status, 200);
    let floods: Vec<_> = clients[..4]
        .iter()
        .map(|client| {
            client.flood(
                "room:none",
                100_000,
                200,
                &json!({"ack": false, "template": "none"}),
            )
        })
        .collect();
    eventually("events", || {
        (broker.metrics().sum("sluice_events_received_total", &[]) > 100.0).then_some(())
    });

    broker.signal_term();
    // While it drains, it says that it is not ready and takes no new client.
    let not_ready = eventually("readiness to go", || {
        http::request(broker.admin(), "GET", "/readyz", &[], &[])
            .ok()
            .filter(|response| response.status == 503)
    });
    assert!(not_ready.text().contains("drain"), "{}", not_ready.text());
    let late = node
        .try_connect("late", &broker.url("/"), &websocket())
        .map(|client| client.sid);
    assert!(late.is_err(), "let in while draining: {late:?}");

    let (code, took) = broker.wait_exit();
    assert_eq!(code, 0);
    // The period, and a little for a machine that does other things.
    assert!(took < period + Duration::from_secs(10), "{took:?}");
    for client in clients.iter().chain([&polling, &packed]) {
        // Clients connect again by themselves after this reason, and would not after "io server disconnect".
        assert_eq!(client.disconnected(), "transport close", "{}", client.name);
    }
    eventually("every goodbye in the log", || {
        let told = broker
            .logs
            .find(|record| record.message() == "disconnected");
        (told.len() == clients.len() + 2).then_some(())
    });
    drop(floods);
}

#[test]
fn without_clients_it_goes_at_once() {
    let mut broker = Broker::start("[server]\ndrain_period = \"30s\"\n", &[]);
    broker.signal_term();
    let (code, took) = broker.wait_exit();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// Clients are closed over the period, not in one blow that would make all of them reconnect at once.
#[test]
fn goodbyes_are_spread_over_the_period() {
    let node = Driver::node();
    let mut broker = Broker::start(&format!("[server]\ndrain_period = \"4s\"\n{RELAY}"), &[]);
    let clients: Vec<_> = (0..30)
        .map(|n| node.connect(&format!("c{n}"), &broker.url("/"), &websocket()))
        .collect();
    broker.signal_term();
    let mut ends: Vec<_> = clients.iter().map(Client::disconnected_at).collect();
    ends.sort();
    let spread = ends[29] - ends[0];
    assert!(spread > Duration::from_secs(1), "{spread:?}");
    assert_eq!(broker.wait_exit().0, 0);
}

#[test]
fn an_interrupt_from_the_terminal_ends_it_too() {
    let mut broker = Broker::start("", &[]);
    broker.signal_interrupt();
    assert_eq!(broker.wait_exit().0, 0);
}

/// A client in the namespace `/`, that sees whether it is told goodbye or merely cut.
fn witness(broker: &Broker) -> WebSocket<TcpStream> {
    let mut socket = raw::upgrade(broker.listen, "", &[]).unwrap();
    socket.send(Message::text("40")).unwrap();
    while !matches!(socket.read().unwrap(), Message::Text(text) if text.starts_with("40")) {}
    socket
}

/// What comes before the close frame.
fn until_goodbye(socket: &mut WebSocket<TcpStream>) -> Vec<String> {
    let mut before = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Close(_)) => return before,
            Ok(Message::Text(text)) if text.as_str() == "2" => {
                // Whoever is going does not need the answer.
                let _ = socket.send(Message::text("3"));
            }
            // Engine.IO's own goodbye.
            Ok(Message::Text(text)) if text.as_str() == "1" => {}
            Ok(Message::Text(text)) => before.push(text.as_str().to_owned()),
            other => panic!("{other:?} after {} messages", before.len()),
        }
    }
}

fn draining(broker: &Broker) {
    eventually("the drain", || {
        (broker.get("/readyz").status == 503).then_some(())
    });
}

#[test]
fn what_is_queued_arrives_before_the_goodbye() {
    queued_until_the_goodbye(|_| {});
}

/// Bytes that a server has not read when it closes make the kernel reset the connection, and what was on its way
/// to the client is lost.
#[test]
fn what_is_queued_for_a_client_that_goes_on_sending_arrives_too() {
    queued_until_the_goodbye(|socket| {
        for _ in 0..100 {
            let event = r#"42["room:none","none"]"#;
            socket.send(Message::text(event)).unwrap();
        }
    });
}

/// More waits for this client than the kernel holds, so the goodbye comes while the broker still has some of it.
fn queued_until_the_goodbye(meanwhile: impl Fn(&mut WebSocket<TcpStream>)) {
    let config = format!(
        "[server]\ndrain_period = \"20s\"\n[server.slow_client]\nmax_queued_bytes = \"256MiB\"\nmax_stall = \"30s\"\n{RELAY}"
    );
    let mut broker = Broker::start(&config, &[]);
    let mut socket = witness(&broker);
    let count = 100;
    let text = "x".repeat(300_000);
    for number in 0..count {
        broker.emit("/", &[], "big", &json!([number, text]));
    }
    // Its ack is the last thing that is queued.
    let event = r#"427["room:none","none"]"#;
    socket.send(Message::text(event)).unwrap();
    eventually("the event", || {
        (broker.metrics().sum("sluice_events_received_total", &[]) == 1.0).then_some(())
    });

    broker.signal_term();
    draining(&broker);
    meanwhile(&mut socket);
    let received = until_goodbye(&mut socket);
    for (number, event) in received.iter().take(count).enumerate() {
        let begins = format!(r#"42["big",{number},"xxx"#);
        assert!(event.starts_with(&begins), "{number}: {event:.40}");
    }
    let end: Vec<_> = received.iter().skip(count).collect();
    assert_eq!(end, [r#"437[{"ok":true}]"#]);
    let (code, took) = broker.wait_exit();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(15), "{took:?}");
    let ended = broker
        .logs
        .wait("the end", |record| record.message() == "disconnected");
    assert!(
        ended.has("reason", "server shutting down"),
        "{}",
        ended.line
    );
}

#[test]
fn a_poll_that_waits_is_answered() {
    let mut broker = Broker::start(&format!("[server]\ndrain_period = \"20s\"\n{RELAY}"), &[]);
    let session = Polling::open(broker.listen).connected();
    let mut connection = KeepAlive::open(broker.listen);
    let poll = format!("{HANDSHAKE}&sid={}", session.sid);
    // Past the first heartbeat, so that nothing else ends the poll.
    broker.emit("/", &[], "first", &json!([]));
    let mut received = String::new();
    while !received.contains("first") || !received.contains('2') {
        received.push_str(&connection.get(&poll).text());
    }
    assert_eq!(session.post(b"3").unwrap().status, 200);
    // Sent before the signal, on a connection that is served already.
    connection.send("GET", &poll, 0, "");

    broker.signal_term();
    // Or, on a machine that was slow to read the poll, that there is no such session any more, or that a connection
    // without a request has been closed.
    if let Some(answer) = connection.answer_or_end() {
        match answer.status {
            200 => assert_eq!(answer.text(), "1"),
            status => assert_eq!(status, 400),
        }
    }
    let (code, took) = broker.wait_exit();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(10), "{took:?}");
    let ended = broker
        .logs
        .wait("the end", |record| record.message() == "disconnected");
    let reason = ended.field("reason").as_str().unwrap_or_default();
    assert!(
        ["server shutting down", "transport close"].contains(&reason),
        "{}",
        ended.line
    );
}

/// A browser keeps connections open that it may need again.
#[test]
fn idle_connections_do_not_prolong_the_drain() {
    let mut broker = Broker::start(&format!("[server]\ndrain_period = \"30s\"\n{RELAY}"), &[]);
    let mut idle: Vec<_> = (0..5).map(|_| KeepAlive::open(broker.listen)).collect();
    for connection in &mut idle {
        // One that has had a session, which is over.
        let path = session_path(&connection.get(HANDSHAKE));
        assert_eq!(connection.post(&path, "40").status, 200);
        assert!(connection.get(&path).text().contains("40"));
        assert_eq!(connection.post(&path, "1").status, 200);
    }
    // One that never said anything.
    idle.push(KeepAlive::open(broker.listen));
    broker.signal_term();
    let (code, took) = broker.wait_exit();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(idle);
}

/// Told to come back on a new connection, a client comes to a server that stays.
#[test]
fn who_comes_on_an_old_connection_is_sent_away() {
    let mut broker = Broker::start(&format!("[server]\ndrain_period = \"1h\"\n{RELAY}"), &[]);
    let mut connections = [(); 2].map(|()| KeepAlive::open(broker.listen));
    for connection in &mut connections {
        let response = connection.get("/elsewhere");
        assert_eq!(response.status, 404);
        assert_eq!(response.header("connection"), None);
    }
    // The last of them is closed long after all of this, and until then there is a broker.
    let sockets: Vec<_> = (0..4).map(|_| witness(&broker)).collect();
    broker.signal_term();
    draining(&broker);
    for connection in &mut connections {
        let response = connection.get(HANDSHAKE);
        assert_eq!(response.status, 503, "{response:?}");
        assert_eq!(response.header("connection"), Some("close"));
        assert!(connection.has_ended(), "the broker closes it too");
    }
    // A second time: nobody wants to wait for the rest of it.
    broker.signal_term();
    for mut socket in sockets {
        assert_eq!(until_goodbye(&mut socket), [] as [String; 0]);
    }
    assert_eq!(broker.wait_exit().0, 0);
}
