//! A policy on all nodes or on none, through any of them.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sluice_tests::{Broker, Cluster, Driver, Setup, eventually, http, policy, prepared};

use crate::shared::clients;

const RELAY: &str =
    "[[namespace]]\npath = \"/\"\n[[namespace.route]]\nevent = \"*\"\nto = \"sender\"\n";

pub(crate) fn push(broker: &Broker, name: &str, module: &[u8]) -> http::Response {
    push_signed(broker, name, module, &[])
}

fn push_signed(
    broker: &Broker,
    name: &str,
    module: &[u8],
    headers: &[(&str, &str)],
) -> http::Response {
    push_to(broker.admin(), name, module, headers)
}

fn push_to(
    admin: SocketAddr,
    name: &str,
    module: &[u8],
    headers: &[(&str, &str)],
) -> http::Response {
    let path = format!("/api/v1/cluster/policies/{name}");
    http::request(admin, "POST", &path, headers, module).expect("an answer")
}

fn digest(broker: &Broker, name: &str) -> Value {
    let policies = broker.policies();
    let found = policies.iter().find(|it| it["name"] == name);
    found.map_or(Value::Null, |it| it["digest"].clone())
}

#[test]
fn a_push_to_one_node_serves_on_all_and_on_those_that_come_later() {
    let mut cluster = Cluster::start(3, RELAY);
    let pushed = push(&cluster[1], "stamp", &policy("fixture-stamp"));
    assert_eq!(pushed.status, 200, "{pushed:?}");
    let report = pushed.json();
    assert_eq!(
        report["nodes"].as_array().map(Vec::len),
        Some(3),
        "{report}"
    );
    for number in 0..3 {
        assert_eq!(digest(&cluster[number], "stamp"), report["digest"]);
    }
    // The same again changes nothing.
    let again = push(&cluster[0], "stamp", &policy("fixture-stamp"));
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(cluster[2].policy("stamp")["generation"], 1);
    let listed = cluster[2].get("/api/v1/cluster/policies").json();
    assert_eq!(listed[0]["policy"], "stamp", "{listed}");
    assert_eq!(listed[0]["current"]["digest"], report["digest"]);

    // One is away while there is a new version, and has lost its files.
    cluster[2].kill();
    eventually("its end to be noticed", || {
        let nodes = cluster[0].metrics().sum("sluice_cluster_nodes", &[]);
        (nodes == 2.0).then_some(())
    });
    let next = push(&cluster[0], "stamp", &policy("fixture-stamp-b"));
    assert_eq!(next.status, 200, "{next:?}");
    cluster[2].remove_module("stamp");
    cluster[2].start_again();
    eventually("what it has missed", || {
        (digest(&cluster[2], "stamp") == next.json()["digest"]).then_some(())
    });
    let node = Driver::node();
    let [client] = clients(&node, &cluster[2], ["c"]);
    client.emit("hello", json!([]));
}

/// What serves goes on; who comes later, and has lost its files, is not given it.
#[test]
fn what_the_cluster_asks_for_can_be_taken_back() {
    let mut cluster = Cluster::start(2, RELAY);
    let withdraw = |broker: &Broker| broker.delete("/api/v1/cluster/policies/stamp");
    let nothing = withdraw(&cluster[0]);
    assert_eq!(nothing.status, 404, "{nothing:?}");
    assert_eq!(nothing.json()["code"], "unknown_policy");
    let pushed = push(&cluster[0], "stamp", &policy("fixture-stamp"));
    assert_eq!(pushed.status, 200, "{pushed:?}");
    let withdrawn = withdraw(&cluster[1]);
    assert_eq!(withdrawn.status, 200, "{withdrawn:?}");
    assert_eq!(withdrawn.json()["policy"], "stamp");
    let listed = cluster[0].get("/api/v1/cluster/policies").json();
    assert_eq!(listed[0]["current"], Value::Null, "{listed}");
    assert_eq!(digest(&cluster[0], "stamp"), pushed.json()["digest"]);
    cluster[1].kill();
    cluster[1].remove_module("stamp");
    cluster[1].start_again();
    eventually("a node that has looked", || {
        (cluster[1].get("/readyz").status == 200).then_some(())
    });
    assert_eq!(digest(&cluster[1], "stamp"), Value::Null);
    // It may be rolled out again.
    let again = push(&cluster[1], "stamp", &policy("fixture-stamp"));
    assert_eq!(again.status, 200, "{again:?}");
}

#[test]
fn one_node_that_refuses_has_all_go_back() {
    // The last has no place to put a policy.
    let cluster = Cluster::start_with(3, |number| match number {
        2 => Setup::new(RELAY).without_env("SLUICE_PLUGINS__DIR"),
        _ => Setup::new(RELAY),
    });
    let refused = push(&cluster[0], "stamp", &policy("fixture-stamp"));
    assert_eq!(refused.status, 422, "{refused:?}");
    let problem = refused.json();
    assert_eq!(problem["code"], "rolled_back");
    let nodes = problem["nodes"].as_array().expect("the nodes");
    let of = |number| {
        let name = cluster.name(number);
        let found = nodes.iter().find(|it| it["node"] == name);
        found.expect("every node")["reason"]
            .as_str()
            .expect("a reason")
    };
    assert!(of(2).contains("plugins.dir"), "{problem}");
    assert!(
        of(0).contains("went back") && of(1).contains("went back"),
        "{problem}"
    );
    for number in 0..3 {
        assert_eq!(digest(&cluster[number], "stamp"), Value::Null, "{number}");
    }
    let listed = cluster[1].get("/api/v1/cluster/policies").json();
    assert_eq!(listed[0]["current"], Value::Null, "{listed}");
    assert_eq!(listed[0]["pending"], Value::Null, "{listed}");
    // What is no policy at all is refused everywhere.
    let refused = push(&cluster[0], "stamp", b"no module");
    assert_eq!(refused.status, 422, "{refused:?}");
}

