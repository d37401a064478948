//! What a policy has answered in advance it is not called for.

use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, Setup};

use crate::shared::{RELAY, own_code, websocket};

const NAME: &str = "fixture-ahead";

fn config(settings: &str) -> String {
    format!("[[policy]]\nname = \"{NAME}\"\n{settings}\n{RELAY}")
}

fn broker(settings: &str) -> Broker {
    Broker::start(&config(settings), &[NAME])
}

fn code(denial: &Value) -> &str {
    denial["code"].as_str().unwrap_or_default()
}

fn calls(broker: &Broker) -> f64 {
    let labels = [("policy", NAME), ("hook", "event")];
    let metrics = broker.metrics();
    metrics.sum("sluice_policy_duration_seconds_count", &labels)
}

fn verdicts(broker: &Broker, verdict: &str) -> f64 {
    let labels = [("policy", NAME), ("hook", "event"), ("verdict", verdict)];
    broker
        .metrics()
        .sum("sluice_policy_verdicts_total", &labels)
}

#[test]
fn within_its_limit_an_event_passes_without_a_call() {
    let broker = broker("config = { votes = 2 }");
    let node = Driver::node();
    let ann = node.connect("ann", &broker.url("/"), &websocket());
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    for n in 1..=2 {
        ann.ok("vote", json!([n]));
        assert_eq!(bob.expect("vote"), [json!(n)]);
    }
    assert_eq!(calls(&broker), 0.0);
    // What is over is the policy's to answer.
    let denial = ann.denied("vote", json!([3]));
    assert_eq!((code(&denial), &denial["policy"]), ("called", &json!(NAME)));
    assert_eq!(calls(&broker), 1.0);
    // The bucket is the one that it takes from when it is called, and each socket has its own.
    assert_eq!(code(&ann.denied("take", json!([]))), "called");
    bob.ok("take", json!([]));
    bob.ok("vote", json!([4]));
    assert_eq!(code(&bob.denied("vote", json!([5]))), "called");
    assert_eq!(
        (verdicts(&broker, "pass"), verdicts(&broker, "deny")),
        (4.0, 3.0)
    );
    assert_eq!(calls(&broker), 4.0);
}

#[test]
fn events_are_coalesced_without_a_call() {
    let broker = broker("config = { window_ms = 1000 }");
    let node = Driver::node();
    let ann = node.connect("ann", &broker.url("/"), &websocket());
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    // At once, so that all of them fall into one window.
    let options = json!({"ack": false, "first": 1});
    ann.flood("move", 4, 1_000_000, &options).wait();
    assert_eq!(bob.expect("move"), [json!(1)]);
    assert_eq!(bob.expect("move"), [json!(4)]);
    assert_eq!((verdicts(&broker, "coalesce"), calls(&broker)), (4.0, 0.0));
}

/// An answer needs no instance.
#[test]
fn what_is_answered_so_goes_on_while_the_breaker_is_open() {
    let breaker = "[policy.breaker]\nfailures = 1\nbackoff = \"1h\"\nmax_backoff = \"1h\"";
    let broker = broker(&format!("config = {{ votes = 1 }}\n{breaker}"));
    let node = Driver::node();
    let ann = node.connect("ann", &broker.url("/"), &websocket());
    assert_eq!(own_code(&ann.denied("fail", json!([]))), "policy_failed");
    assert_eq!(own_code(&ann.denied("take", json!([]))), "policy_failed");
    ann.ok("vote", json!([]));
    assert_eq!(own_code(&ann.denied("vote", json!([]))), "policy_failed");
}

#[test]
fn an_answer_that_cannot_be_given_is_refused_with_the_rule() {
    for (settings, reason) in [
        (
            "config = { bucket = 7 }",
            "event rule `vote`, answered in advance: there is no bucket 7",
        ),
        (
            "config = { window_ms = 61000 }",
            "event rule `move`, answered in advance: its coalescing window is 61000 ms",
        ),
    ] {
        let setup = Setup::new(&config(settings)).modules(&[NAME]);
        let exited = setup.run(&["check", "--config", "sluice.toml"]);
        assert_eq!(exited.code, Some(78), "{exited:?}");
        assert!(exited.stderr.contains(reason), "{}", exited.stderr);
    }
}

#[test]
fn inspect_shows_it() {
    let setup = Setup::new("").modules(&[NAME]);
    let module = "policies/fixture-ahead.wasm";
    let shown = setup.run(&["policy", "inspect", module]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for line in [
        "vote: passes within `votes` by socket, 1 each",
        "move: coalesced for 1000 ms",
        "sluice:policy/advance@0.2.0",
    ] {
        assert!(shown.stdout.contains(line), "{line}: {}", shown.stdout);
    }
}
