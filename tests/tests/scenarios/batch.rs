//! Events that leave together: what clients and back ends get in place of many.

use std::collections::HashMap;

use serde_json::{Value, json};
use sluice_tests::{Broker, Bus, Client, Cluster, Driver, Nats, Setup, eventually};

use crate::shared::{clients, mark, own_code, start_behind, websocket};

/// A window that no test waits for, and one that all do.
const ROUTES: &str = r#"
    [[namespace]]
    path = "/"
    [[namespace.route]]
    event = "join"
    action = "join"
    room = "/0"
    [[namespace.route]]
    event = "message"
    to = "all"
    as = "messageBatch"
    batch = { window = "100ms", max = 50 }
    [[namespace.route]]
    event = "four"
    to = "room"
    room = "/0"
    include_sender = true
    batch = { window = "60s", max = 4 }
    [[namespace.route]]
    event = "long"
    to = "all"
    batch = { window = "60s" }
    [[namespace.route]]
    event = "*"
    to = "all"
"#;

fn ended(broker: &Broker, reason: &str) -> f64 {
    let labels = [("reason", reason)];
    broker.metrics().sum("sluice_batches_total", &labels)
}

/// The numbers that came of each sender, in the order in which they came, and how many batches there were.
fn numbers(receiver: &Client, count: usize) -> (HashMap<String, Vec<u64>>, usize) {
    let mut by_sender = HashMap::<String, Vec<u64>>::new();
    let (mut events, mut batches) = (0, 0);
    while events < count {
        let args = receiver.expect("messageBatch");
        let [Value::Array(items)] = &args[..] else {
            panic!("not one array: {args:?}");
        };
        assert!((1..=50).contains(&items.len()), "{items:?}");
        for item in items {
            let by = item["by"].as_str().unwrap().to_owned();
            by_sender
                .entry(by)
                .or_default()
                .push(item["seq"].as_u64().unwrap());
        }
        events += items.len();
        batches += 1;
    }
    assert_eq!(events, count);
    (by_sender, batches)
}

/// Each of `senders` sends so many, and each of `receivers` gets all of them once and in order.
fn send_and_count(senders: &[&Client], receivers: &[&Client], each: u64) {
    let floods: Vec<_> = senders
        .iter()
        .map(|sender| {
            let options = json!({"ack": true, "template": {"by": sender.name}});
            sender.flood("message", each, 2000, &options)
        })
        .collect();
    for receiver in receivers {
        let count = usize::try_from(each).unwrap() * senders.len();
        let (by_sender, batches) = numbers(receiver, count);
        assert_eq!(by_sender.len(), senders.len());
        let all: Vec<_> = (0..each).collect();
        for (sender, numbers) in by_sender {
            assert_eq!(numbers, all, "of {sender} at {}", receiver.name);
        }
        assert!(batches < count / 2, "{batches} batches");
    }
    for flood in floods {
        assert_eq!(flood.wait().answers.len() as u64, each);
    }
}

#[test]
fn many_senders_events_leave_as_one_in_order() {
    let broker = Broker::start(ROUTES, &[]);
    let node = Driver::node();
    let [a, b, c] = clients(&node, &broker, ["a", "b", "c"]);
    let polling = json!({"transports": ["polling"]});
    let d = node.connect("d", &broker.url("/"), &polling);
    send_and_count(&[&a, &b, &c, &d], &[&a, &b, &c, &d], 300);
    mark(&a, &[&a, &b, &c, &d]);
    let events = broker.metrics().sum("sluice_batched_events_total", &[]);
    assert_eq!(events, 1200.0);
    // One event, and nothing that would end its window early.
    let before = ended(&broker, "window");
    a.ok("message", json!([1, "two"]));
    assert_eq!(b.expect("messageBatch"), [json!([[1, "two"]])]);
    assert_eq!(ended(&broker, "window"), before + 1.0);
}

