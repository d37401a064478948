//! Policies ask a back end whether to let a client in, while everyone else is served.

use serde_json::{Value, json};
use sluice_tests::raw::{Packet, Polling, Socket};
use sluice_tests::{Backend, Broker, Client, Driver, Refusal, Setup, eventually};

use crate::shared::{RELAY, clients, mark};

/// With more keys of `[policy.http]`.
pub(crate) fn config(backend: &Backend, http: &str) -> String {
    let url = backend.url();
    format!(
        r#"
        [[policy]]
        name = "asker"
        module = "policies/fixture-asker.wasm"
        grant = ["http"]
        config = {{ url = "{url}" }}
        [policy.http]
        hosts = ["{url}"]
        {http}
        {RELAY}
        "#
    )
}

fn setup(backend: &Backend, http: &str) -> Setup {
    Setup::new(&config(backend, http))
        .modules(&["fixture-asker"])
        .env("SLUICE_SERVER__REACTORS", "1")
}

fn start(backend: &Backend, http: &str) -> Broker {
    setup(backend, http).start()
}

fn connect(
    node: &Driver,
    broker: &Broker,
    name: &str,
    auth: &Value,
) -> Result<Client, Box<Refusal>> {
    let options = json!({"transports": ["websocket"], "auth": auth});
    node.try_connect(name, &broker.url("/"), &options)
        .map_err(Box::new)
}

/// The code under which a client is refused.
fn refused(node: &Driver, broker: &Broker, name: &str, auth: &Value) -> String {
    match connect(node, broker, name, auth) {
        Ok(_) => panic!("{name} was let in"),
        Err(refusal) => refusal.code().to_owned(),
    }
}

/// A client that asks to be let in and waits.
fn waiting(broker: &Broker, namespace: &str, auth: &Value) -> Socket {
    let mut socket = broker.socket();
    socket.send(&match namespace {
        "/" => format!("40{auth}"),
        other => format!("40{other},{auth}"),
    });
    socket
}

