//! Back ends consume what clients send: published, stored, and answered, over a real NATS server.

use std::time::Duration;

use serde_json::{Value, json};
use sluice_tests::{Broker, Bus, Driver, Flood, Nats, Setup, eventually};

use crate::shared::{clients, own_code, start_behind, wait_alone, wait_ready};

const ROUTES: &str = r#"
    [cluster]
    name = "eu"
    hold = "1s"
    [[namespace]]
    path = "/"
    [[namespace.route]]
    event = "order:*"
    action = "publish"
    [[namespace.route]]
    event = "packed"
    action = "publish"
    subject = "orders.{event}"
    format = "msgpack"
    [[namespace.route]]
    event = "pay"
    action = "publish"
    durable = true
    [[namespace.route]]
    event = "bill"
    action = "publish"
    subject = "bills"
    durable = true
    [[namespace.route]]
    event = "ask"
    action = "request"
    subject = ".ask"
    [[namespace.route]]
    event = "ask-packed"
    action = "request"
    subject = "ask.packed"
    format = "msgpack"
    [[namespace.route]]
    event = "impatient"
    action = "request"
    subject = "ask.slow"
    timeout = "100ms"
    [[namespace.route]]
    event = "all:*"
    to = "all"
"#;

fn start(nats: &Nats, config: &str) -> Broker {
    start_behind(nats, Setup::new(config))
}

fn all_ok(flood: &Flood) {
    let answers = &flood.answers;
    assert!(
        answers
            .iter()
            .all(|(_, ack, _)| *ack == json!({"ok": true})),
        "{answers:?}"
    );
}

fn answered(broker: &Broker, outcome: &str) -> f64 {
    let labels = [("outcome", outcome)];
    broker
        .metrics()
        .sum("sluice_backend_answers_total", &labels)
}

#[test]
fn an_event_is_published_with_who_sent_it_and_in_order() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let broker = start(&nats, ROUTES);
    let mut orders = bus.subscribe("sluice.eu.event.=2F.*");
    let node = Driver::node();
    let [a] = clients(&node, &broker, ["a"]);
    a.ok(
        "order:new",
        json!([{"n": 1.50}, "zwei", {"_placeholder": true}]),
    );
    let published = orders.expect();
    assert_eq!(published.subject, "sluice.eu.event.=2F.order=3Anew");
    let envelope = published.json();
    assert_eq!(published.header("Nats-Msg-Id"), envelope["id"].as_str());
    assert_eq!(published.header("Content-Type"), Some("application/json"));
    assert!(published.reply.is_none());
    assert_eq!(envelope["namespace"], "/");
    assert_eq!(envelope["event"], "order:new");
    assert_eq!(envelope["socket"], a.sid);
    assert_eq!(envelope["user"], Value::Null);
    assert_eq!(envelope["attributes"], json!({}));
    assert_eq!(envelope["node"], broker.ready["node"]);
    assert!(envelope["time"].as_str().unwrap().ends_with('Z'));
    // Byte for byte.
    let text = String::from_utf8(published.payload.to_vec()).unwrap();
    assert!(
        text.contains(r#""arguments":[{"n":1.5},"zwei",{"_placeholder":true}]}"#),
        "{text}"
    );

    let flood = a.flood("order:many", 500, 5000, &json!({"ack": true}));
    let numbers = orders
        .take(500)
        .into_iter()
        .map(|it| it["arguments"][0].clone());
    let numbers: Vec<_> = numbers
        .map(|it| it.as_u64().unwrap_or_else(|| it["seq"].as_u64().unwrap()))
        .collect();
    assert!(numbers.is_sorted() && numbers.len() == 500, "{numbers:?}");
    assert_eq!(flood.wait().answers.len(), 500);
    assert!(orders.is_empty());
}

#[test]
fn binary_values_are_base64_or_stay_binary() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let broker = start(&nats, ROUTES);
    let mut orders = bus.subscribe("sluice.eu.event.>");
    let mut packed = bus.subscribe("orders.packed");
    let node = Driver::node();
    let [a] = clients(&node, &broker, ["a"]);
    let args = json!(["x", {"$bin": "AQID"}, {"deep": [{"$bin": "/w=="}]}]);
    a.ok("order:file", args.clone());
    assert_eq!(
        orders.expect().json()["arguments"],
        json!(["x", "AQID", {"deep": ["/w=="]}])
    );
    a.ok("packed", args);
    let message = packed.expect();
    assert_eq!(message.header("Content-Type"), Some("application/msgpack"));
    for binary in [&[0xc4, 3, 1, 2, 3][..], &[0xc4, 1, 255]] {
        let mut windows = message.payload.windows(binary.len());
        assert!(windows.any(|window| window == binary), "{message:?}");
    }
}

