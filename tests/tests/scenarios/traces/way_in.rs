//! What comes before the first event, and after the last: handshakes, refused ones among them, batches and replies.

use std::time::Duration;

use serde_json::json;
use sluice_tests::{Broker, Bus, Collector, Driver, Nats, Setup, Span, http, raw};

use super::{PARENT, TRACE, sampled};
use crate::keep_alive::HANDSHAKE;
use crate::shared::{RELAY, clients, start_behind};

/// Asks for a session, and says what it is answered with.
fn ask(broker: &Broker, path: &str, headers: &[(&str, &str)]) -> u16 {
    let answer = http::request(broker.listen, "GET", path, headers, &[]);
    answer.expect("an answer").status
}

fn named<'a>(name: &str, spans: &'a [Span]) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[test]
fn a_trace_begins_with_the_handshake_on_both_transports() {
    let node = Driver::node();
    let collector = Collector::start();
    let broker = collector.of(Setup::new(RELAY), "1").start();
    let header = sampled();
    let socket = raw::Socket::open_with(broker.listen, &[("traceparent", &header)]).connected();
    // Moves over to a WebSocket by itself.
    let moves = node.connect("moves", &broker.url("/"), &json!({}));
    moves.upgraded();
    let upgrade = collector.wait("the upgrade", |span| span.name == "upgrade");
    assert!(upgrade.says("sluice.outcome", "accept") && !upgrade.has_failed);
    drop(socket);
    assert_eq!(broker.stop(), 0);
    let spans = collector.spans();
    let handshakes = named("handshake", &spans);
    let of = |transport| {
        let is_it = |span: &&&Span| span.says("sluice.transport", transport);
        let found: Vec<_> = handshakes.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{transport}: {handshakes:#?}");
        *found[0]
    };
    let (direct, polled) = (of("websocket"), of("polling"));
    assert_eq!((&*direct.trace, &*direct.parent), (TRACE, PARENT));
    assert!(direct.says("http.response.status_code", "101"));
    assert!(polled.parent.is_empty() && polled.says("http.response.status_code", "200"));
    for handshake in [direct, polled] {
        assert!(handshake.says("sluice.outcome", "accept"), "{handshake:?}");
        let connects = named("connect", &spans);
        let connects: Vec<_> = connects
            .iter()
            .filter(|span| span.is_child_of(handshake))
            .collect();
        assert_eq!(connects.len(), 1, "{spans:#?}");
        assert!(handshake.nanoseconds.1 <= connects[0].nanoseconds.1);
    }
    assert!(upgrade.is_child_of(polled));
    // Requests of a session that is polled say nothing.
    assert_eq!(handshakes.len(), 2);
}

#[test]
fn a_refused_handshake_says_by_what() {
    let collector = Collector::start();
    let config = format!(
        "[server]\ncors = {{ origins = [\"https://good.example\"] }}\n\
         max_connections_per_ip = 1\n{RELAY}"
    );
    let broker = collector.of(Setup::new(&config), "1").start();
    let evil = [("Origin", "https://evil.example")];
    assert_eq!(ask(&broker, HANDSHAKE, &evil), 403);
    let smoke = "/socket.io/?EIO=4&transport=smoke";
    assert_eq!(ask(&broker, smoke, &[]), 400);
    let old = "/socket.io/?EIO=3&transport=polling";
    assert_eq!(ask(&broker, old, &[]), 400);
    let _only = raw::Socket::open(broker.listen, "").connected();
    assert_eq!(ask(&broker, HANDSHAKE, &[]), 503);
    broker.post("/api/v1/drain", &json!({"exit": false}));
    // Draining is looked at before limits are.
    assert_eq!(ask(&broker, HANDSHAKE, &[]), 503);
    collector.wait("the last", |span| span.says("sluice.code", "draining"));
    let spans = collector.spans();
    let refused: Vec<_> = named("handshake", &spans)
        .into_iter()
        .filter(|span| span.says("sluice.outcome", "refuse"))
        .map(|span| {
            let said = |key: &str| span.attributes[key].clone();
            (said("sluice.code"), said("http.response.status_code"))
        })
        .collect();
    let expected = [
        ("origin", "403"),
        ("unknown_transport", "400"),
        ("unsupported_version", "400"),
        ("max_connections_per_ip", "503"),
        ("draining", "503"),
    ];
    let expected = expected.map(|(code, status)| (code.to_owned(), status.to_owned()));
    assert_eq!(refused, expected);
}

#[test]
fn a_connection_that_is_turned_away_unread_says_so_too() {
    let collector = Collector::start();
    let config = format!("[server]\nmax_connections = 1\n{RELAY}");
    let broker = collector.of(Setup::new(&config), "1").start();
    let _only = raw::Socket::open(broker.listen, "").connected();
    assert_eq!(ask(&broker, HANDSHAKE, &[]), 503);
    let refused = collector.wait("the refusal", |span| {
        span.says("sluice.code", "max_connections")
    });
    assert_eq!(refused.name, "handshake");
    assert!(refused.says("sluice.outcome", "refuse"));
}

#[test]
fn only_a_trusted_proxy_decides_what_is_recorded() {
    let collector = Collector::start();
    let broker = collector.of(Setup::new(RELAY), "0").start();
    let header = sampled();
    let headers = [("traceparent", &*header)];
    assert_eq!(ask(&broker, HANDSHAKE, &headers), 200);
    let trusts = format!("[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n{RELAY}");
    let other = collector.of(Setup::new(&trusts), "0").start();
    assert_eq!(ask(&other, HANDSHAKE, &headers), 200);
    let unsampled = header.replace("-01", "-00");
    assert_eq!(ask(&other, HANDSHAKE, &[("traceparent", &unsampled)]), 200);
    assert_eq!(ask(&other, HANDSHAKE, &[]), 200);
    collector.wait("the one that is traced", |span| span.trace == TRACE);
    assert_eq!((broker.stop(), other.stop()), (0, 0));
    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!((&*spans[0].trace, &*spans[0].parent), (TRACE, PARENT));
}

const BATCHES: &str = r#"
    [[namespace]]
    path = "/"
    [[namespace.route]]
    event = "join"
    action = "join"
    room = "/0"
    [[namespace.route]]
    event = "three"
    to = "all"
    as = "threes"
    batch = { window = "60s", max = 3 }
    [[namespace.route]]
    event = "order"
    action = "publish"
    batch = { window = "60s", max = 2 }
    [[namespace.route]]
    event = "ask"
    action = "request"
    subject = "ask"
    [[namespace.route]]
    event = "nobody"
    action = "request"
    subject = "nobody"
"#;

#[test]
fn a_batch_goes_on_in_the_first_event_s_trace_and_names_the_others() {
    let node = Driver::node();
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    let mut orders = bus.subscribe("sluice.sluice.event.>");
    let collector = Collector::start();
    let broker = start_behind(&nats, collector.of(Setup::new(BATCHES), "1"));
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    for client in [&a, &b, &a] {
        client.ok("three", json!([1]));
    }
    a.expect("threes");
    b.expect("threes");
    a.ok("order", json!([1]));
    b.ok("order", json!([2]));
    let order = orders.expect();
    collector.wait("the last batch", |span| {
        span.name == "batch" && span.says("sluice.events", "2")
    });
    assert_eq!(broker.stop(), 0);
    let spans = collector.spans();
    let batch = |events: &str| {
        let batches = named("batch", &spans);
        let found = batches.iter().find(|it| it.says("sluice.events", events));
        *found.unwrap_or_else(|| panic!("{spans:#?}"))
    };
    let events = |name: &str| {
        let mut events: Vec<_> = named("event", &spans)
            .into_iter()
            .filter(|span| span.says("sluice.event", name))
            .collect();
        events.sort_by_key(|span| span.nanoseconds.0);
        events
    };
    let (three, threes) = (batch("3"), events("three"));
    assert!(three.is_child_of(threes[0]), "{three:#?} {threes:#?}");
    assert_eq!(three.links.len(), 2);
    assert!(threes[1..].iter().all(|event| three.is_linked_with(event)));
    assert!(three.says("sluice.event", "threes") && three.says("sluice.namespace", "/"));
    // It lasts for as long as it was gathered.
    assert!(three.nanoseconds.0 <= threes[1].nanoseconds.0);
    let delivered: usize = named("deliver", &spans)
        .iter()
        .filter(|span| span.is_child_of(three))
        .map(|span| {
            span.attributes["sluice.recipients"]
                .parse::<usize>()
                .unwrap()
        })
        .sum();
    assert_eq!(delivered, 2, "{spans:#?}");

    let (two, twos) = (batch("2"), events("order"));
    assert!(two.is_child_of(twos[0]) && two.is_linked_with(twos[1]));
    let publish = named("publish", &spans)[0];
    assert!(publish.is_child_of(two));
    let header = format!("00-{}-{}-01", publish.trace, publish.id);
    assert_eq!(order.header("traceparent"), Some(&*header));
}

#[test]
fn a_reply_is_a_part_of_the_event_that_asks() {
    let node = Driver::node();
    let nats = Nats::start();
    let bus = Bus::connect(&nats);
    bus.serve("ask", |_| {
        std::thread::sleep(Duration::from_millis(30));
        Some(b"[1]".to_vec())
    });
    let collector = Collector::start();
    let broker = start_behind(&nats, collector.of(Setup::new(BATCHES), "1"));
    let [a] = clients(&node, &broker, ["a"]);
    assert_eq!(a.ask("ask", json!([])), [json!(1)]);
    a.denied("nobody", json!([]));
    collector.wait("the last event", |span| {
        span.name == "event" && span.says("sluice.event", "nobody")
    });
    assert_eq!(broker.stop(), 0);
    let spans = collector.spans();
    let reply = |outcome: &str| {
        let replies = named("reply", &spans);
        let found = replies.iter().find(|it| it.says("sluice.outcome", outcome));
        *found.unwrap_or_else(|| panic!("no {outcome} in {spans:#?}"))
    };
    let parent = |of: &Span| {
        let found = spans.iter().find(|span| of.is_child_of(span));
        found.unwrap_or_else(|| panic!("{of:?}"))
    };
    let answered = reply("ok");
    let publish = parent(answered);
    assert_eq!(publish.name, "publish");
    assert!(parent(publish).says("sluice.event", "ask"));
    assert!(
        answered.nanoseconds.1 - answered.nanoseconds.0 >= 30_000_000,
        "as long as the back end takes"
    );
    let missing = reply("missing");
    assert!(missing.has_failed && missing.says("sluice.code", "backend_missing"));
    assert!(parent(parent(missing)).says("sluice.event", "nobody"));
}
