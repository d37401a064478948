//! Generations of a policy: uploaded, kept, taken back; over HTTP, beside the files and in accord with them.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use sluice_tests::http::{Response, request};
use sluice_tests::{Broker, Client, Driver, Setup, eventually, policy};

use crate::reload::Fire;
use crate::shared::{RELAY, clients};

/// One configured policy that stamps every event, with settings of its own if there are any.
fn config(settings: &str) -> String {
    format!("[[policy]]\nname = \"stamp\"\n{settings}\n{RELAY}")
}

fn start() -> Broker {
    Setup::new(&config(""))
        .file("policies/stamp.wasm", policy("fixture-stamp"))
        .start()
}

/// What the policies have added to the arguments, in their order.
fn stamps(client: &Client) -> Vec<Value> {
    client.ok("all:x", json!(["text"]));
    let added = client.expect("all:x").split_off(1);
    let stamp = |mut added: Value| added["generation"].take();
    added.into_iter().map(stamp).collect()
}

fn ok(response: Response) -> Value {
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

/// The status, the code and the words of a problem.
fn problem(response: &Response) -> (u16, String, String) {
    let problem = response.json();
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    (response.status, text("code"), text("detail"))
}

/// Number and end of each generation that is kept, the latest to serve first.
fn history(broker: &Broker) -> Vec<(u64, String)> {
    let policy = broker.policy("stamp");
    let history = policy["history"].as_array().expect("a history").clone();
    let read = |it: &Value| {
        let ended = it["ended"].as_str().unwrap_or("serves");
        (it["generation"].as_u64().expect("a number"), ended.into())
    };
    history.iter().map(read).collect()
}

fn on_disk(broker: &Broker) -> Vec<u8> {
    fs::read(broker.dir().join("policies/stamp.wasm")).unwrap()
}

#[test]
fn an_upload_serves_at_once_and_is_what_the_file_says() {
    let node = Driver::node();
    let broker = start();
    let [a] = clients(&node, &broker, ["a"]);
    assert_eq!(stamps(&a), ["a"]);
    let module = policy("fixture-stamp-b");
    let answer = ok(broker.upload("stamp", &module));
    assert_eq!(answer["changed"], true, "{answer}");
    assert_eq!(answer["generation"], 2, "{answer}");
    assert_eq!(answer["persisted"], true, "{answer}");
    assert_eq!(stamps(&a), ["b"]);
    assert_eq!(on_disk(&broker), module);
    let shown = broker.policy("stamp");
    assert_eq!(shown["digest"], answer["digest"]);
    let one = ok(broker.get("/api/v1/policies/stamp"));
    assert_eq!(one["history"], shown["history"]);
    assert_eq!(shown["calls"]["event"]["verdicts"]["replace"], 2, "{shown}");
    assert!(shown["calls"]["event"]["p99_seconds"].as_f64() > Some(0.0));
    assert_eq!(shown["instances"], 1, "{shown}");
    assert!(shown["memory_bytes"].as_u64() > Some(64 << 10), "{shown}");

    // The same again is no change, and neither is what the files say now.
    let again = ok(broker.upload("stamp", &module));
    assert_eq!(again["changed"], false, "{again}");
    assert_eq!(again["generation"], 2, "{again}");
    let reloaded = ok(broker.command("stamp", "reload"));
    assert_eq!(reloaded["changed"], false, "{reloaded}");
    assert_eq!(
        history(&broker),
        [(2, "serves".into()), (1, "replaced".into())]
    );
    let record = broker.logs.wait("who uploaded", |record| {
        record.has("action", "upload") && record.has("result", "changed")
    });
    assert!(
        record.has("policy", "stamp") && record.has("address", "127.0.0.1"),
        "{record:?}"
    );
    let metrics = broker.metrics();
    let changes = |result| {
        metrics.sum(
            "sluice_policy_changes_total",
            &[("action", "upload"), ("result", result)],
        )
    };
    assert_eq!((changes("changed"), changes("unchanged")), (1.0, 1.0));
}

#[test]
fn an_upload_under_a_new_name_is_dropped_in() {
    let node = Driver::node();
    let broker = start();
    let [a] = clients(&node, &broker, ["a"]);
    let answer = ok(broker.upload("another", &policy("fixture-stamp-b")));
    assert_eq!(answer["generation"], 1, "{answer}");
    assert_eq!(stamps(&a), ["a", "b"]);
    assert_eq!(broker.policy("another")["source"], "dropped-in");
    broker.remove_module("another");
    eventually("it to be unloaded with its file", || {
        (broker.policies().len() == 1).then_some(())
    });
    assert_eq!(stamps(&a), ["a"]);

    let (status, code, detail) = problem(&broker.upload("No_Name", &policy("fixture-stamp")));
    assert_eq!((status, &*code), (422, "policy_refused"), "{detail}");
    let homeless = Setup::new(RELAY).without_env("SLUICE_PLUGINS__DIR").start();
    let (status, code, detail) = problem(&homeless.upload("stamp", &policy("fixture-stamp")));
    assert_eq!((status, &*code), (404, "unknown_policy"));
    assert!(detail.contains("plugins.dir"), "{detail}");
}

#[test]
fn a_module_that_is_no_good_changes_nothing() {
    let node = Driver::node();
    let broker = start();
    let [a] = clients(&node, &broker, ["a"]);
    let good = policy("fixture-stamp-b");
    for (bytes, reason) in [
        (&good[..good.len() / 2], "cut off"),
        (&b""[..], "empty"),
        (&b"#!/bin/sh"[..], "not WebAssembly"),
        (&policy("fixture-refuse")[..], "refuses every configuration"),
        (&policy("fixture-greedy")[..], "emit"),
    ] {
        let (status, code, detail) = problem(&broker.upload("stamp", bytes));
        assert_eq!((status, &*code), (422, "policy_refused"), "{detail}");
        assert!(detail.contains(reason), "{detail}");
    }
    assert_eq!(stamps(&a), ["a"]);
    assert_eq!(on_disk(&broker), policy("fixture-stamp"));
    assert_eq!(broker.get("/readyz").status, 200);
    assert_eq!(history(&broker), [(1, "serves".into())]);
    let metrics = broker.metrics();
    let refused = [("action", "upload"), ("result", "refused")];
    assert_eq!(metrics.sum("sluice_policy_changes_total", &refused), 5.0);
}

/// A file that is not the broker's to write stays what it is, and no look at it takes the upload back.
#[test]
fn what_cannot_be_written_serves_until_the_file_changes() {
    let node = Driver::node();
    let setup = Setup::new(&config("")).file("stamp-1.wasm", policy("fixture-stamp"));
    symlink("../stamp-1.wasm", setup.dir().join("policies/stamp.wasm")).unwrap();
    let broker = setup.start();
    let [a] = clients(&node, &broker, ["a"]);
    let answer = ok(broker.upload("stamp", &policy("fixture-stamp-b")));
    assert_eq!(
        (&answer["changed"], &answer["persisted"]),
        (&json!(true), &json!(false))
    );
    let why = answer["not_persisted"].as_str().expect("a reason");
    assert!(why.contains("link"), "{why}");
    // The files are followed, and say what they said before.
    let all = http_post(&broker, "/api/v1/policies/reload");
    assert_eq!(ok(all)["changed"], false);
    assert_eq!(stamps(&a), ["b"]);
    assert_eq!(broker.get("/readyz").status, 200);
    // To say so about one policy is to want it.
    assert_eq!(ok(broker.command("stamp", "reload"))["changed"], true);
    assert_eq!(stamps(&a), ["a"]);
    // And what a new deployment brings is followed anyway.
    ok(broker.upload("stamp", &policy("fixture-stamp-b")));
    let refused = policy("fixture-refuse");
    fs::write(broker.dir().join("stamp-2.wasm"), refused).unwrap();
    symlink("../stamp-2.wasm", broker.dir().join("policies/.new")).unwrap();
    fs::rename(
        broker.dir().join("policies/.new"),
        broker.dir().join("policies/stamp.wasm"),
    )
    .unwrap();
    eventually("the new file's failure", || {
        (broker.get("/readyz").status == 503).then_some(())
    });
    assert_eq!(stamps(&a), ["b"], "what was uploaded goes on");
}

fn http_post(broker: &Broker, path: &str) -> Response {
    request(broker.admin(), "POST", path, &[], &[]).expect("an answer")
}

#[test]
fn a_roll_back_serves_what_served_before() {
    let node = Driver::node();
    let broker = start();
    let [a] = clients(&node, &broker, ["a"]);
    let (status, code, _) = problem(&broker.command("stamp", "rollback"));
    assert_eq!((status, &*code), (409, "nothing_to_change"));
    broker.replace_module("stamp", &policy("fixture-stamp-b"));
    eventually("the second generation", || {
        (stamps(&a) == ["b"]).then_some(())
    });
    let answer = ok(broker.command("stamp", "rollback"));
    assert_eq!(answer["generation"], 1, "{answer}");
    assert_eq!(answer["persisted"], true, "{answer}");
    assert_eq!(stamps(&a), ["a"]);
    assert_eq!(on_disk(&broker), policy("fixture-stamp"));
    assert_eq!(
        history(&broker),
        [(1, "serves".into()), (2, "rolled_back".into())]
    );
    // There is nothing before the first, and going back to it again changes nothing.
    assert_eq!(broker.command("stamp", "rollback").status, 409);
    let again = ok(broker.command("stamp", "rollback?generation=1"));
    assert_eq!(again["changed"], false, "{again}");
    let (status, code, _) = problem(&broker.command("stamp", "rollback?generation=9"));
    assert_eq!((status, &*code), (404, "unknown_generation"));
    assert_eq!(problem(&broker.command("nobody", "rollback")).0, 404);
    // Named, the other one serves again.
    assert_eq!(
        ok(broker.command("stamp", "rollback?generation=2"))["generation"],
        2
    );
    assert_eq!(stamps(&a), ["b"]);
    let metrics = broker.metrics();
    assert_eq!(
        metrics.sum("sluice_policy_rollbacks_total", &[("cause", "operator")]),
        2.0
    );
    assert_eq!(
        metrics.sum("sluice_policy_generation", &[("policy", "stamp")]),
        2.0
    );
    broker.logs.wait("a record of it", |record| {
        record.message() == "policy rolled back" && record.has("from", "2") && record.has("to", "1")
    });
}

/// Settings are the configuration's: an earlier generation with others holds until they change.
#[test]
fn a_roll_back_of_settings_holds_until_they_change() {
    let node = Driver::node();
    let broker = start();
    let [a] = clients(&node, &broker, ["a"]);
    let reconfigure = |generation: &str| {
        broker.reconfigure(&config(&format!(
            "config = {{ generation = \"{generation}\" }}"
        )));
    };
    reconfigure("x");
    eventually("the new settings", || (stamps(&a) == ["x"]).then_some(()));
    let answer = ok(broker.command("stamp", "rollback"));
    assert_eq!(answer["persisted"], false, "{answer}");
    assert_eq!(stamps(&a), ["a"]);
    // It holds against the files, which go on saying the same.
    assert_eq!(
        ok(http_post(&broker, "/api/v1/policies/reload"))["changed"],
        false
    );
    assert_eq!(stamps(&a), ["a"]);
    reconfigure("y");
    eventually("newer settings", || (stamps(&a) == ["y"]).then_some(()));
    assert_eq!(history(&broker)[0], (3, "serves".into()));

    // It holds against a module that does not load as well.
    ok(broker.command("stamp", "rollback"));
    assert_eq!(stamps(&a), ["a"]);
    broker.replace_module("stamp", b"no module");
    eventually("readiness to tell", || {
        (broker.get("/readyz").status == 503).then_some(())
    });
    assert_eq!(stamps(&a), ["a"]);
    assert_eq!(
        problem(&broker.command("stamp", "reload")).1,
        "reload_failed"
    );
    broker.replace_module("stamp", &policy("fixture-stamp-b"));
    eventually("what the files say", || (stamps(&a) == ["y"]).then_some(()));
    eventually("readiness", || {
        (broker.get("/readyz").status == 200).then_some(())
    });
}

#[test]
fn the_last_five_are_kept() {
    let node = Driver::node();
    let broker = start();
    let [a] = clients(&node, &broker, ["a"]);
    for (number, name) in (2..=7).zip(["fixture-stamp-b", "fixture-stamp"].iter().cycle()) {
        assert_eq!(
            ok(broker.upload("stamp", &policy(name)))["generation"],
            number
        );
    }
    let numbers: Vec<_> = history(&broker).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [7, 6, 5, 4, 3]);
    assert_eq!(broker.command("stamp", "rollback?generation=2").status, 404);
    assert_eq!(
        ok(broker.command("stamp", "rollback?generation=4"))["generation"],
        4
    );
    assert_eq!(stamps(&a), ["b"]);
    for number in [6, 5, 3] {
        // What was not taken back itself, in the order in which it served.
        assert_eq!(
            ok(broker.command("stamp", "rollback"))["generation"],
            number
        );
    }
    assert_eq!(broker.command("stamp", "rollback").status, 409);
    // A new one has a new number.
    assert_eq!(
        ok(broker.upload("stamp", &policy("fixture-stamp-b")))["generation"],
        8
    );
}