#[test]
fn a_request_is_answered_by_a_back_end() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let broker = start(&nats, ROUTES);
    let node = Driver::node();
    let [a] = clients(&node, &broker, ["a"]);
    let missing = a.denied("ask", json!([1]));
    assert_eq!(own_code(&missing), "backend_missing");

    bus.serve("sluice.eu.ask", |envelope| {
        let asked = &envelope["arguments"][0];
        Some(match asked.as_str() {
            Some("nonsense") => b"]".to_vec(),
            Some("silence") => return None,
            Some("array") => json!(["one", 2]).to_string().into_bytes(),
            _ => json!({"you said": asked}).to_string().into_bytes(),
        })
    });
    assert_eq!(a.ask("ask", json!([7])), [json!({"you said": 7})]);
    assert_eq!(a.ask("ask", json!(["array"])), [json!("one"), json!(2)]);
    let failed = a.denied("ask", json!(["nonsense"]));
    assert_eq!(own_code(&failed), "backend_failed");

    bus.serve("ask.packed", |_| Some(vec![0x92, 0x01, 0xa1, b'x']));
    assert_eq!(a.ask("ask-packed", json!([])), [json!(1), json!("x")]);

    bus.serve("ask.slow", |_| None);
    let late = a.denied("impatient", json!([]));
    assert_eq!(own_code(&late), "backend_timeout");
    // Without an ack nobody asks.
    let mut asked = bus.subscribe("ask.slow");
    a.emit("impatient", json!(["unasked"]));
    let published = asked.expect();
    assert!(published.reply.is_none());
    assert_eq!(published.json()["arguments"], json!(["unasked"]));

    assert_eq!(answered(&broker, "missing"), 1.0);
    assert_eq!(answered(&broker, "failed"), 1.0);
    assert_eq!(answered(&broker, "timeout"), 1.0);
    assert_eq!(answered(&broker, "ok"), 3.0);
    eventually("no ack that is waited for", || {
        (broker.metrics().sum("sluice_acks_waiting", &[]) == 0.0).then_some(())
    });
}

#[test]
fn a_durable_event_is_acknowledged_once_it_is_stored() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let broker = start(&nats, ROUTES);
    let node = Driver::node();
    let [a] = clients(&node, &broker, ["a"]);
    // No stream took it, so one was made.
    a.ok("pay", json!([1]));
    let stored = bus.stored("SLUICE_eu_EVENTS").expect("a stream");
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].json()["arguments"], json!([1]));

    let flood = a.flood("pay", 300, 3000, &json!({"ack": true}));
    all_ok(&flood.wait());
    assert_eq!(bus.stored("SLUICE_eu_EVENTS").unwrap().len(), 301);

    // Gone, it is made again with the next event but one: the first is told that it is not stored.
    bus.delete_stream("SLUICE_eu_EVENTS");
    let denial = a.denied("pay", json!([2]));
    assert_eq!(own_code(&denial), "not_stored");
    assert!(denial["retry_after_ms"].is_u64(), "{denial}");
    a.ok("pay", json!([3]));
    assert_eq!(bus.stored("SLUICE_eu_EVENTS").unwrap().len(), 1);

    // Other subjects are the operator's.
    let denial = a.denied("bill", json!([]));
    assert_eq!(own_code(&denial), "not_stored");
    assert!(denial["message"].as_str().unwrap().contains("no stream"));
    bus.make_stream("BILLS", "bills");
    a.ok("bill", json!([4]));
    assert_eq!(bus.stored("BILLS").unwrap().len(), 1);
}

#[test]
fn a_stream_that_takes_the_events_already_is_used() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    bus.make_stream("MINE", "sluice.eu.event.=2F.>");
    let broker = start(&nats, ROUTES);
    let node = Driver::node();
    let [a] = clients(&node, &broker, ["a"]);
    a.ok("pay", json!([1]));
    assert_eq!(bus.stored("MINE").unwrap().len(), 1);
    assert!(bus.stored("SLUICE_eu_EVENTS").is_none());
}

