//! Traces tell what became of a connection or an event, on all nodes.

mod way_in;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sluice_tests::{
    Backend, Broker, Bus, Cluster, Collector, Driver, Record, Setup, Span, eventually,
};

use crate::asking;
use crate::shared::{RELAY, SECRET, clients, signed_in};

const POLICED: &str = r#"
    [[policy]]
    name = "jwt-auth"
    config = { secret = "${JWT_SECRET}" }
    [[policy]]
    name = "rate-limit"
    config = { limit = "2 per minute" }
    [[namespace]]
    path = "/"
    policies = ["jwt-auth", "rate-limit"]
    [[namespace.route]]
    event = "all:*"
    to = "all"
"#;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn sampled() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

fn children<'a>(of: &Span, all: &'a [Span]) -> Vec<&'a Span> {
    all.iter().filter(|span| span.is_child_of(of)).collect()
}

fn named<'a>(name: &str, spans: &[&'a Span]) -> &'a Span {
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
}

/// Posts an event as a back end that knows a trace.
fn emit_traced(broker: &Broker, body: &Value, traceparent: &str) {
    let headers = [("traceparent", traceparent)];
    let answer = broker.post_with("/api/v1/emit", &headers, body);
    assert_eq!(answer.status, 200);
}

#[test]
fn what_policies_say_of_an_event_is_in_its_trace() {
    let node = Driver::node();
    let collector = Collector::start();
    let setup = Setup::new(POLICED)
        .modules(&["jwt-auth", "rate-limit"])
        .env("JWT_SECRET", SECRET)
        .env("SLUICE_TELEMETRY__OTLP_HEADERS", "x-tenant=seven")
        .env("SLUICE_TELEMETRY__SERVICE_NAME", "events");
    let broker = collector.of(setup, "1").start();
    let alice = node.connect("alice", &broker.url("/"), &signed_in("alice"));
    let bob = node.connect("bob", &broker.url("/"), &signed_in("bob"));
    alice.ok("all:one", json!(["hush"]));
    alice.ok("all:two", json!(["hush"]));
    alice.denied("all:three", json!(["hush"]));
    bob.skip_to("all:two");
    // What was recorded last is sent before the end.
    assert_eq!(broker.stop(), 0);
    let spans = collector.spans();
    let of = |name: &str, key: &str, value: &str| {
        let found = spans
            .iter()
            .find(|span| span.name == name && span.says(key, value));
        found
            .unwrap_or_else(|| panic!("no {name} with {key}={value} in {spans:#?}"))
            .clone()
    };

    let connect = of("connect", "sluice.socket", alice.logged_as());
    assert!(connect.says("sluice.outcome", "accept"));
    let is_parent = |span: &&Span| connect.is_child_of(span);
    let handshake = spans.iter().find(is_parent).expect("its handshake");
    assert!(handshake.name == "handshake" && handshake.parent.is_empty());
    assert!(connect.says("sluice.namespace", "/"));
    assert!(connect.says("sluice.began_with", "websocket"));
    let asked = children(&connect, &spans);
    let auth = named("policy jwt-auth", &asked);
    assert!(auth.says("sluice.verdict", "accept") && auth.says("sluice.hook", "connect"));

    let event = of("event", "sluice.event", "all:one");
    assert!(event.says("sluice.outcome", "pass") && event.says("sluice.route", "emit"));
    let parts = children(&event, &spans);
    let limit = named("policy rate-limit", &parts);
    assert!(limit.says("sluice.verdict", "pass") && limit.says("sluice.policy", "rate-limit"));
    let fanout = named("fanout", &parts);
    let here: usize = fanout.attributes["sluice.recipients"].parse().unwrap();
    let elsewhere = children(fanout, &spans);
    let elsewhere = elsewhere
        .iter()
        .map(|it| it.attributes["sluice.recipients"].parse::<usize>().unwrap());
    assert_eq!(here + elsewhere.sum::<usize>(), 2, "both have got it");
    assert!(
        limit.nanoseconds.1 <= fanout.nanoseconds.0,
        "one after the other"
    );
    assert!(
        event.nanoseconds.0 <= limit.nanoseconds.0 && fanout.nanoseconds.1 <= event.nanoseconds.1
    );

    let denied = of("event", "sluice.event", "all:three");
    assert!(denied.says("sluice.outcome", "deny") && denied.says("sluice.denied_by", "rate-limit"));
    assert!(denied.says("sluice.code", "rate_limited"));
    let parts = children(&denied, &spans);
    assert!(named("policy rate-limit", &parts).says("sluice.verdict", "deny"));
    assert!(parts.iter().all(|span| span.name != "fanout"));

    assert!(
        spans
            .iter()
            .all(|span| span.resource["service.name"] == "events")
    );
    let tenant = ("x-tenant".to_owned(), "seven".to_owned());
    assert!(
        collector
            .headers()
            .iter()
            .all(|headers| headers.contains(&tenant))
    );
    let everything = format!("{spans:?}");
    assert!(!everything.contains("hush"), "no arguments");
    assert!(!everything.contains("eyJ"), "no tokens");
}