#[test]
fn without_watching_the_files_are_followed_when_asked() {
    let node = Driver::node();
    let broker = Setup::new(&format!("[plugins]\nwatch = false\n{}", config("")))
        .file("policies/stamp.wasm", policy("fixture-stamp"))
        .start();
    let [a] = clients(&node, &broker, ["a"]);
    broker.replace_module("stamp", b"no module");
    let (status, code, detail) = problem(&broker.command("stamp", "reload"));
    assert_eq!((status, &*code), (422, "reload_failed"));
    assert!(detail.contains("stamp.wasm"), "{detail}");
    assert_eq!(broker.get("/readyz").status, 503);
    assert_eq!(stamps(&a), ["a"]);
    // An upload mends it, without a look at the files.
    ok(broker.upload("stamp", &policy("fixture-stamp-b")));
    assert_eq!(broker.get("/readyz").status, 200);
    assert_eq!(stamps(&a), ["b"]);
    broker.replace_module("stamp", &policy("fixture-stamp"));
    let all = ok(http_post(&broker, "/api/v1/policies/reload"));
    assert_eq!(all["changed"], true);
    assert_eq!(stamps(&a), ["a"]);
    assert_eq!(problem(&broker.command("nobody", "reload")).0, 404);
}

/// Uploads and roll-backs under fire: every event by one generation, in order, none lost.
#[test]
fn changes_over_http_lose_nothing() {
    let fire = Fire::start();
    let other = policy("fixture-stamp-b");
    for round in 1..=3 {
        let number = ok(fire.broker.upload("validate", &other))["generation"].clone();
        assert_eq!(number, 1 + round);
        fire.wait_generation(1 + round);
        ok(fire.broker.command("validate", "rollback"));
        fire.wait_generation(1);
    }
    assert_eq!(fire.judge(), 7, "six changes of the stamp");
}

