//! A policy that keeps failing is not called for a while; one that is missing may be missed.

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, Setup, eventually, policy};

use crate::shared::{clients, own_code, websocket};

const NAME: &str = "fixture-fickle";
const MODULES: [&str; 1] = [NAME];

const ROUTES: &str = r#"
    [[namespace]]
    path = "/"
    policies = ["fixture-fickle"]
    [[namespace.route]]
    event = "join"
    action = "join"
    room = "/0"
    [[namespace.route]]
    event = "*"
    action = "emit"
    to = "all"
"#;

/// Opens after a failure of each of four sockets.
fn config(on_error: &str, backoff: &str) -> String {
    format!(
        r#"
        [[policy]]
        name = "{NAME}"
        timeout = "200ms"
        on_error = {on_error}
        [policy.breaker]
        failures = 4
        window = "10m"
        backoff = "{backoff}"
        max_backoff = "1h"
        {ROUTES}"#
    )
}

/// What a client that is to make a hook fail connects with.
fn failing(hook: &str) -> Value {
    json!({"transports": ["websocket"], "auth": {"fail": hook}})
}

fn fails(client: &Client) {
    let denial = client.denied("work", json!(["fail"]));
    assert_eq!(own_code(&denial), "policy_failed");
}

fn breaker(broker: &Broker) -> Value {
    broker.policy(NAME)["breaker"].clone()
}

fn reasons(broker: &Broker) -> Vec<Value> {
    let readiness = broker.get("/readyz");
    let reasons = readiness.json()["reasons"].take();
    let reasons = reasons.as_array().cloned().unwrap_or_default();
    assert_eq!(readiness.status == 200, reasons.is_empty());
    reasons
}

fn is_shown_open(broker: &Broker) -> f64 {
    let labels = [("policy", NAME)];
    broker.metrics().sum("sluice_policy_breaker_open", &labels)
}

fn calls_not_made(broker: &Broker, hook: &str) -> f64 {
    let labels = [("policy", NAME), ("hook", hook), ("kind", "breaker")];
    broker.metrics().sum("sluice_policy_traps_total", &labels)
}

fn told(broker: &Broker, message: &str) -> usize {
    broker.logs.find(|record| record.message() == message).len()
}

#[test]
fn it_opens_and_says_so_everywhere() {
    let node = Driver::node();
    let on_error = r#"{ connect = "allow", event = "deny", subscribe = "allow" }"#;
    let broker = Broker::start(&config(on_error, "1h"), &MODULES);
    let all = clients(&node, &broker, ["a", "b", "c", "d"]);
    for client in &all {
        assert_eq!(breaker(&broker)["state"], "closed");
        assert_eq!(reasons(&broker), [] as [Value; 0]);
        fails(client);
    }
    let [a, ..] = &all;

    let [reason] = &reasons(&broker)[..] else {
        panic!("one reason");
    };
    assert_eq!(
        (&reason["code"], &reason["policy"]),
        (&json!("policy_failing"), &json!(NAME))
    );
    let message = reason["message"].as_str().unwrap();
    assert!(message.starts_with("breaker open since 2"), "{message}");
    assert!(
        message.contains("after 4 failing calls: trap in event: "),
        "{message}"
    );
    let shown = breaker(&broker);
    assert_eq!(
        (&shown["state"], &shown["failures"]),
        (&json!("open"), &json!(4))
    );
    assert!(
        shown["retry_at"].as_str() > shown["since"].as_str(),
        "{shown}"
    );
    assert!(shown["last_fault"].is_string(), "{shown}");
    assert_eq!(is_shown_open(&broker), 1.0);
    let record = broker.logs.wait("an opened breaker", |record| {
        record.message() == "policy breaker opened"
    });
    assert!(record.has("policy", NAME) && record.has("failures", "4"));

    // No call is made, and `on_error` decides; what the policy is not interested in has nothing to do with it.
    let denial = a.denied("work", json!(["fine"]));
    assert_eq!(own_code(&denial), "policy_failed");
    a.ok("join", json!(["broken"]));
    a.ok("other", json!([]));
    let late = node.connect("late", &broker.url("/"), &websocket());
    late.ok("other", json!([]));
    for hook in ["event", "subscribe", "connect"] {
        assert_eq!(calls_not_made(&broker, hook), 1.0, "{hook}");
    }
    assert_eq!(told(&broker, "policy breaker opened"), 1);

    // A new generation begins with a closed one.
    broker.reconfigure(&config(on_error, "1h").replace("200ms", "199ms"));
    eventually("the next generation", || {
        (broker.policy(NAME)["generation"] == 2).then_some(())
    });
    assert_eq!(breaker(&broker)["state"], "closed");
    assert_eq!(reasons(&broker), [] as [Value; 0]);
    a.ok("work", json!(["fine"]));
}

#[test]
fn connections_that_fail_open_it_too() {
    let node = Driver::node();
    let on_error = r#"{ connect = "deny", event = "allow" }"#;
    let broker = Broker::start(&config(on_error, "1h"), &MODULES);
    let [early] = clients(&node, &broker, ["early"]);
    for name in ["a", "b", "c", "d"] {
        let refusal = node.try_connect(name, &broker.url("/"), &failing("connect"));
        assert!(refusal.is_err(), "{name}");
    }
    broker.logs.wait("an opened breaker", |record| {
        record.message() == "policy breaker opened"
    });
    let refusal = node.try_connect("fine", &broker.url("/"), &websocket());
    assert!(refusal.is_err(), "no call is made, and a failure denies");
    early.ok("work", json!(["fail"]));
    assert_eq!(early.expect("work"), [json!("fail")]);
}