#[test]
fn two_nodes_make_one_trace() {
    let node = Driver::node();
    let collector = Collector::start();
    let order = "[[namespace.route]]\nevent = \"order\"\naction = \"publish\"\n[[namespace.route]]";
    let config = RELAY.replacen("[[namespace.route]]", order, 1);
    let cluster = Cluster::start_with(2, |_| collector.of(Setup::new(&config), "1"));
    let [a] = clients(&node, &cluster[0], ["a"]);
    let [b] = clients(&node, &cluster[1], ["b"]);
    a.ok("all:one", json!([]));
    b.expect("all:one");
    let event = collector.wait("the event", |span| span.says("sluice.event", "all:one"));
    assert_eq!(event.node(), cluster.name(0));
    let is_there = |span: &Span| {
        span.trace == event.trace && span.name == "deliver" && span.node() == cluster.name(1)
    };
    let delivered = collector.wait("its delivery on the other node", is_there);
    let spans = collector.spans();
    let parts = children(&event, &spans);
    assert!(delivered.is_child_of(named("fanout", &parts)));
    assert!(delivered.says("sluice.recipients", "1"));

    // What a back end says of a trace is kept: over HTTP …
    let body = json!({"namespace": "/", "event": "news", "args": []});
    emit_traced(&cluster[0], &body, &sampled());
    b.expect("news");
    let emit = collector.wait("the request", |span| span.name == "POST /api/v1/emit");
    assert_eq!((&*emit.trace, &*emit.parent), (TRACE, PARENT));
    assert!(emit.says("http.response.status_code", "200"));
    collector.wait("its delivery on the other node", |span| {
        span.trace == TRACE && span.name == "deliver" && span.node() == cluster.name(1)
    });
    // … and over NATS, in both directions.
    let bus = Bus::connect(&cluster.nats);
    let trace = TRACE.replace('0', "1");
    let header = format!("00-{trace}-{PARENT}-01");
    let body = json!({"event": "more", "args": []}).to_string();
    bus.request_with("sluice.sluice.emit.=2F", &[("traceparent", &header)], body);
    b.expect("more");
    collector.wait("a message of a back end", |span| {
        span.trace == trace && span.name == "emit"
    });
    let mut orders = bus.subscribe("sluice.sluice.event.>");
    a.ok("order", json!([1]));
    let order = orders.expect();
    let header = order.header("traceparent").expect("a trace").to_owned();
    let published = collector.wait("what was published", |span| span.name == "publish");
    assert_eq!(
        header,
        format!("00-{}-{}-01", published.trace, published.id)
    );
    let order = collector.wait("the order", |span| span.says("sluice.event", "order"));
    assert!(published.is_child_of(&order));
}

