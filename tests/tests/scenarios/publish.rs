//! Back ends publish to clients over NATS, and are told what became of it.

use serde_json::{Value, json};
use sluice_tests::{Broker, Bus, Client, Cluster, Driver, Nats, Setup, eventually};

use crate::shared::{RELAY, clients, mark, start_behind, websocket};

const TO_ROOT: &str = "sluice.sluice.emit.=2F";

fn start(nats: &Nats) -> Broker {
    start_behind(nats, Setup::new(RELAY))
}

fn emits(broker: &Broker, result: &str) -> f64 {
    let labels = [("result", result)];
    broker.metrics().sum("sluice_backend_emits_total", &labels)
}

#[test]
fn events_reach_whom_they_are_for_and_the_back_end_is_told() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let broker = start(&nats);
    let node = Driver::node();
    let [a, b, c] = clients(&node, &broker, ["a", "b", "c"]);
    a.ok("join", json!(["news"]));
    b.ok("join", json!(["news"]));
    b.ok("join", json!(["quiet"]));
    let ask = |body: Value| bus.request(TO_ROOT, body.to_string()).json();
    let answer = ask(json!({"event": "hello", "args": [1.50, "x"]}));
    assert_eq!(answer, json!({"ok": true, "deliveries": 3}));
    for client in [&a, &b, &c] {
        assert_eq!(client.expect("hello"), [json!(1.5), json!("x")]);
    }
    let answer = ask(json!({"event": "flash", "rooms": ["news"], "except": ["quiet"]}));
    assert_eq!(answer["deliveries"], 1);
    a.expect("flash");
    let answer = ask(json!([
        {"event": "one", "rooms": ["news"]},
        {"event": "connect"},
        {"event": "two", "rooms": ["news"]},
    ]));
    assert_eq!(answer["ok"], true);
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results[0]["deliveries"], 2);
    assert_eq!(results[1]["error"]["code"], "reserved_event");
    assert_eq!(results[1]["error"]["field"], "event");
    assert_eq!(results[2]["deliveries"], 2);
    for client in [&a, &b] {
        client.expect("one");
        client.expect("two");
    }
    mark(&a, &[&a, &b, &c]);
    assert_eq!(
        (emits(&broker, "ok"), emits(&broker, "refused")),
        (4.0, 1.0)
    );
}

#[test]
fn msgpack_carries_binary_values() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let broker = start(&nats);
    let node = Driver::node();
    let [a] = clients(&node, &broker, ["a"]);
    // {"event": "file", "args": [<01 02>]}
    let mut packed = vec![0x82, 0xa5];
    packed.extend(b"event\xa4file\xa4args\x91\xc4\x02\x01\x02");
    let answer = bus.request(TO_ROOT, packed).json();
    assert_eq!(answer, json!({"ok": true, "deliveries": 1}));
    assert_eq!(a.expect("file"), [json!({"$bin": "AQI="})]);
}