#[test]
fn as_many_as_there_may_be_leave_at_once() {
    let broker = Broker::start(ROUTES, &[]);
    let node = Driver::node();
    let [a, b, c] = clients(&node, &broker, ["a", "b", "c"]);
    for client in [&a, &b] {
        client.ok("join", json!(["x"]));
    }
    c.ok("join", json!(["y"]));
    // Rooms are gathered apart; acks do not wait.
    for number in 0..6 {
        a.ok("four", json!(["x", number]));
        c.ok("four", json!(["y"]));
    }
    for client in [&a, &b] {
        let first = json!([["x", 0], ["x", 1], ["x", 2], ["x", 3]]);
        assert_eq!(client.expect("four"), [first]);
    }
    // An only argument stands for itself.
    assert_eq!(c.expect("four"), [json!(["y", "y", "y", "y"])]);
    mark(&a, &[&a, &b, &c]);
    b.ok("four", json!(["x"]));
    b.ok("four", json!(["x", {"n": 7}, null]));
    let second = json!([["x", 4], ["x", 5], "x", ["x", {"n": 7}, null]]);
    for client in [&a, &b] {
        assert_eq!(client.expect("four"), std::slice::from_ref(&second));
    }
    assert_eq!(ended(&broker, "full"), 3.0);
}

#[test]
fn binary_values_keep_their_places_in_a_batch() {
    let broker = Broker::start(ROUTES, &[]);
    let node = Driver::node();
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    for client in [&a, &b] {
        client.ok("join", json!(["x"]));
    }
    let items = [
        json!(["x", {"$bin": "AQ=="}, {"deep": {"$bin": "Ag=="}}]),
        json!(["x", 1]),
        json!(["x", {"$bin": "Aw=="}]),
        json!(["x", {"_placeholder": false}]),
    ];
    for item in &items {
        a.ok("four", item.clone());
    }
    assert_eq!(b.expect("four"), [json!(items)]);
    // What only looks like one cannot be in the same event.
    let look_alike = json!(["x", {"_placeholder": true, "num": 0}]);
    a.ok("four", items[0].clone());
    a.ok("four", look_alike.clone());
    assert_eq!(b.expect("four"), [json!([items[0]])]);
    a.ok("four", items[2].clone());
    assert_eq!(b.expect("four"), [json!([look_alike])]);
    // No deeper than an event may be.
    let deep = (0..125).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(
        own_code(&a.denied("four", json!(["x", deep]))),
        "invalid_packet"
    );
}

#[test]
fn a_broker_that_ends_or_is_configured_anew_keeps_nothing_back() {
    let mut broker = Broker::start(ROUTES, &[]);
    let node = Driver::node();
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    a.ok("long", json!([1]));
    b.ok("long", json!([2]));
    broker.reconfigure(&format!("{ROUTES}\n[[namespace]]\npath = \"/more\"\n"));
    for client in [&a, &b] {
        assert_eq!(client.expect("long"), [json!([1, 2])]);
    }
    a.ok("long", json!([3]));
    b.ok("long", json!([4]));
    broker.signal_term();
    for client in [&a, &b] {
        assert_eq!(client.expect("long"), [json!([3, 4])]);
        assert_eq!(client.disconnected(), "transport close");
    }
    assert_eq!(broker.wait_exit().0, 0);
}

#[test]
fn while_a_broker_drains_nothing_is_gathered() {
    let broker = Broker::start(&format!("[server]\ndrain_period = \"1h\"\n{ROUTES}"), &[]);
    let node = Driver::node();
    let names: Vec<_> = (0..8).map(|number| format!("client-{number}")).collect();
    let clients: Vec<_> = names
        .iter()
        .map(|name| node.connect(name, &broker.url("/"), &websocket()))
        .collect();
    broker.signal_term();
    // One goes at once, whichever it is, and the others are there for a while: what they send arrives, alone.
    let last = eventually("the first to go", || {
        let (here, gone): (Vec<_>, Vec<_>) = clients
            .iter()
            .partition(|client| client.state()["connected"] == true);
        (!gone.is_empty()).then(|| here[0])
    });
    last.emit("long", json!([1]));
    assert_eq!(last.expect("long"), [json!([1])]);
}

#[test]
fn batches_cross_nodes() {
    let cluster = Cluster::start(2, ROUTES);
    let node = Driver::node();
    let [a, b] = clients(&node, &cluster[0], ["a", "b"]);
    let [c, d] = clients(&node, &cluster[1], ["c", "d"]);
    send_and_count(&[&a, &c, &d], &[&a, &b, &c, &d], 200);
    d.ok("join", json!(["x"]));
    for number in 0..4 {
        a.ok("four", json!(["x", number]));
    }
    let all = json!([["x", 0], ["x", 1], ["x", 2], ["x", 3]]);
    assert_eq!(d.expect("four"), [all]);
}