/// Many at once are one after the other, and each is answered.
#[test]
fn changes_at_once_come_one_after_the_other() {
    let broker = start();
    let modules = [policy("fixture-stamp"), policy("fixture-stamp-b")];
    let answers: Vec<_> = std::thread::scope(|scope| {
        let ask = |number: usize| {
            let (admin, modules) = (broker.admin(), &modules);
            let (method, path, body) = match number % 3 {
                2 => ("POST", "/api/v1/policies/stamp/reload", &[][..]),
                which => ("PUT", "/api/v1/policies/stamp", &modules[which][..]),
            };
            scope.spawn(move || request(admin, method, path, &[], body).expect("an answer"))
        };
        let asked: Vec<_> = (0..12).map(ask).collect();
        asked.into_iter().map(|it| it.join().unwrap()).collect()
    });
    for answer in &answers {
        let is_busy = answer.status == 503 && problem(answer).1 == "busy";
        assert!(answer.status == 200 || is_busy, "{answer:?}");
    }
    let changed = answers
        .iter()
        .filter(|it| it.status == 200 && it.json()["changed"] == true);
    let generation = broker.policy("stamp")["generation"].as_u64();
    assert_eq!(generation, Some(1 + changed.count() as u64));
    let serving = broker.policy("stamp")["digest"].clone();
    assert_eq!(
        ok(broker.upload("stamp", &on_disk(&broker)))["digest"],
        serving
    );
}
