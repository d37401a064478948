//! Policies that loop, allocate without end or panic cost their own calls and nothing else.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, eventually};

use crate::shared::{own_code, websocket};

const DEADLINE: Duration = Duration::from_millis(10);
/// What a call may cost beyond its deadline.
const SLACK: Duration = Duration::from_millis(250);

const CONFIG: &str = r#"
    [[policy]]
    name = "fixture-loop"
    timeout = "10ms"
    [[policy]]
    name = "fixture-bomb"
    memory = "16MiB"
    [[policy]]
    name = "fixture-panic"
    [[namespace]]
    path = "/"
    [[namespace.route]]
    event = "*"
    action = "emit"
    to = "all"
"#;

const MODULES: [&str; 3] = ["fixture-loop", "fixture-bomb", "fixture-panic"];
/// The event that each of them fails on.
const EVENTS: [&str; 3] = ["loop", "bomb", "panic"];

fn failed(ack: &Value) {
    let denial = &ack["error"];
    assert_eq!(own_code(denial), "policy_failed", "{ack}");
}

#[test]
fn a_failing_call_is_denied_and_every_other_event_flows() {
    let node = Driver::node();
    let broker = Broker::start(CONFIG, &MODULES);
    let flowing: Vec<Client> = (0..3)
        .map(|n| node.connect_quiet(&format!("flowing-{n}"), &broker.url("/"), &websocket()))
        .collect();
    let attacker = node.connect_quiet("attacker", &broker.url("/"), &websocket());
    // One round before the measurement, in which instances are made.
    for event in EVENTS {
        failed(&attacker.ask(event, json!([]))[0]);
    }
    let before = broker.resident();

    let count = 600;
    let floods: Vec<_> = flowing
        .iter()
        .map(|client| {
            client.flood(
                "fine",
                count,
                200,
                &json!({"template": {"by": client.name}}),
            )
        })
        .collect();
    let mut slowest = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2500) {
        for event in EVENTS {
            let asked = Instant::now();
            failed(&attacker.ask(event, json!([{"$bin": "AAEC"}]))[0]);
            slowest.push((asked.elapsed(), event));
        }
    }
    // The median tells what a call costs; a machine that is busy with other tests holds some up, for which no policy
    // is to blame.
    slowest.sort();
    let (median, _) = slowest[slowest.len() / 2];
    assert!(
        median < DEADLINE + SLACK,
        "the median denial took {median:?}"
    );
    let (worst, event) = slowest[slowest.len() - 1];
    assert!(worst < Duration::from_secs(8), "{event} took {worst:?}");

    let total = usize::try_from(count).unwrap() * flowing.len();
    for (client, flood) in flowing.iter().zip(floods) {
        let answers = flood.wait().answers;
        assert!(
            answers
                .iter()
                .all(|(_, ack, _)| *ack == json!({"ok": true})),
            "{}",
            client.name
        );
        assert!(
            answers.iter().map(|(seq, ..)| *seq).eq(0..count),
            "{}: in order",
            client.name
        );
        client.wait_received(total);
        assert_eq!(
            client.collect().len(),
            total,
            "{} receives what was allowed and nothing else",
            client.name
        );
    }
    // A bomb takes 16 MiB; without their return, hundreds of calls would have taken gigabytes.
    eventually("memory to return", || {
        (broker.resident() < before + (64 << 20)).then_some(())
    });

    let metrics = broker.metrics();
    for module in MODULES {
        let traps = metrics.sum("sluice_policy_traps_total", &[("policy", module)]);
        assert!(traps >= 2.0, "{module}: {traps}\n{}", metrics.text());
    }
}

/// Without an ack, the denial comes as an event; the socket stays.
#[test]
fn a_failure_without_an_ack_is_told_as_an_event() {
    let node = Driver::node();
    let broker = Broker::start(CONFIG, &MODULES);
    let client = node.connect("a", &broker.url("/"), &websocket());
    for event in EVENTS {
        client.emit(event, json!([]));
        let told = client.expect("error");
        assert_eq!(own_code(&told[0]), "policy_failed", "{event}");
    }
    client.ok("fine", json!([1]));
    assert_eq!(client.expect("fine"), [json!(1)]);
}

/// `on_error = "allow"`: then a failure lets the event pass, as the operator wants it.
#[test]
fn a_failing_policy_can_be_configured_to_let_pass() {
    let node = Driver::node();
    let config = CONFIG.replace(
        "name = \"fixture-panic\"",
        "name = \"fixture-panic\"\non_error = \"allow\"",
    );
    let broker = Broker::start(&config, &MODULES);
    let client = node.connect("a", &broker.url("/"), &websocket());
    client.ok("panic", json!(["carried on"]));
    assert_eq!(client.expect("panic"), [json!("carried on")]);
    failed(&client.ask("loop", json!([]))[0]);
    let traps = broker
        .metrics()
        .sum("sluice_policy_traps_total", &[("policy", "fixture-panic")]);
    assert!(traps >= 1.0);
}

/// Shadow mode: verdicts are counted and not followed.
#[test]
fn a_policy_in_shadow_mode_changes_nothing() {
    let node = Driver::node();
    let config = CONFIG.replace(
        "name = \"fixture-panic\"",
        "name = \"fixture-panic\"\nmode = \"shadow\"",
    );
    let broker = Broker::start(&config, &MODULES);
    let client = node.connect("a", &broker.url("/"), &websocket());
    client.ok("panic", json!(["unharmed"]));
    assert_eq!(client.expect("panic"), [json!("unharmed")]);
}
