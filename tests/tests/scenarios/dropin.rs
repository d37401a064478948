//! A module copied into `plugins.dir` takes part without a restart; deleted, it is gone.

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, Setup, eventually, policy};

use crate::shared::{RELAY, clients, websocket};

/// The arguments that an event arrives with.
fn through(client: &Client) -> Vec<Value> {
    client.ok("all:x", json!(["text"]));
    client.expect("all:x")
}

fn names(broker: &Broker) -> Vec<String> {
    broker
        .policies()
        .iter()
        .filter_map(|policy| policy["name"].as_str().map(str::to_owned))
        .collect()
}

fn wait_for(broker: &Broker, wanted: &[&str]) {
    eventually(&format!("the policies {wanted:?}"), || {
        (names(broker) == wanted).then_some(())
    });
}

#[test]
fn under_load_it_takes_part_and_goes_again() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let sender = node.connect_quiet("sender", &broker.url("/"), &websocket());
    // Without end, so that whatever takes its time falls into it.
    let options = json!({"template": {"by": "sender"}});
    let flood = sender.flood("all:n", 1_000_000, 300, &options);
    sender.wait_received(100);
    let mut received: Vec<Vec<Value>> = Vec::new();
    let mut arrives_with = |length: usize| {
        eventually("an event of this length", || {
            received.extend(sender.collect());
            (received.last().map(Vec::len) == Some(length)).then_some(())
        });
    };
    arrives_with(2);
    broker.replace_module("stamp", &policy("fixture-stamp"));
    wait_for(&broker, &["stamp"]);
    arrives_with(3);
    broker.remove_module("stamp");
    wait_for(&broker, &[]);
    arrives_with(2);
    sender.calm();

    let answers = flood.wait().answers;
    let count = answers.len();
    assert!(
        answers
            .iter()
            .all(|(_, ack, _)| *ack == json!({"ok": true})),
        "no event suffers"
    );
    sender.wait_received(count - received.len());
    received.extend(sender.collect());
    assert!(
        received
            .iter()
            .map(|event| event[1]["seq"].as_u64())
            .eq((0..count as u64).map(Some)),
        "none lost, in order"
    );
    // Without, with, without: the stamp is one argument more.
    let mut phases: Vec<_> = received.iter().map(Vec::len).collect();
    phases.dedup();
    assert_eq!(phases, [2, 3, 2]);
}

#[test]
fn several_take_part_in_the_order_of_their_names() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let [a] = clients(&node, &broker, ["a"]);
    assert_eq!(through(&a), [json!("text")]);
    broker.replace_module("b-second", &policy("fixture-stamp-b"));
    wait_for(&broker, &["b-second"]);
    let second = through(&a)[1].clone();
    broker.replace_module("a-first", &policy("fixture-stamp"));
    wait_for(&broker, &["a-first", "b-second"]);
    let both = through(&a);
    assert_eq!(both.len(), 3, "{both:?}");
    assert_eq!(both[2], second, "{both:?}");
    broker.remove_module("b-second");
    wait_for(&broker, &["a-first"]);
    assert_eq!(through(&a), both[..2]);
}

/// There from the start is as good as dropped in later.
#[test]
fn what_lies_there_at_the_start_takes_part() {
    let node = Driver::node();
    let broker = Setup::new(RELAY)
        .file("policies/stamp.wasm", policy("fixture-stamp"))
        .start();
    let [a] = clients(&node, &broker, ["a"]);
    assert_eq!(names(&broker), ["stamp"]);
    assert_eq!(through(&a).len(), 2);
}

/// `NAME.toml` beside it holds its settings, and the namespaces that it takes part in.
#[test]
fn a_file_beside_it_configures_it() {
    let node = Driver::node();
    let route = "[[namespace.route]]\nevent = \"*\"\naction = \"emit\"\nto = \"all\"\n";
    let broker = Setup::new(&format!("{RELAY}[[namespace]]\npath = \"/other\"\n{route}"))
        .file(
            "policies/stamp.toml",
            "namespaces = [\"/other\"]\ntimeout = \"50ms\"\n",
        )
        .start();
    broker.replace_module("stamp", &policy("fixture-stamp"));
    wait_for(&broker, &["stamp"]);
    let [a] = clients(&node, &broker, ["a"]);
    let other = node.connect("other", &broker.url("/other"), &websocket());
    assert_eq!(through(&a).len(), 1, "not asked in /");
    assert_eq!(through(&other).len(), 2, "asked in /other");

    // The settings may change without the module, and go.
    let settings = broker.dir().join("policies/stamp.toml");
    std::fs::write(&settings, "config = { generation = \"mine\" }\n").unwrap();
    eventually("the new settings", || {
        (through(&a).get(1) == Some(&json!({"generation": "mine"}))).then_some(())
    });
    std::fs::remove_file(settings).unwrap();
    eventually("no settings", || {
        (through(&a).get(1) == Some(&json!({"generation": "a"}))).then_some(())
    });
}

/// One that does not load changes nothing and is reported; repaired, it takes part.
#[test]
fn a_broken_one_changes_nothing() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let [a] = clients(&node, &broker, ["a"]);
    broker.replace_module("broken", b"no module");
    let told = eventually("readiness to tell", || {
        let response = broker.get("/readyz");
        (response.status == 503).then(|| response.text())
    });
    assert!(told.contains("broken"), "{told}");
    broker.logs.wait("a record that names the file", |record| {
        ["WARN", "ERROR"].contains(&record.level()) && record.line.contains("broken")
    });
    assert_eq!(through(&a).len(), 1);
    broker.replace_module("broken", &policy("fixture-stamp"));
    eventually("readiness to come back", || {
        (broker.get("/readyz").status == 200).then_some(())
    });
    assert_eq!(through(&a).len(), 2);

    // And one whose settings are wrong.
    std::fs::write(
        broker.dir().join("policies/odd.toml"),
        "timeout = \"a while\"\n",
    )
    .unwrap();
    broker.replace_module("odd", &policy("fixture-stamp-b"));
    broker.logs.wait("a record of the settings", |record| {
        ["WARN", "ERROR"].contains(&record.level()) && record.line.contains("timeout")
    });
    assert_eq!(through(&a).len(), 2);
    broker.remove_module("odd");
    std::fs::remove_file(broker.dir().join("policies/odd.toml")).unwrap();
    eventually("readiness to come back", || {
        (broker.get("/readyz").status == 200).then_some(())
    });
}

/// A file that is no module, and one whose name is none, are none of the broker's business.
#[test]
fn other_files_are_let_alone() {
    let broker = Setup::new(RELAY)
        .file("policies/README.md", "# What this is\n")
        .file("policies/stamp.wasm.part", "x")
        .start();
    assert!(names(&broker).is_empty());
    assert_eq!(broker.get("/readyz").status, 200);
}