#[test]
fn without_nats_events_wait_and_are_then_refused_and_counted() {
    let mut nats = Nats::start();
    let broker = start(&nats, ROUTES);
    let node = Driver::node();
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    nats.kill();
    wait_alone(&broker);
    // Nobody waits for it: handed over, then lost, and counted.
    a.ok("order:new", json!([1]));
    // These wait for as long as is configured.
    assert_eq!(
        own_code(&a.denied("ask", json!([1]))),
        "backend_unreachable"
    );
    assert_eq!(
        own_code(&a.denied("pay", json!([1]))),
        "backend_unreachable"
    );
    // Without an ack, the denial event tells.
    a.emit("pay", json!([1]));
    let told = a.expect("error");
    assert_eq!(own_code(&told[0]), "backend_unreachable");
    let labels = [("reason", "unreachable")];
    assert_eq!(
        broker.metrics().sum("sluice_backend_lost_total", &labels),
        4.0
    );
    // Local traffic never noticed.
    a.ok("all:hello", json!([1]));
    b.expect("all:hello");

    nats.start_again();
    wait_ready(&broker);
    a.ok("pay", json!([2]));
    let bus = Bus::connect(&nats);
    let mut orders = bus.subscribe("sluice.eu.event.>");
    a.ok("order:again", json!([]));
    assert_eq!(orders.expect().json()["event"], "order:again");
}

#[test]
fn what_is_held_while_nats_restarts_arrives() {
    let mut nats = Nats::start();
    let broker = start(&nats, &ROUTES.replace("hold = \"1s\"", "hold = \"30s\""));
    let node = Driver::node();
    let [a] = clients(&node, &broker, ["a"]);
    a.ok("pay", json!([0]));
    nats.kill();
    wait_alone(&broker);
    let flood = a.flood("pay", 100, 1000, &json!({"ack": true}));
    eventually("all of them to wait", || {
        (broker.metrics().sum("sluice_backend_queued", &[]) == 100.0).then_some(())
    });
    nats.start_again();
    all_ok(&flood.wait());
    let bus = Bus::connect(&nats);
    let stored = bus.stored("SLUICE_eu_EVENTS").unwrap();
    assert_eq!(stored.len(), 101);
}

#[test]
fn more_than_may_wait_is_refused() {
    let mut nats = Nats::start();
    let config = ROUTES.replace("hold = \"1s\"", "hold = \"60s\"\nmax_queued_messages = 16");
    let broker = start(&nats, &config);
    let node = Driver::node();
    let [a] = clients(&node, &broker, ["a"]);
    nats.kill();
    wait_alone(&broker);
    for number in 0..16 {
        a.ok("order:new", json!([number]));
    }
    assert_eq!(own_code(&a.denied("order:new", json!([16]))), "overloaded");
    assert_eq!(own_code(&a.denied("ask", json!([16]))), "overloaded");
    let labels = [("reason", "overloaded")];
    assert_eq!(
        broker.metrics().sum("sluice_backend_lost_total", &labels),
        2.0
    );
    nats.start_again();
    eventually("the rest to leave", || {
        (broker.metrics().sum("sluice_backend_queued", &[]) == 0.0).then_some(())
    });
    let published = broker.metrics().sum("sluice_backend_published_total", &[]);
    assert_eq!(published, 16.0);
}

#[test]
fn a_drain_sends_what_is_queued_and_answers_of_the_gone_are_nothing() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let mut broker = start(&nats, ROUTES);
    let node = Driver::node();
    let [a] = clients(&node, &broker, ["a"]);
    bus.serve("ask.slow", |_| None);
    bus.serve("sluice.eu.ask", |_| None);
    let mut orders = bus.subscribe("sluice.eu.event.>");
    let flood = a.flood("order:many", 200, 5000, &json!({"ack": true}));
    assert_eq!(flood.wait().answers.len(), 200);
    assert!(
        a.ask_within("ask", json!([]), Duration::from_millis(50))
            .is_none()
    );
    a.cut();
    broker.signal_term();
    assert_eq!(broker.wait_exit().0, 0);
    let events = orders.take(200);
    assert!(events.iter().all(|it| it["event"] == "order:many"));
}
