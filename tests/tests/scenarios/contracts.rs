//! A policy is built against a version of the contract: an earlier one goes on loading, a later one is told so.

use serde_json::json;
use sluice_tests::{Broker, Driver, Setup, eventually};

use crate::shared::{RELAY, websocket};

/// Built with the SDK of its time; see `tests/compat`.
const V0_1: &[u8] = include_bytes!("../../compat/v0.1/policy.wasm");

fn policy() -> String {
    format!("[[policy]]\nname = \"old\"\nconfig = {{ word = \"replaced\" }}\n{RELAY}")
}

fn broker() -> Broker {
    Setup::new(&policy())
        .file("policies/old.wasm", V0_1)
        .start()
}

#[test]
fn a_policy_of_contract_0_1_does_all_it_could() {
    let broker = broker();
    let policies = broker.get("/api/v1/policies").json();
    assert_eq!(policies[0]["contract"], "0.1");
    let node = Driver::node();
    let refused = json!({"transports": ["websocket"], "auth": {"please": "refuse"}});
    let refusal = node
        .try_connect("refused", &broker.url("/"), &refused)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refusal.code(), "refused");
    let ann = node.connect("ann", &broker.url("/"), &websocket());
    let bob = node.connect("bob", &broker.url("/"), &websocket());
    broker.emit("/", &["veterans"], "hello", &json!([]));
    ann.expect("hello");
    bob.expect("hello");
    ann.ok("replace", json!(["x"]));
    assert_eq!(bob.expect("replace"), [json!("replaced")]);
    ann.ok("facts", json!([]));
    let facts = ["facts", "/", "old-timer", "0.1", "true"].map(|fact| json!(fact));
    assert_eq!(bob.expect("facts"), facts);
    ann.ok("drop", json!([]));
    assert_eq!(ann.denied("deny", json!([]))["code"], "denied");
    for _ in 0..2 {
        ann.ok("take", json!([]));
        bob.expect("take");
    }
    assert_eq!(ann.denied("take", json!([]))["code"], "too_many");
    ann.disconnect();
    broker.logs.wait("the farewell", |record| {
        record.line.contains("gone: Client")
    });
    eventually("nobody is left but bob", || {
        (broker.get("/api/v1/node").json()["connections"] == 1).then_some(())
    });
}

#[test]
fn a_policy_of_a_later_contract_is_told_what_to_do() {
    let mut later = V0_1.to_vec();
    let (from, to) = (b"sluice:policy/types@0.1.0", b"sluice:policy/types@0.9.0");
    let places: Vec<_> = (0..later.len() - from.len())
        .filter(|&at| later[at..].starts_with(from))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        later[at..at + to.len()].copy_from_slice(to);
    }
    let exited = Setup::new(&policy())
        .file("policies/old.wasm", later)
        .run(&["check", "--config", "sluice.toml"]);
    assert_eq!(exited.code, Some(78), "{exited:?}");
    for part in ["old.wasm", "0.9.0", "0.1 and 0.2", "run a broker"] {
        assert!(exited.stderr.contains(part), "{part}: {}", exited.stderr);
    }
}