#[test]
fn goodbyes_that_fail_open_it_too_and_are_not_what_tries_it() {
    let node = Driver::node();
    let broker = Broker::start(&config(r#""deny""#, "1ms"), &MODULES);
    let [other, last] = clients(&node, &broker, ["other", "last"]);
    let failing = ["a", "b", "c", "d"]
        .map(|name| node.connect(name, &broker.url("/"), &failing("disconnect")));
    for client in &failing {
        client.disconnect();
    }
    broker.logs.wait("an opened breaker", |record| {
        record.message() == "policy breaker opened"
    });
    last.disconnect();
    eventually("a goodbye without a call", || {
        (calls_not_made(&broker, "disconnect") == 1.0).then_some(())
    });
    assert_eq!(breaker(&broker)["state"], "open");
    eventually("the back-off", || {
        (other.ask("work", json!(["fine"])) == [json!({"ok": true})]).then_some(())
    });
    assert_eq!(breaker(&broker)["state"], "closed");
}

#[test]
fn it_closes_when_the_cause_is_gone() {
    let node = Driver::node();
    let broker = Broker::start(&config(r#""deny""#, "20ms"), &MODULES);
    let [a, b, c, d] = clients(&node, &broker, ["a", "b", "c", "d"]);
    [&a, &b, &c, &d].into_iter().for_each(fails);
    // As long as it fails, trying it out opens it again.
    eventually("trials that fail", || {
        [&a, &b].into_iter().for_each(fails);
        (breaker(&broker)["failures"].as_u64() >= Some(6)).then_some(())
    });
    assert_eq!(is_shown_open(&broker), 1.0);
    eventually("a trial that works", || {
        (c.ask("work", json!(["fine"])) == [json!({"ok": true})]).then_some(())
    });
    assert_eq!(breaker(&broker)["state"], "closed");
    assert_eq!(breaker(&broker)["failures"], 0);
    assert_eq!(reasons(&broker), [] as [Value; 0]);
    assert_eq!(is_shown_open(&broker), 0.0);
    broker.logs.wait("a closed breaker", |record| {
        record.message() == "policy breaker closed" && record.has("policy", NAME)
    });
    assert_eq!(told(&broker, "policy breaker opened"), 1);
    assert_eq!(told(&broker, "policy breaker closed"), 1);
    a.ok("work", json!(["fine"]));
}

/// As it comes: whoever knows what makes a policy fail must not be able to switch it off for others.
#[test]
fn one_clients_poison_does_not_open_it() {
    let node = Driver::node();
    let config = format!("[[policy]]\nname = \"{NAME}\"\ntimeout = \"200ms\"\n{ROUTES}");
    let broker = Broker::start(&config, &MODULES);
    let [poisoner, other] = clients(&node, &broker, ["poisoner", "other"]);
    for _ in 0..50 {
        fails(&poisoner);
        other.ok("work", json!(["fine"]));
    }
    assert_eq!(breaker(&broker)["state"], "closed");
    assert_eq!(reasons(&broker), [] as [Value; 0]);
}

#[test]
fn a_missing_policy_whose_failures_are_allowed_is_waited_for() {
    let node = Driver::node();
    let setup = Setup::new(&config(r#""allow""#, "1s"));
    let checked = setup.run(&["check", "--config", "sluice.toml"]);
    assert_eq!(checked.code, Some(78), "{checked:?}");
    assert!(checked.stderr.contains(NAME), "{checked:?}");
    let broker = setup.start();
    let [a] = clients(&node, &broker, ["a"]);
    a.ok("work", json!(["fail"]));
    let [reason] = &reasons(&broker)[..] else {
        panic!("one reason");
    };
    assert_eq!(
        (&reason["code"], &reason["policy"]),
        (&json!("policy_failed"), &json!(NAME))
    );
    let shown = broker.policy(NAME);
    assert_eq!(
        (&shown["source"], &shown["mode"]),
        (&json!("configured"), &json!("enforce"))
    );
    assert!(
        shown["failed"]["reason"].is_string() && shown["digest"].is_null(),
        "{shown}"
    );

    // What does not load is no better than what is not there.
    broker.replace_module(NAME, b"no module");
    eventually("another reason", || {
        let reason = broker.policy(NAME)["failed"]["reason"].take();
        (reason.is_string() && reason != shown["failed"]["reason"]).then_some(())
    });
    a.ok("work", json!(["fail"]));
    broker.replace_module(NAME, &policy(NAME));
    eventually("the policy in its place", || {
        (broker.policy(NAME)["generation"] == 1).then_some(())
    });
    assert_eq!(reasons(&broker), [] as [Value; 0]);
    a.ok("work", json!(["fail"]));
    let traps = broker
        .metrics()
        .sum("sluice_policy_traps_total", &[("policy", NAME)]);
    assert_eq!(traps, 1.0, "it is asked now");

    // Deleted again, it serves on.
    broker.remove_module(NAME);
    eventually("a missing module", || {
        broker.policy(NAME)["failed"].is_object().then_some(())
    });
    assert_eq!(broker.policy(NAME)["generation"], 1);
    a.ok("work", json!(["fail"]));
}

#[test]
fn a_missing_policy_that_may_deny_is_not_done_without() {
    for on_error in [r#""deny""#, r#"{ connect = "allow", event = "allow" }"#] {
        let setup = Setup::new(&config(on_error, "1s"));
        for command in ["check", "run"] {
            let ended = setup.run(&[command, "--config", "sluice.toml"]);
            assert_eq!(ended.code, Some(78), "{command} with {on_error}: {ended:?}");
            assert!(ended.stderr.contains("module"), "{ended:?}");
        }
    }
}
