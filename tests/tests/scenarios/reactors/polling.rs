//! Polling clients, whose connections land on any reactor.

use super::*;

/// Has every further connection go to another reactor than the first one, of two.
fn held(broker: &Broker) -> TcpStream {
    TcpStream::connect(broker.listen).unwrap()
}

fn forwarded(broker: &Broker) -> f64 {
    broker.metrics().sum("sluice_reactor_forwarded_total", &[])
}

/// Polls until the ack has come of the event with this number, and says what has come.
fn until_acked(session: &Polling, event: u32) -> String {
    let mut told = String::new();
    while !told.contains(&format!("43{event}[")) {
        let answer = session.poll().unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        told.push_str(&answer.text());
        if answer.text() == "2" {
            session.post(b"3").unwrap();
        }
    }
    told
}

/// Each request of a polling session comes over a connection of its own, and so to any reactor.
#[test]
fn polling_finds_its_session_from_any_connection() {
    let broker = broker(2);
    let session = Polling::open(broker.listen);
    let _held = [held(&broker), held(&broker), held(&broker)];
    let session = session.connected();
    for n in 0..100 {
        let _one_more = held(&broker);
        let event = format!("42{n}[\"all:x\",{n}]");
        assert_eq!(session.post(event.as_bytes()).unwrap().status, 200);
        let told = until_acked(&session, n);
        assert!(told.contains(&format!("42[\"all:x\",{n}]")), "{told}");
    }
    assert!(forwarded(&broker) > 20.0, "{}", forwarded(&broker));
    // What is wrong with a request is said wherever it comes in.
    let mut unknown = Polling::open(broker.listen);
    unknown.sid = "unknown".to_owned();
    assert_eq!(unknown.poll().unwrap().status, 400);
}

/// Attachments and large bodies pass from one reactor to the other, and what is too large is refused.
#[test]
fn bodies_cross_reactors_whole() {
    let config = format!("[server]\nreactors = 2\nmax_payload = \"300KB\"\n{RELAY}");
    let broker = Broker::start(&config, &[]);
    let session = Polling::open(broker.listen).connected();
    for n in 0..10 {
        let _one_more = held(&broker);
        let large = "x".repeat(200_000 + n);
        let event = format!("42{n}[\"all:x\",\"{large}\"]");
        assert_eq!(session.post(event.as_bytes()).unwrap().status, 200);
        let mut told = String::new();
        while !told.contains(&format!("43{n}[")) {
            told.push_str(&session.poll().unwrap().text());
        }
        assert!(told.contains(&large));
    }
    for _ in 0..2 {
        let session = Polling::open(broker.listen).connected();
        let _one_more = held(&broker);
        let exceeds = format!("42[\"x\",\"{}\"]", "y".repeat(400_000));
        assert_eq!(session.post(exceeds.as_bytes()).unwrap().status, 413);
    }
    assert!(forwarded(&broker) > 0.0);
}

/// A client whose poll hangs at another reactor goes away, and the session takes its next poll. Two polls at the same
/// time would end it.
#[test]
fn a_forwarded_poll_that_is_given_up_does_not_stand_in_the_way() {
    // One of the polls may take a ping with it.
    let server = "[server]\nreactors = 2\nping_timeout = \"60s\"";
    let broker = Broker::start(&format!("{server}\n{RELAY}"), &[]);
    let session = Polling::open(broker.listen).connected();
    for n in 0..10 {
        let _one_more = held(&broker);
        let mut poll = held(&broker);
        let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", session.sid);
        write!(poll, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        drop(poll);
        // By the time that both reactors have answered a request, they have seen it go.
        for _ in 0..4 {
            let _one_more = held(&broker);
            assert_eq!(session.post(b"42[\"none\"]").unwrap().status, 200);
        }
        let event = format!("42{n}[\"room:none\",\"none\"]");
        assert_eq!(session.post(event.as_bytes()).unwrap().status, 200);
        until_acked(&session, n);
    }
    assert!(forwarded(&broker) > 0.0);
}

/// Upgrades arrive at whichever reactor: the WebSocket moves to the one of its session, with what was read ahead.
#[test]
fn a_websocket_moves_to_the_reactor_of_its_session() {
    let broker = broker(2);
    let mut sockets = Vec::new();
    for n in 0..50 {
        let session = Polling::open(broker.listen).connected();
        let _one_more = held(&broker);
        let query = format!("&sid={}", session.sid);
        let mut socket = raw::Socket::bare(broker.listen, &query);
        socket.send("2probe");
        assert_eq!(socket.packet(), Packet::Text("3probe".into()));
        socket.send("5");
        socket.send(&format!("42{n}[\"room:none\",\"none\"]"));
        loop {
            match socket.packet() {
                Packet::Text(text) if text == format!("43{n}[{{\"ok\":true}}]") => break,
                Packet::Text(text) => assert!(text.is_empty() || text == "6", "{text}"),
                other => panic!("{other:?}"),
            }
        }
        sockets.push(socket);
    }
    assert!(forwarded(&broker) > 20.0, "{}", forwarded(&broker));
    assert_eq!(broker.metrics().sum("sluice_connections", &[]), 50.0);
    drop(sockets);
    eventually("all to be gone", || {
        (broker.metrics().sum("sluice_connections", &[]) == 0.0).then_some(())
    });
}

/// The same with official clients, many at once, that are sent events while they change.
#[test]
fn official_clients_upgrade_on_any_reactor_and_miss_nothing() {
    let node = Driver::node();
    let broker = broker(4);
    let sender = node.connect("sender", &broker.url("/"), &websocket());
    let flood = sender.flood("n", 400, 400, &json!({"ack": false}));
    let movers: Vec<_> = (0..40)
        .map(|n| node.connect_quiet(&format!("m{n}"), &broker.url("/"), &json!({})))
        .collect();
    flood.wait();
    sender.ok("end", json!([]));
    for mover in &movers {
        mover.ok("all:x", json!([mover.name]));
        eventually("an upgrade", || {
            (mover.transport() == "websocket").then_some(())
        });
    }
    for mover in &movers {
        let mut received = Vec::new();
        eventually("every later event", || {
            received.extend(mover.collect());
            let ends = received.iter().any(|it| it[0] == "end");
            let numbers = received.iter().filter(|it| it[0] == "n");
            let sequence: Vec<_> = numbers.filter_map(|it| it[1].as_u64()).collect();
            let whole = sequence.windows(2).all(|pair| pair[1] == pair[0] + 1);
            assert!(whole, "{}: {sequence:?}", mover.name);
            ends.then_some(())
        });
    }
    assert!(forwarded(&broker) > 0.0);
    assert_eq!(broker.metrics().sum("sluice_connections", &[]), 41.0);
}