/// What a client is sent next.
fn next(socket: &mut Socket) -> String {
    match socket.packet() {
        Packet::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

fn count(broker: &Broker, outcome: &str) -> f64 {
    let labels = [("policy", "asker"), ("outcome", outcome)];
    broker
        .metrics()
        .sum("sluice_policy_http_requests_total", &labels)
}

#[test]
fn a_back_end_decides() {
    let (node, backend) = (Driver::node(), Backend::start());
    let broker = start(&backend, "timeout = '20s'\nmax_response = 100");
    backend.answer("/alice", 200, "alice");
    backend.answer("/mallory", 403, "");
    backend.answer("/much", 200, "x".repeat(101));
    assert!(connect(&node, &broker, "a", &json!({"ask": "/alice"})).is_ok());
    let code = |name: &str, ask: &str| refused(&node, &broker, name, &json!({"ask": ask}));
    assert_eq!(code("m", "/mallory"), "status_403");
    assert_eq!(code("t", "/much"), "too_large");
    // Not a host that the operator has listed: nothing is opened.
    assert_eq!(code("r", "http://localhost:9/"), "refused");
    assert_eq!(
        code("u", &backend.url().replace("http:", "https:")),
        "refused"
    );
    assert_eq!(backend.asked().len(), 3);
    let agent = &backend.asked()[0].headers;
    assert!(
        agent
            .iter()
            .any(|(name, value)| name == "user-agent" && value.starts_with("sluice/"))
    );
    for (outcome, expected) in [("ok", 2.0), ("too_large", 1.0), ("refused", 2.0)] {
        assert_eq!(count(&broker, outcome), expected, "{outcome}");
    }
    let labels = [("policy", "asker"), ("verdict", "accept")];
    let verdicts = "sluice_policy_verdicts_total";
    assert_eq!(broker.metrics().sum(verdicts, &labels), 1.0);
}

#[test]
fn an_answer_that_does_not_come() {
    let (node, backend) = (Driver::node(), Backend::start());
    let broker = start(&backend, "timeout = '200ms'");
    backend.hold("/hang");
    assert_eq!(
        refused(&node, &broker, "a", &json!({"ask": "/hang"})),
        "timeout"
    );
    backend.wait_given_up(1);
    assert_eq!(count(&broker, "timeout"), 1.0);
}

#[test]
fn a_call_asks_a_few_times_and_only_when_a_client_connects() {
    let (node, backend) = (Driver::node(), Backend::start());
    let broker = start(&backend, "");
    backend.answer("/a", 200, "a");
    let four = json!({"ask": "/a", "again": 3});
    let alice = connect(&node, &broker, "a", &four).unwrap_or_else(|it| panic!("{it:?}"));
    let five = json!({"ask": "/a", "again": 4});
    assert_eq!(refused(&node, &broker, "b", &five), "refused");
    assert_eq!(alice.denied("ask", json!([]))["code"], "refused");
    assert_eq!(backend.asked().len(), 8);
}

#[test]
fn a_young_answer_is_shared_and_outlives_a_change_of_the_policy() {
    let (node, backend) = (Driver::node(), Backend::start());
    let broker = start(&backend, "");
    backend.answer("/a", 200, "a");
    let auth = json!({"ask": "/a", "max_age_ms": 600_000});
    for name in ["a", "b"] {
        assert!(connect(&node, &broker, name, &auth).is_ok());
    }
    let generation = broker.policy("asker")["generation"].clone();
    let slower = config(&backend, "").replace("grant =", "timeout = '20ms'\ngrant =");
    broker.reconfigure(&slower);
    eventually("the policy with its new settings", || {
        (broker.policy("asker")["generation"] != generation).then_some(())
    });
    assert!(connect(&node, &broker, "c", &auth).is_ok());
    assert_eq!(backend.asked().len(), 1);
    assert_eq!((count(&broker, "ok"), count(&broker, "cached")), (1.0, 2.0));
}

#[test]
fn everyone_else_is_served_while_a_client_waits() {
    let (node, backend) = (Driver::node(), Backend::start());
    let broker = start(&backend, "timeout = '30s'");
    backend.hold("/slow");
    backend.answer("/slow", 200, "slow");
    backend.answer("/", 200, "quick");
    let mut slow = waiting(&broker, "/", &json!({"ask": "/slow"}));
    backend.wait_asked(1);
    let [alice, bob] = clients(&node, &broker, ["alice", "bob"]);
    for _ in 0..10 {
        mark(&alice, &[&alice, &bob]);
    }
    backend.release("/slow");
    assert!(next(&mut slow).starts_with("40{"));
    mark(&alice, &[&alice, &bob]);
    assert!(next(&mut slow).contains("all:mark"));
}

#[test]
fn who_goes_away_leaves_nothing_behind() {
    let (node, backend) = (Driver::node(), Backend::start());
    let broker = start(&backend, "timeout = '30s'\nmax_requests = 1");
    backend.hold("/slow");
    backend.answer("/a", 200, "a");
    for gone in 1..=3 {
        let mut slow = waiting(&broker, "/", &json!({"ask": "/slow"}));
        backend.wait_asked(gone);
        slow.shutdown();
        backend.wait_given_up(gone);
    }
    // Its place is free.
    assert!(connect(&node, &broker, "a", &json!({"ask": "/a"})).is_ok());
    assert_eq!(broker.metrics().sum("sluice_connections", &[]), 1.0);
}

/// Nobody is told that a polling session is over, so its request goes on, and its answer comes to nothing.
#[test]
fn who_polls_and_goes_away_is_not_let_in() {
    let (node, backend) = (Driver::node(), Backend::start());
    let broker = start(&backend, "timeout = '30s'\nmax_requests = 1");
    backend.hold("/slow");
    for path in ["/slow", "/a"] {
        backend.answer(path, 200, "a");
    }
    let slow = Polling::open(broker.listen);
    slow.post(br#"40{"ask":"/slow"}"#).unwrap();
    backend.wait_asked(1);
    slow.post(b"1").unwrap();
    backend.release("/slow");
    let alice = connect(&node, &broker, "a", &json!({"ask": "/a"}));
    let alice = alice.unwrap_or_else(|it| panic!("{it:?}"));
    mark(&alice, &[&alice]);
    assert_eq!(broker.metrics().sum("sluice_connections", &[]), 1.0);
}

#[test]
fn the_time_to_connect_is_bounded_as_a_whole() {
    let backend = Backend::start();
    let broker = setup(&backend, "timeout = '30s'")
        .env("SLUICE_SERVER__CONNECT_TIMEOUT", "3s")
        .start();
    backend.hold("/slow");
    let mut slow = waiting(&broker, "/", &json!({"ask": "/slow"}));
    backend.wait_asked(1);
    slow.until_closed();
    backend.wait_given_up(1);
}

#[test]
fn more_than_may_wait() {
    let (node, backend) = (Driver::node(), Backend::start());
    let broker = start(&backend, "timeout = '2s'\nmax_requests = 1");
    backend.hold("/slow");
    let _slow = waiting(&broker, "/", &json!({"ask": "/slow", "again": 3}));
    backend.wait_asked(1);
    let code = refused(&node, &broker, "b", &json!({"ask": "/b"}));
    assert_eq!(code, "policy_failed");
    let labels = [("policy", "asker"), ("kind", "busy")];
    let traps = broker.metrics().sum("sluice_policy_traps_total", &labels);
    assert_eq!(traps, 1.0);
    let paths: Vec<_> = backend.asked().into_iter().map(|it| it.path).collect();
    assert!(!paths.contains(&"/b".to_owned()), "{paths:?}");
}

#[test]
fn waiting_takes_no_time_of_the_policys_own() {
    let (node, backend) = (Driver::node(), Backend::start());
    let broker = start(&backend, "timeout = '2s'");
    backend.answer("/a", 200, "a");
    backend.hold("/slow");
    // Two seconds, where a call has ten milliseconds.
    assert_eq!(
        refused(&node, &broker, "a", &json!({"ask": "/slow"})),
        "timeout"
    );
    let spinning = json!({"ask": "/a", "spin": true});
    assert_eq!(refused(&node, &broker, "b", &spinning), "policy_failed");
    let labels = [("policy", "asker"), ("kind", "deadline")];
    let traps = broker.metrics().sum("sluice_policy_traps_total", &labels);
    assert_eq!(traps, 1.0);
    assert!(connect(&node, &broker, "c", &json!({"ask": "/a"})).is_ok());
}

#[test]
fn a_namespace_stays_for_whom_it_is_asked() {
    let (node, backend) = (Driver::node(), Backend::start());
    let patterned =
        config(&backend, "timeout = '30s'").replace("path = \"/\"", "path = \"/org-{id}\"");
    let broker = Setup::new(&patterned).modules(&["fixture-asker"]).start();
    backend.hold("/slow");
    for path in ["/", "/slow"] {
        backend.answer(path, 200, "a");
    }
    let mut slow = waiting(&broker, "/org-1", &json!({"ask": "/slow"}));
    backend.wait_asked(1);
    // Who was its only member leaves.
    let options = json!({"transports": ["websocket"]});
    let alice = node.connect("alice", &broker.url("/org-1"), &options);
    alice.disconnect();
    eventually("an empty namespace", || {
        (broker.metrics().sum("sluice_connections", &[]) == 0.0).then_some(())
    });
    backend.release("/slow");
    assert!(next(&mut slow).starts_with("40/org-1,{"));
    let bob = node.connect("bob", &broker.url("/org-1"), &options);
    bob.emit("hello", json!([]));
    assert!(next(&mut slow).contains("hello"));
}

#[test]
fn nothing_that_is_asked_is_logged() {
    let (node, backend) = (Driver::node(), Backend::start());
    let broker = setup(&backend, "")
        .env(
            "SLUICE_TELEMETRY__LOG",
            "info,sluice=trace,hyper=trace,hyper_util=trace,rustls=trace",
        )
        .start();
    backend.answer("/a", 200, "hunter-in-body");
    let auth = json!({"ask": "/a?q=hunter-in-query", "secret": "hunter-in-header"});
    let alice = connect(&node, &broker, "a", &auth).unwrap_or_else(|it| panic!("{it:?}"));
    alice.ok("hello", json!([]));
    let record = broker.logs.wait("a request of a policy", |record| {
        record.message() == "policy asked over HTTP"
    });
    let said = |name: &str| record.field(name).clone();
    assert_eq!((said("outcome"), said("status")), (json!("ok"), json!(200)));
    assert_eq!(said("host"), backend.url());
    for secret in ["hunter-in-query", "hunter-in-header"] {
        assert!(!broker.logs.text().contains(secret), "{secret}");
    }
}

#[test]
fn who_may_ask_is_the_operators_choice() {
    let backend = Backend::start();
    let without = config(&backend, "").replace("grant = [\"http\"]", "");
    let without = without.replace(&format!("hosts = [\"{}\"]", backend.url()), "");
    let exited =
        Setup::new(&without)
            .modules(&["fixture-asker"])
            .run(&["check", "--config", "sluice.toml"]);
    assert_eq!(exited.code, Some(78));
    assert!(
        exited.stderr.contains("capability `http`"),
        "{}",
        exited.stderr
    );
}
