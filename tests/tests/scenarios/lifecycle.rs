//! How connections end: heartbeat, time to enter a namespace, goodbye; and what is left of them.

use std::time::{Duration, Instant};

use serde_json::json;
use sluice_tests::raw::{Packet, Polling};
use sluice_tests::{Broker, Driver, eventually, raw};

use crate::shared::{RELAY, clients, websocket};

const HEARTBEAT: &str = "[server]\nping_interval = \"300ms\"\nping_timeout = \"400ms\"\n";

#[test]
fn a_client_that_does_not_answer_pings_is_let_go() {
    let broker = Broker::start(HEARTBEAT, &[]);
    let mut silent = broker.socket().connected();
    let sid = silent.id.clone();
    let start = Instant::now();
    // Reads without ever answering; `packet` would answer.
    while !matches!(silent.read(), Packet::Closed(_)) {}
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    let record = broker
        .logs
        .wait("a disconnection for want of a heartbeat", |record| {
            record.message() == "disconnected" && record.has("socket", &sid)
        });
    assert!(record.has("reason", "ping timeout"), "{}", record.line);
    eventually("no connection left", || {
        (broker.metrics().sum("sluice_connections", &[]) == 0.0).then_some(())
    });
}

#[test]
fn a_client_that_answers_stays_over_both_transports() {
    let node = Driver::node();
    // A client that is slow to answer is none that does not.
    let broker = Broker::start(&HEARTBEAT.replace("400ms", "2s"), &[]);
    let a = node.connect("a", &broker.url("/"), &websocket());
    let b = node.connect("b", &broker.url("/"), &json!({"transports": ["polling"]}));
    // For longer than one may go without an answer, a raw client counts heartbeats; the official ones have to live as
    // long.
    let mut counter = broker.socket().connected();
    for _ in 0..10 {
        let Packet::Text(ping) = counter.read() else {
            panic!("the counting client was cut off")
        };
        assert_eq!(ping, "2");
        counter.send("3");
    }
    a.ok("x", json!(["still here"]));
    assert_eq!(b.expect("x"), [json!("still here")]);
    b.ok("x", json!([]));
}

#[test]
fn a_connection_that_enters_no_namespace_is_closed() {
    let broker = Broker::start("[server]\nconnect_timeout = \"2s\"\n", &[]);
    let start = Instant::now();
    let mut lingering = broker.socket();
    // One that has entered stays, and so does one that was refused a namespace and entered another.
    let mut entered = broker.socket().connected();
    let mut second_try = broker.socket();
    second_try.send("40/nowhere,");
    second_try.packet();
    let mut second_try = second_try.connected();
    let since = Instant::now();
    lingering.until_closed();
    let lingered = start.elapsed();
    assert!(lingered > Duration::from_millis(1800), "{lingered:?}");
    assert!(lingered < Duration::from_secs(12), "{lingered:?}");
    eventually("time to pass", || {
        (since.elapsed() > Duration::from_secs(3)).then_some(())
    });
    for socket in [&mut entered, &mut second_try] {
        socket.send("421[\"join\",\"r\"]");
        assert_eq!(socket.packet(), Packet::Text("431[{\"ok\":true}]".into()));
    }
}

#[test]
fn rooms_and_connections_vanish_with_their_members() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let rooms = || broker.metrics().sum("sluice_rooms", &[]);
    let connections = || broker.metrics().sum("sluice_connections", &[]);
    let [a, b, c] = clients(&node, &broker, ["a", "b", "c"]);
    for room in ["one", "two"] {
        a.ok("join", json!([room]));
    }
    b.ok("join", json!(["two"]));
    c.ok("join", json!(["three"]));
    assert_eq!((rooms(), connections()), (3.0, 3.0));
    a.ok("leave", json!(["one"]));
    assert_eq!(rooms(), 2.0);
    a.disconnect();
    // A goodbye, a cut line and a broker's decision are all the same to a room.
    eventually("two connections left", || {
        (connections() == 2.0).then_some(())
    });
    assert_eq!(rooms(), 2.0);
    b.cut();
    eventually("the room that only b was in", || {
        (rooms() == 1.0).then_some(())
    });
    c.disconnect();
    eventually("nothing left", || {
        ((rooms(), connections()) == (0.0, 0.0)).then_some(())
    });
}

#[test]
fn a_goodbye_is_logged_with_its_reason() {
    let node = Driver::node();
    let broker = Broker::start("", &[]);
    let [polite, rude] = clients(&node, &broker, ["polite", "rude"]);
    polite.disconnect();
    rude.cut();
    // The words of Node's server, which does not tell a broken line ("transport error") from a closed one as often.
    for (client, reasons) in [
        (&polite, &["client namespace disconnect"][..]),
        (&rude, &["transport close", "transport error"]),
    ] {
        let record = broker.logs.wait("a disconnection", |record| {
            record.message() == "disconnected" && record.has("socket", client.logged_as())
        });
        assert!(
            reasons.iter().any(|reason| record.has("reason", reason)),
            "{}: {}",
            client.name,
            record.line
        );
    }
}

#[test]
fn connections_beyond_the_limit_are_refused() {
    let broker = Broker::start("[server]\nmax_connections = 2\n", &[]);
    let first = broker.socket().connected();
    let _second = broker.socket().connected();
    // Whether with an answer or by hanging up: the third gets no session.
    let third = std::panic::catch_unwind(|| raw::upgrade_status(broker.listen, "", &[]));
    assert!(!matches!(third, Ok(101)), "{third:?}");
    drop(first);
    eventually("a place for another", || {
        matches!(
            std::panic::catch_unwind(|| raw::upgrade_status(broker.listen, "", &[])),
            Ok(101)
        )
        .then_some(())
    });
}

/// A polling session whose client vanishes without a word ends like any other.
#[test]
fn an_abandoned_polling_session_ends() {
    let broker = Broker::start(HEARTBEAT, &[]);
    let session = Polling::open(broker.listen);
    assert_eq!(session.post(b"40").unwrap().status, 200);
    // It may be over before anybody looks.
    for step in ["connected", "disconnected"] {
        broker.logs.wait(step, |record| record.message() == step);
    }
    eventually("its end", || {
        (broker.metrics().sum("sluice_connections", &[]) == 0.0).then_some(())
    });
    assert_eq!(session.poll().unwrap().status, 400);
}