#[test]
fn what_is_malformed_is_refused_clearly_and_never_in_silence() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let broker = start(&nats);
    let refused = |subject: &str, body: &str| {
        let answer = bus.request(subject, body.to_owned()).json();
        let error = &answer["error"];
        assert!(error["detail"].is_string(), "{answer}");
        let field = error["field"].as_str().unwrap_or_default().to_owned();
        (error["code"].as_str().unwrap_or_default().to_owned(), field)
    };
    let told = |code: &str, field: &str| (code.to_owned(), field.to_owned());
    assert_eq!(refused(TO_ROOT, "{"), told("malformed_json", ""));
    assert_eq!(refused(TO_ROOT, ""), told("malformed_json", ""));
    assert_eq!(refused(TO_ROOT, "{}"), told("bad_field", "event"));
    assert_eq!(
        refused(TO_ROOT, r#"{"event":1}"#),
        told("bad_field", "event")
    );
    assert_eq!(
        refused(TO_ROOT, r#"{"event":"e","rooms":[]}"#),
        told("no_rooms", "rooms")
    );
    assert_eq!(
        refused(TO_ROOT, r#"{"event":"e","args":{}}"#),
        told("bad_args", "args")
    );
    assert_eq!(
        refused(TO_ROOT, r#"{"event":"e","namespace":"/x"}"#),
        told("other_namespace", "namespace")
    );
    assert_eq!(
        refused("sluice.sluice.emit.=2Fnowhere", r#"{"event":"e"}"#).0,
        "unknown_namespace"
    );
    assert_eq!(
        refused("sluice.sluice.emit.=2", r#"{"event":"e"}"#).0,
        "bad_subject"
    );
    let packed = bus.request(TO_ROOT, vec![0xc1]).json();
    assert!(packed["error"]["detail"].is_string(), "{packed}");
    assert_eq!(emits(&broker, "refused"), 10.0);
    // Nobody is told: it is in the log, and counted.
    bus.publish(TO_ROOT, "nonsense");
    eventually("its count", || {
        (emits(&broker, "refused") == 11.0).then_some(())
    });
    broker.logs.wait("its record", |record| {
        record.message() == "event of a back end refused" && record.has("code", "malformed_json")
    });
}

#[test]
fn what_one_back_end_publishes_to_one_node_arrives_in_order() {
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let broker = start(&nats);
    let node = Driver::node();
    let [a] = clients(&node, &broker, ["a"]);
    for number in 0..1000 {
        let body = json!({"event": "n", "args": [number]}).to_string();
        match number % 2 {
            0 => bus.publish(TO_ROOT, body),
            // What is known by an id, to be delivered once, keeps its place among the others.
            _ => bus.publish_with(TO_ROOT, &[("Nats-Msg-Id", &number.to_string())], body),
        }
    }
    for number in 0..1000 {
        assert_eq!(a.expect("n"), [json!(number)]);
    }
    // Counted once it is known how many it went to, which may be after they have it.
    eventually("their count", || {
        (emits(&broker, "ok") == 1000.0).then_some(())
    });
}

#[test]
fn nodes_share_what_back_ends_publish_and_each_client_gets_it_once() {
    const EVENTS: u64 = 300;
    let cluster = Cluster::start(3, RELAY);
    let bus = Bus::connect(&cluster.nats);
    let node = Driver::node();
    let clients: Vec<Client> = (0..3)
        .map(|number| {
            let name = format!("c{number}");
            node.connect_quiet(&name, &cluster[number].url("/"), &websocket())
        })
        .collect();
    for number in 0..EVENTS {
        let answer = bus.request(TO_ROOT, json!({"event": "n", "args": [number]}).to_string());
        assert_eq!(answer.json()["ok"], true);
    }
    let taken = [0, 1, 2].map(|number| emits(&cluster[number], "ok"));
    assert_eq!(taken.iter().sum::<f64>(), EVENTS as f64);
    assert!(taken.iter().all(|taken| *taken > 0.0), "{taken:?}");
    for client in &clients {
        client.wait_received(usize::try_from(EVENTS).unwrap());
        let mut heard: Vec<_> = client
            .collect()
            .iter()
            .map(|event| event[1].as_u64().unwrap())
            .collect();
        heard.sort_unstable();
        assert!(heard.into_iter().eq(0..EVENTS), "{}", client.name);
    }
}

/// By whichever way it comes again, and to whichever node.
#[test]
fn what_is_published_again_by_its_key_is_delivered_once() {
    let cluster = Cluster::start(3, RELAY);
    let bus = Bus::connect(&cluster.nats);
    let node = Driver::node();
    let client = node.connect_quiet("c", &cluster[1].url("/"), &websocket());
    let body = json!({"event": "paid", "args": [7]});
    let first = bus
        .request_with(TO_ROOT, &[("Nats-Msg-Id", "order-7")], body.to_string())
        .json();
    assert_eq!(first["ok"], true, "{first}");
    client.wait_received(1);
    // The others hear of it beside the answer. Now whoever told them asks them: what a node says to all is read in its
    // order, one after the other, so who answers has heard of it.
    for number in 0..3 {
        let asked = cluster[number].get("/api/v1/sockets").json();
        assert_eq!(asked["silent"], Value::Null, "{asked}");
    }
    let post = |number: usize, body: &Value| {
        cluster[number].post_with("/api/v1/emit", &[("idempotency-key", "order-7")], body)
    };
    for number in 0..3 {
        let again = post(number, &body);
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!(again.json()["deliveries"], first["deliveries"], "{again:?}");
    }
    for _ in 0..9 {
        let again = bus
            .request_with(TO_ROOT, &[("Nats-Msg-Id", "order-7")], body.to_string())
            .json();
        assert_eq!(again, first);
    }
    // The same key for another event is a mistake, wherever it is made.
    let other = json!({"event": "paid", "args": [8]});
    for number in 0..3 {
        let refused = post(number, &other);
        assert_eq!(refused.json()["code"], "other_request", "{refused:?}");
    }
    let last = json!({"event": "last"}).to_string();
    assert_eq!(bus.request(TO_ROOT, last).json()["ok"], true);
    client.wait_received(2);
    let heard: Vec<_> = client
        .collect()
        .iter()
        .map(|event| event[0].clone())
        .collect();
    assert_eq!(heard, ["paid", "last"]);
}