#[test]
fn the_command_names_every_node_and_a_module_that_does_not_load_leaves_what_serves() {
    let cluster = Cluster::start(2, RELAY);
    let module = prepared("SLUICE_TEST_POLICIES").join("fixture-stamp.wasm");
    let module = module.to_str().expect("a path");
    let admin = cluster[1].admin().to_string();
    let command = [
        "policy", "push", module, "--name", "stamp", "--admin", &admin,
    ];
    let pushed = cluster[0].run(&command);
    assert_eq!(pushed.code, Some(0), "{pushed:?}");
    for number in 0..2 {
        assert!(pushed.stdout.contains(cluster.name(number)), "{pushed:?}");
    }
    let before = digest(&cluster[0], "stamp");
    let bad = push(&cluster[0], "stamp", &policy("fixture-refuse"));
    assert_eq!(bad.status, 422, "{bad:?}");
    for number in 0..2 {
        assert_eq!(digest(&cluster[number], "stamp"), before);
    }
}

#[test]
fn a_node_that_is_alone_has_nobody_to_push_to() {
    let broker = Setup::new("").start();
    let refused = push(&broker, "stamp", &policy("fixture-stamp"));
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (404, &json!("no_cluster"))
    );
}

#[test]
fn of_two_pushes_at_the_same_moment_all_nodes_serve_one() {
    let cluster = Cluster::start(3, RELAY);
    let modules = ["fixture-stamp", "fixture-stamp-b"].map(policy);
    let answers = std::thread::scope(|scope| {
        let pushing = [0, 1].map(|n: usize| {
            let (admin, module) = (cluster[n].admin(), &modules[n]);
            scope.spawn(move || push_to(admin, "stamp", module, &[]))
        });
        pushing.map(|it| it.join().expect("an answer"))
    });
    // One after the other, or one of them is told that another is under way.
    let served: Vec<_> = answers.iter().filter(|it| it.status == 200).collect();
    assert!(!served.is_empty(), "{answers:?}");
    for refused in answers.iter().filter(|it| it.status != 200) {
        assert_eq!(refused.status, 409, "{refused:?}");
    }
    let digests: Vec<_> = served
        .iter()
        .map(|it| it.json()["digest"].clone())
        .collect();
    let serving = [0, 1, 2].map(|number| digest(&cluster[number], "stamp"));
    assert!(digests.contains(&serving[0]), "{serving:?}");
    assert!(serving.iter().all(|it| *it == serving[0]), "{serving:?}");
    let listed = cluster[2].get("/api/v1/cluster/policies").json();
    assert_eq!(listed[0]["current"]["digest"], serving[0], "{listed}");
    assert_eq!(listed[0]["pending"], Value::Null, "{listed}");
}

#[test]
fn with_trusted_keys_nobody_serves_what_nobody_trusted_has_signed() {
    let module = policy("fixture-stamp");
    let signer = Setup::new("").file("policies/gate.wasm", &module);
    let made = signer.run(&["policy", "keygen", "--out", "ours"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let key = std::fs::read_to_string(signer.dir().join("ours.pub")).unwrap();
    let key = key.lines().last().expect("the public key");
    let signed = signer.run(&["policy", "sign", "policies/gate.wasm", "--key", "ours.key"]);
    assert_eq!(signed.code, Some(0), "{signed:?}");
    let signature = std::fs::read(signer.dir().join("policies/gate.wasm.minisig")).unwrap();
    let signature = STANDARD.encode(signature);

    let config = format!("[plugins]\ntrusted_keys = [\"{key}\"]\n{RELAY}");
    let mut cluster = Cluster::start(2, &config);
    let refused = push(&cluster[0], "stamp", &module);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.text().contains("signed"), "{refused:?}");
    let headers = [("sluice-signature", &*signature)];
    let other = push_signed(&cluster[0], "stamp", &policy("fixture-stamp-b"), &headers);
    assert_eq!(other.status, 422, "{other:?}");
    for number in 0..2 {
        assert_eq!(digest(&cluster[number], "stamp"), Value::Null, "{number}");
    }
    let pushed = push_signed(&cluster[1], "stamp", &module, &headers);
    assert_eq!(pushed.status, 200, "{pushed:?}");
    for number in 0..2 {
        assert_eq!(digest(&cluster[number], "stamp"), pushed.json()["digest"]);
    }
    // One that comes later checks it as the others have.
    cluster[1].kill();
    cluster[1].remove_module("stamp");
    cluster[1].start_again();
    eventually("what it has missed", || {
        (digest(&cluster[1], "stamp") == pushed.json()["digest"]).then_some(())
    });
}

#[test]
fn a_node_that_comes_later_and_cannot_load_it_is_not_ready() {
    let cluster = Cluster::start(2, RELAY);
    let pushed = push(&cluster[0], "stamp", &policy("fixture-stamp"));
    assert_eq!(pushed.status, 200, "{pushed:?}");
    let late = Setup::new(RELAY)
        .without_env("SLUICE_PLUGINS__DIR")
        .env("SLUICE_CLUSTER__NATS_URL", &cluster.nats.url())
        .start();
    let reason = eventually("its reason", || {
        let readiness = late.get("/readyz").json();
        let reasons = readiness["reasons"].as_array()?;
        reasons
            .iter()
            .find(|it| it["code"] == "rollout_failed")
            .cloned()
    });
    assert_eq!(reason["policy"], "stamp", "{reason}");
    let message = reason["message"].as_str().unwrap();
    assert!(message.contains("plugins.dir"), "{reason}");
}