const TO_BACK_ENDS: &str = r#"
    [cluster]
    name = "eu"
    [[namespace]]
    path = "/"
    [[namespace.route]]
    event = "many"
    action = "publish"
    batch = { window = "100ms", max = 20 }
    [[namespace.route]]
    event = "packed"
    action = "publish"
    format = "msgpack"
    subject = "packed"
    batch = { window = "60s", max = 2 }
    [[namespace.route]]
    event = "stored*"
    action = "publish"
    durable = true
    subject = ".event.stored"
    batch = { window = "60s", max = 3 }
    [[namespace.route]]
    event = "long"
    action = "publish"
    subject = "long"
    batch = { window = "60s" }
    [[namespace.route]]
    event = "*"
    to = "all"
"#;

fn with_nats(nats: &Nats) -> Broker {
    start_behind(nats, Setup::new(TO_BACK_ENDS))
}

#[test]
fn back_ends_get_arrays_in_order() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let broker = with_nats(&nats);
    let mut many = bus.subscribe("sluice.eu.event.=2F.many");
    let node = Driver::node();
    let senders = clients(&node, &broker, ["a", "b", "c"]);
    let floods: Vec<_> = senders
        .iter()
        .map(|sender| sender.flood("many", 200, 2000, &json!({"ack": true})))
        .collect();
    let mut by_socket = HashMap::<String, Vec<u64>>::new();
    let (mut events, mut messages) = (0, 0);
    while events < 600 {
        let message = many.expect();
        let Value::Array(envelopes) = message.json() else {
            panic!("no array: {message:?}");
        };
        assert!((1..=20).contains(&envelopes.len()));
        assert_eq!(message.header("Nats-Msg-Id"), envelopes[0]["id"].as_str());
        for envelope in &envelopes {
            assert_eq!(envelope["event"], "many");
            let socket = envelope["socket"].as_str().unwrap().to_owned();
            let number = envelope["arguments"][0].as_u64().unwrap();
            by_socket.entry(socket).or_default().push(number);
        }
        events += envelopes.len();
        messages += 1;
    }
    let all: Vec<_> = (0..200).collect();
    for sender in &senders {
        assert_eq!(by_socket[&sender.sid], all, "of {}", sender.name);
    }
    assert!(messages < 300, "{messages} messages");
    for flood in floods {
        assert_eq!(flood.wait().answers.len(), 200);
    }
    assert!(many.is_empty());

    let mut packed = bus.subscribe("packed");
    senders[0].ok("packed", json!([{"$bin": "AQ=="}]));
    senders[1].ok("packed", json!([{"$bin": "Ag=="}]));
    let message = packed.expect();
    // An array of two maps.
    assert_eq!(message.payload[0], 0x92);
    for binary in [[0xc4, 1, 1], [0xc4, 1, 2]] {
        let mut windows = message.payload.windows(3);
        assert!(windows.any(|window| window == binary), "{message:?}");
    }
}

#[test]
fn all_who_wait_for_a_stored_batch_are_told_at_once() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let broker = with_nats(&nats);
    let node = Driver::node();
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    // Three acks for three events: the first two wait for the third.
    let floods = [
        a.flood("stored:1", 2, 1000, &json!({"ack": true})),
        b.flood("stored:2", 1, 1000, &json!({"ack": true})),
    ];
    for flood in floods {
        for (_, answer, _) in flood.wait().answers {
            assert_eq!(answer, json!({"ok": true}));
        }
    }
    let stored = bus.stored("SLUICE_eu_EVENTS").unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].json().as_array().unwrap().len(), 3);
}

#[test]
fn nothing_is_kept_from_back_ends_at_the_end() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let mut broker = with_nats(&nats);
    let mut long = bus.subscribe("long");
    let node = Driver::node();
    let [a] = clients(&node, &broker, ["a"]);
    let arguments = |envelopes: Value| -> Vec<Value> {
        let envelopes = envelopes.as_array().unwrap().iter();
        envelopes.map(|it| it["arguments"][0].clone()).collect()
    };
    a.ok("long", json!([1]));
    a.ok("long", json!([2]));
    let more = "\n[[namespace]]\npath = \"/more\"\n";
    broker.reconfigure(&format!("{TO_BACK_ENDS}{more}"));
    assert_eq!(arguments(long.expect().json()), [1, 2]);
    a.ok("long", json!([3]));
    a.ok("long", json!([4]));
    broker.signal_term();
    assert_eq!(arguments(long.expect().json()), [3, 4]);
    assert_eq!(broker.wait_exit().0, 0);
}