#[test]
fn what_policies_ask_carries_the_trace() {
    let node = Driver::node();
    let collector = Collector::start();
    let backend = Backend::start();
    backend.answer("/", 200, "{}");
    let setup = Setup::new(&asking::config(&backend, "")).modules(&["fixture-asker"]);
    let broker = collector.of(setup, "1").start();
    // Let in or not: it has asked.
    let _ = node.try_connect("a", &broker.url("/"), &json!({"transports": ["websocket"]}));
    backend.wait_asked(1);
    let fetch = collector.wait("the request", |span| span.name == "fetch");
    let sent = format!("00-{}-{}-01", fetch.trace, fetch.id);
    let headers = &backend.asked()[0].headers;
    assert!(
        headers.contains(&("traceparent".to_owned(), sent)),
        "{headers:?}"
    );
    let policy = collector.wait("the policy", |span| span.name == "policy asker");
    assert!(fetch.is_child_of(&policy));
    let connect = collector.wait("the connection", |span| span.name == "connect");
    assert!(policy.is_child_of(&connect));
}

#[test]
fn at_nought_only_what_others_trace_is_recorded() {
    let node = Driver::node();
    let collector = Collector::start();
    let broker = collector.of(Setup::new(RELAY), "0").start();
    let [a] = clients(&node, &broker, ["a"]);
    for _ in 0..50 {
        a.ok("all:one", json!([]));
    }
    let body = json!({"namespace": "/", "event": "news", "args": []});
    emit_traced(&broker, &body, &sampled().replace("-01", "-00"));
    emit_traced(&broker, &body, "nonsense");
    emit_traced(&broker, &body, &sampled());
    collector.wait("the one that is traced", |span| {
        span.name == "POST /api/v1/emit"
    });
    assert_eq!(broker.stop(), 0);
    let traces: BTreeSet<_> = collector
        .spans()
        .into_iter()
        .map(|span| span.trace)
        .collect();
    assert_eq!(traces, BTreeSet::from([TRACE.to_owned()]));
}

#[test]
fn a_collector_that_is_away_troubles_nobody() {
    let node = Driver::node();
    // Nobody listens there any more.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let broker = Setup::new(RELAY)
        .env(
            "SLUICE_TELEMETRY__OTLP_ENDPOINT",
            &format!("http://{address}"),
        )
        .env("SLUICE_TELEMETRY__TRACE_SAMPLE", "1")
        .start();
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    for _ in 0..20 {
        a.ok("all:one", json!([]));
        b.expect("all:one");
    }
    eventually("what is lost is counted", || {
        let lost = [("outcome", "failed")];
        let lost = broker.metrics().sum("sluice_trace_spans_total", &lost);
        (lost > 20.0).then_some(())
    });
    let said = |record: &Record| record.message() == "traces not exported";
    // Counted a moment before it is in the log.
    broker.logs.wait("that they are lost", said);
    let said = broker.logs.find(|record| said(record));
    assert_eq!(said.len(), 1, "once in a while");
    a.ok("all:one", json!([]));
    assert_eq!(broker.stop(), 0);
}

#[test]
fn how_much_is_traced_can_change_while_it_serves() {
    let node = Driver::node();
    let collector = Collector::start();
    let config = |sample| {
        format!(
            "[telemetry]\notlp_endpoint = \"{}\"\ntrace_sample = {sample}\n{RELAY}",
            collector.url()
        )
    };
    let broker = Setup::new(&config("0")).start();
    let [a] = clients(&node, &broker, ["a"]);
    a.ok("all:before", json!([]));
    broker.reconfigure(&config("1.0"));
    let event = eventually("a trace", || {
        a.ok("all:after", json!([]));
        collector
            .spans()
            .into_iter()
            .find(|span| span.name == "event")
    });
    assert!(event.says("sluice.event", "all:after"), "{event:?}");
}
