//! A new version on trial: compared as a shadow, deciding for some as a canary, promoted by one call, and taken back by
//! itself when it is worse than it may be.

use serde_json::{Value, json};
use sluice_tests::http::{Response, request};
use sluice_tests::{Broker, Client, Driver, Setup, eventually, policy};

use crate::reload::Fire;
use crate::shared::websocket;

/// A policy `p`, with settings of its own if there are any, and events that come back to their sender.
fn start(module: &str, settings: &str) -> Broker {
    let config = format!(
        r#"
        [[policy]]
        name = "p"
        {settings}
        [[namespace]]
        path = "/"
        [[namespace.route]]
        event = "*"
        action = "emit"
        to = "sender"
        "#
    );
    Setup::new(&config)
        .file("policies/p.wasm", policy(module))
        .start()
}

fn put(broker: &Broker, query: &str, module: &str) -> Response {
    let path = format!("/api/v1/policies/p?{query}");
    request(broker.admin(), "PUT", &path, &[], &policy(module)).expect("an answer")
}

fn ok(response: Response) -> Value {
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

fn code(response: &Response) -> (u16, String) {
    let problem = response.json();
    let code = problem["code"].as_str().unwrap_or_default().to_owned();
    (response.status, code)
}

fn clients(node: &Driver, broker: &Broker, count: usize) -> Vec<Client> {
    (0..count)
        .map(|n| node.connect(&format!("client-{n}"), &broker.url("/"), &websocket()))
        .collect()
}

/// What the version that decides for a client has added.
fn stamp(client: &Client) -> String {
    client.ok("x", json!(["text"]));
    let added = client.expect("x").pop().unwrap_or_default();
    added["generation"].as_str().unwrap_or_default().to_owned()
}

fn stamps(clients: &[Client]) -> Vec<String> {
    clients.iter().map(stamp).collect()
}

fn last_trial(broker: &Broker, outcome: &str) -> Value {
    eventually(&format!("the trial to be {outcome}"), || {
        let policy = broker.policy("p");
        let over = policy["last_trial"]["outcome"] == outcome && policy["candidate"].is_null();
        over.then(|| policy["last_trial"].clone())
    })
}

#[test]
fn a_shadow_is_compared_and_never_followed() {
    let node = Driver::node();
    let broker = start("fixture-stamp", "");
    let [a] = &clients(&node, &broker, 1)[..] else {
        panic!("one client");
    };
    let answer = ok(put(&broker, "mode=shadow", "fixture-stamp-b"));
    assert_eq!(answer["changed"], true, "{answer}");
    assert_eq!(answer["generation"], 2, "{answer}");
    assert_eq!(answer["persisted"], false, "{answer}");
    for _ in 0..25 {
        assert_eq!(stamp(a), "a");
    }
    let shown = broker.policy("p");
    assert_eq!(shown["generation"], 1, "{shown}");
    let candidate = &shown["candidate"];
    assert_eq!(candidate["mode"], "shadow", "{shown}");
    let compared = json!({"same": 0, "differs": 25, "failed": 0});
    assert_eq!(candidate["comparison"], compared);
    assert_eq!(candidate["candidate"]["calls"], 25);
    let samples = candidate["samples"].as_array().expect("samples");
    assert_eq!(samples.len(), 20);
    let sample = &samples[0];
    assert_eq!(
        (&sample["hook"], &sample["about"]),
        (&json!("event"), &json!("x"))
    );
    assert_eq!(sample["candidate"]["verdict"], "replace");
    // Arguments are somebody's: their length tells enough.
    assert!(sample["arguments"].is_null() && sample["candidate"]["content"].is_null());
    assert_eq!(sample["arguments_bytes"], r#"["text"]"#.len());
    let metrics = broker.metrics();
    let trial = |outcome| {
        let labels = [("policy", "p"), ("outcome", outcome)];
        metrics.sum("sluice_policy_trial_verdicts_total", &labels)
    };
    assert_eq!((trial("differs"), trial("same")), (25.0, 0.0));
    let event = [("policy", "p"), ("hook", "event")];
    assert_eq!(metrics.sum("sluice_policy_verdicts_total", &event), 25.0);
    let differs = broker
        .logs
        .find(|record| record.message() == "trial differs");
    assert!((1..25).contains(&differs.len()), "{}", differs.len());

    // The same again is no change.
    assert_eq!(
        ok(put(&broker, "mode=shadow", "fixture-stamp-b"))["changed"],
        false
    );
    assert_eq!(code(&put(&broker, "mode=shadow", "fixture-stamp")).0, 409);
    // One call drops it, and there is nothing else to go back to.
    assert_eq!(ok(broker.command("p", "rollback"))["generation"], 1);
    assert_eq!(last_trial(&broker, "discarded")["comparison"], compared);
    assert_eq!(broker.command("p", "rollback").status, 409);
    assert_eq!(broker.command("p", "promote").status, 409);
}

#[test]
fn what_two_versions_say_alike_is_the_same() {
    let node = Driver::node();
    let settings = "config = { generation = \"x\" }\ntrial = { show_arguments = true }";
    let broker = start("fixture-stamp", settings);
    let clients = clients(&node, &broker, 1);
    ok(put(&broker, "mode=shadow", "fixture-stamp-b"));
    assert_eq!(stamps(&clients), ["x"]);
    let candidate = broker.policy("p")["candidate"].clone();
    assert_eq!(candidate["comparison"]["same"], 1, "{candidate}");
    assert_eq!(candidate["samples"], json!([]));
    // Promoted, it serves under its own number and is what the file says.
    let answer = ok(broker.command("p", "promote"));
    assert_eq!(
        (&answer["generation"], &answer["persisted"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(stamps(&clients), ["x"]);
    let file = broker.dir().join("policies/p.wasm");
    assert_eq!(std::fs::read(file).unwrap(), policy("fixture-stamp-b"));
    assert_eq!(last_trial(&broker, "promoted")["generation"], 2);
    assert_eq!(ok(broker.command("p", "reload"))["changed"], false);

    ok(put(&broker, "mode=shadow", "fixture-closed"));
    assert_eq!(stamps(&clients), ["x"]);
    let sample = broker.policy("p")["candidate"]["samples"][0].clone();
    assert_eq!(sample["arguments"], r#"["text"]"#, "{sample}");
    assert_eq!(sample["candidate"]["code"], "closed", "{sample}");
    assert!(
        sample["enforcing"]["content"]
            .as_str()
            .is_some_and(|it| it.contains("generation"))
    );
}

#[test]
fn a_canary_decides_for_a_stable_part_of_the_sockets() {
    let node = Driver::node();
    let broker = start("fixture-stamp", "");
    let clients = clients(&node, &broker, 40);
    ok(put(&broker, "mode=canary&percent=50", "fixture-stamp-b"));
    let first = stamps(&clients);
    let chosen = |stamps: &[String]| stamps.iter().filter(|it| *it == "b").count();
    // Forty throws of a coin: less than seven or more than 33 of a side come once in 50,000 tests.
    assert!((7..=33).contains(&chosen(&first)), "{first:?}");
    for _ in 0..3 {
        assert_eq!(stamps(&clients), first);
    }
    // Who is in stays in when it grows.
    let grown = ok(broker.command("p", "candidate?percent=80"));
    assert_eq!(grown["changed"], true, "{grown}");
    let second = stamps(&clients);
    assert!(chosen(&second) > chosen(&first), "{second:?}");
    assert!(
        first
            .iter()
            .zip(&second)
            .all(|(was, is)| was == "a" || is == "b")
    );
    let shown = broker.policy("p")["candidate"].clone();
    assert_eq!(
        (&shown["mode"], &shown["percent"]),
        (&json!("canary"), &json!(80))
    );
    let calls = |side: &str| shown[side]["calls"].as_u64().unwrap_or_default();
    assert_eq!(calls("enforcing") + calls("candidate"), 5 * 40);
    assert_eq!(
        ok(broker.command("p", "candidate?percent=80"))["changed"],
        false
    );

    ok(broker.command("p", "promote"));
    assert_eq!(chosen(&stamps(&clients)), 40);
    assert_eq!(broker.policy("p")["generation"], 2);
    // And back to what served before.
    ok(broker.command("p", "rollback"));
    assert_eq!(chosen(&stamps(&clients)), 0);
}

#[test]
fn a_canary_that_fails_is_taken_back_at_once() {
    let node = Driver::node();
    let broker = start("fixture-stamp", "");
    let clients = clients(&node, &broker, 1);
    ok(put(&broker, "mode=canary&percent=100", "fixture-panic"));
    for _ in 0..5 {
        assert_eq!(
            clients[0].denied("panic", json!([]))["code"],
            "policy_failed"
        );
    }
    clients[0].ok("panic", json!([]));
    let trial = last_trial(&broker, "rolled_back");
    assert_eq!(trial["cause"], "failures", "{trial}");
    assert_eq!(trial["candidate"]["failures"], 5, "{trial}");
    assert_eq!(broker.policy("p")["generation"], 1);
    let metrics = broker.metrics();
    let cause = [("policy", "p"), ("cause", "failures")];
    assert_eq!(metrics.sum("sluice_policy_rollbacks_total", &cause), 1.0);
    broker.logs.wait("the end of the trial", |record| {
        record.level() == "WARN" && record.has("outcome", "rolled_back")
    });
    // A shadow's failures are nobody's, and end it all the same.
    ok(put(&broker, "mode=shadow", "fixture-panic"));
    for _ in 0..6 {
        clients[0].ok("panic", json!([]));
    }
    assert_eq!(last_trial(&broker, "rolled_back")["mode"], "shadow");
}

#[test]
fn a_canary_that_denies_more_is_taken_back() {
    let node = Driver::node();
    let broker = start("fixture-stamp", "trial = { min_calls = 10 }");
    let clients = clients(&node, &broker, 16);
    ok(put(&broker, "mode=canary&percent=50", "fixture-closed"));
    eventually("the canary to be over", || {
        // All of them, so that both versions have enough to be compared by.
        let asked = clients.iter().map(|client| client.ask("x", json!([])));
        let acks: Vec<_> = asked.map(|ack| ack[0]["ok"] == true).collect();
        acks.iter().all(|ok| *ok).then_some(())
    });
    let trial = last_trial(&broker, "rolled_back");
    assert_eq!(trial["cause"], "denials", "{trial}");
    assert_eq!(trial["enforcing"]["denials"], 0, "{trial}");
    assert_eq!(broker.policy("p")["generation"], 1);
}

/// What was put in place of another version at once may be looked at as well.
#[test]
fn a_guarded_version_is_taken_back() {
    let node = Driver::node();
    let broker = start(
        "fixture-stamp",
        "trial = { guard = \"1h\", max_failures = 3 }",
    );
    let clients = clients(&node, &broker, 1);
    assert_eq!(stamps(&clients), ["a"]);
    ok(put(&broker, "mode=enforce", "fixture-panic"));
    for _ in 0..3 {
        assert_eq!(
            clients[0].denied("panic", json!([]))["code"],
            "policy_failed"
        );
    }
    eventually("the version before", || {
        (broker.policy("p")["generation"] == 1).then_some(())
    });
    clients[0].ok("panic", json!([]));
    let metrics = broker.metrics();
    let cause = [("policy", "p"), ("cause", "failures")];
    assert_eq!(metrics.sum("sluice_policy_rollbacks_total", &cause), 1.0);
    let file = broker.dir().join("policies/p.wasm");
    assert_eq!(std::fs::read(file).unwrap(), policy("fixture-stamp"));
}

/// A version that comes by the file takes the place of both.
#[test]
fn a_new_file_ends_a_trial() {
    let node = Driver::node();
    let broker = start("fixture-stamp", "");
    let clients = clients(&node, &broker, 1);
    ok(put(&broker, "mode=canary&percent=100", "fixture-closed"));
    assert_eq!(clients[0].denied("x", json!([]))["code"], "closed");
    broker.replace_module("p", &policy("fixture-stamp-b"));
    assert_eq!(last_trial(&broker, "discarded")["cause"], "replaced");
    assert_eq!(stamps(&clients), ["b"]);
}

/// Each socket goes over to the new version once, in the middle of its events, and none is lost.
#[test]
fn a_canary_grows_under_fire() {
    let fire = Fire::start();
    let module = policy("fixture-stamp-b");
    ok(fire
        .broker
        .upload("validate?mode=canary&percent=50", &module));
    fire.wait_generation(1);
    ok(fire.broker.command("validate", "candidate?percent=100"));
    fire.wait_generation(1);
    ok(fire.broker.command("validate", "promote"));
    fire.wait_generation(2);
    assert_eq!(fire.judge(), 2, "one change of the stamp for each sender");
}

#[test]
fn the_command_line_does_it_all() {
    let broker = start("fixture-stamp", "");
    let module = broker.dir().join("new.wasm");
    std::fs::write(&module, policy("fixture-stamp-b")).unwrap();
    let module = module.to_str().unwrap();
    let tool = Setup::new("");
    let admin = broker.admin().to_string();
    let run = |arguments: &[&str]| {
        let arguments = [&["policies", "--admin", &admin], arguments].concat();
        tool.run(&arguments)
    };
    let said = |arguments: &[&str]| {
        let exited = run(arguments);
        assert_eq!(exited.code, Some(0), "{arguments:?}: {exited:?}");
        exited.stdout
    };
    assert!(said(&[]).contains("enforce"));
    assert!(said(&["upload", "p", module, "--canary", "5"]).contains("changed: generation 2"));
    assert!(said(&["list"]).contains("canary 5 %"));
    said(&["canary", "p", "50"]);
    assert!(said(&["show", "p"]).contains("canary 50 %"));
    assert!(said(&["promote", "p"]).contains("generation 2"));
    assert!(said(&["rollback", "p"]).contains("generation 1"));
    assert!(said(&["reload"]).contains("unchanged"));
    let shown: Value = serde_json::from_str(&said(&["--json", "show", "p"])).unwrap();
    assert_eq!(shown["history"][1]["ended"], "rolled_back", "{shown}");
    let refused = run(&["rollback", "p"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("no earlier generation"),
        "{refused:?}"
    );
    let nobody = tool.run(&["policies", "--admin", "127.0.0.1:1"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(nobody.stderr.contains("127.0.0.1:1"), "{nobody:?}");
}
