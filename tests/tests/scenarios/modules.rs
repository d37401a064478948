//! A module that is none, or none of ours, or refuses its configuration: named at the start with the reason; and
//! while the broker runs, the old generation stays.

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, Setup, eventually, policy};

use crate::shared::{clients, websocket};

/// A policy whose every event is stamped, so that one sees which generation served it.
const STAMPED: &str = r#"
    [server]
    drain_period = "200ms"
    [[policy]]
    name = "gate"
    [[namespace]]
    path = "/"
    [[namespace.route]]
    event = "*"
    action = "emit"
    to = "all"
"#;

/// What is wrong, the bytes, and words of the reason that no other of them has.
fn bad_modules() -> [(&'static str, Vec<u8>, &'static str); 6] {
    let good = policy("fixture-stamp");
    [
        ("truncated", good[..good.len() / 2].to_vec(), "cut off"),
        ("empty", Vec::new(), "the file is empty"),
        ("text", b"this is no module".to_vec(), "not WebAssembly"),
        // The empty core module, and the empty component.
        (
            "core module",
            b"\0asm\x01\0\0\0".to_vec(),
            "a core WebAssembly module",
        ),
        (
            "not a policy",
            b"\0asm\x0d\0\x01\0".to_vec(),
            "not a policy",
        ),
        (
            "refusing",
            policy("fixture-refuse"),
            "refuses every configuration",
        ),
    ]
}

#[test]
fn at_start_it_is_an_error_that_names_file_and_reason() {
    for (name, bytes, reason) in bad_modules() {
        let setup = Setup::new(STAMPED).file("policies/gate.wasm", bytes);
        for command in ["run", "check"] {
            let exited = setup.run(&[command, "--config", "sluice.toml"]);
            assert_eq!(exited.code, Some(78), "{name}, {command}: {exited:?}");
            assert!(
                exited.stderr.contains("gate.wasm"),
                "{name}, {command}: {}",
                exited.stderr
            );
            assert!(
                exited.stderr.contains(reason),
                "{name}, {command}: {}",
                exited.stderr
            );
            assert!(
                !exited.stdout.contains("ready"),
                "{name}: {}",
                exited.stdout
            );
        }
    }
}

/// Two broken policies are two errors in one run.
#[test]
fn all_of_them_are_reported() {
    let setup = Setup::new("[[policy]]\nname = \"one\"\n[[policy]]\nname = \"two\"\n")
        .file("policies/one.wasm", "no module")
        .file("policies/two.wasm", "none either");
    let exited = setup.run(&["check", "--config", "sluice.toml"]);
    assert_eq!(exited.code, Some(78), "{exited:?}");
    assert!(
        exited.stderr.contains("one.wasm") && exited.stderr.contains("two.wasm"),
        "{}",
        exited.stderr
    );
}

fn stamp(client: &Client) -> Value {
    client.ok("x", json!(["text"]));
    let args = client.expect("x");
    args.last().cloned().unwrap_or_default()
}

#[test]
fn while_running_the_old_generation_stays() {
    let node = Driver::node();
    let broker = Setup::new(STAMPED)
        .file("policies/gate.wasm", policy("fixture-stamp"))
        .start();
    let [a] = clients(&node, &broker, ["a"]);
    let first = stamp(&a);
    let generation = |broker: &Broker| broker.policy("gate")["generation"].clone();
    assert_eq!(generation(&broker), 1);
    for (name, bytes, reason) in bad_modules() {
        broker.replace_module("gate", &bytes);
        let not_ready = eventually(&format!("{name}: readiness to tell of the failure"), || {
            let response = broker.get("/readyz");
            (response.status == 503 && response.text().contains(reason)).then(|| response.text())
        });
        assert!(not_ready.contains("gate"), "{name}: {not_ready}");
        assert_eq!(stamp(&a), first, "{name}: the old generation serves");
        assert_eq!(generation(&broker), 1, "{name}");
        assert_eq!(
            broker
                .metrics()
                .sum("sluice_policy_generation", &[("policy", "gate")]),
            1.0,
            "{name}"
        );
        broker
            .logs
            .wait(&format!("{name}: a record of the failure"), |record| {
                record.has("policy", "gate")
                    && ["WARN", "ERROR"].contains(&record.level())
                    && record.line.contains(reason)
            });
        let answer = broker.policy("gate").to_string();
        assert!(
            answer.contains(reason),
            "{name}: the reason in the API: {answer}"
        );
    }
    let metrics = broker.metrics();
    assert_eq!(
        metrics.sum("sluice_policy_failed", &[("policy", "gate")]),
        1.0,
        "{}",
        metrics.text()
    );
    assert!(
        metrics.sum("sluice_reload_total", &[("result", "failed")]) >= 6.0,
        "{}",
        metrics.text()
    );

    broker.replace_module("gate", &policy("fixture-stamp-b"));
    eventually("readiness to come back", || {
        (broker.get("/readyz").status == 200).then_some(())
    });
    assert_ne!(stamp(&a), first, "the new generation serves");
    assert!(generation(&broker).as_u64() > Some(1));
    assert_eq!(
        broker
            .metrics()
            .sum("sluice_policy_failed", &[("policy", "gate")]),
        0.0
    );
    assert_eq!(broker.stop(), 0);
}

/// A module that vanishes is a module that fails: what was loaded stays.
#[test]
fn a_configured_module_that_is_deleted_stays_loaded() {
    let node = Driver::node();
    let broker = Setup::new(STAMPED)
        .file("policies/gate.wasm", policy("fixture-stamp"))
        .start();
    let [a] = clients(&node, &broker, ["a"]);
    let first = stamp(&a);
    broker.remove_module("gate");
    eventually("readiness to tell", || {
        (broker.get("/readyz").status == 503).then_some(())
    });
    assert_eq!(stamp(&a), first);
    broker.replace_module("gate", &policy("fixture-stamp"));
    eventually("readiness to come back", || {
        (broker.get("/readyz").status == 200).then_some(())
    });
    assert_eq!(stamp(&a), first);
}

/// The configuration file is watched like the modules: a good one is taken over, a bad one changes nothing.
#[test]
fn a_changed_configuration_is_loaded() {
    let node = Driver::node();
    let broker = Setup::new(STAMPED)
        .file("policies/gate.wasm", policy("fixture-stamp"))
        .start();
    let [a] = clients(&node, &broker, ["a"]);
    let stamped = a.clone();
    let first = stamp(&stamped);
    assert_ne!(first, json!("text"));

    broker.reconfigure(&STAMPED.replace("event = \"*\"", "event = 5"));
    broker
        .logs
        .wait("a record of the bad configuration", |record| {
            ["WARN", "ERROR"].contains(&record.level())
                && record.line.contains("namespace[0].route[0].event")
        });
    assert_eq!(stamp(&a), first, "nothing has changed");

    // Without the policy, whose module must not stay in the folder, and with another route: for clients that are
    // connected too.
    broker.reconfigure(
        "[[namespace]]\npath = \"/\"\n[[namespace.route]]\nevent = \"y\"\nto = \"sender\"\n",
    );
    broker.remove_module("gate");
    eventually("the new routes", || {
        // Before the change, `y` is stamped.
        a.ok("y", json!(["plain"]));
        (a.expect("y") == [json!("plain")]).then_some(())
    });
    assert_eq!(a.denied("x", json!([]))["code"], "no_route");
}

/// What a policy asks for beside its verdicts has to be granted.
#[test]
fn a_capability_is_not_had_for_the_asking() {
    let check = |grant: &str| {
        Setup::new(&format!("[[policy]]\nname = \"fixture-greedy\"\n{grant}"))
            .modules(&["fixture-greedy"])
            .run(&["check", "--config", "sluice.toml"])
    };
    for grant in ["", "grant = [\"rooms\"]"] {
        let refused = check(grant);
        assert_eq!(refused.code, Some(78), "{refused:?}");
        for part in ["`emit`", "fixture-greedy", "does not grant"] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
    }
    let granted = check("grant = [\"emit\"]");
    assert_eq!(granted.code, Some(0), "{granted:?}");
}

/// A namespace that the configuration no longer has serves nobody: not the clients that are in it, and no new ones.
#[test]
fn a_namespace_can_be_taken_away_and_given_back() {
    let node = Driver::node();
    let route = "[[namespace.route]]\nevent = \"*\"\naction = \"emit\"\nto = \"all\"\n";
    let one = format!("[[namespace]]\npath = \"/\"\n{route}");
    let both = format!("{one}[[namespace]]\npath = \"/extra\"\n{route}");
    let broker = Setup::new(&both).start();
    let extra = node.connect("extra", &broker.url("/extra"), &websocket());
    let root = node.connect("root", &broker.url("/"), &websocket());
    extra.ok("x", json!([1]));
    assert_eq!(extra.expect("x"), [json!(1)]);

    let enter = |name: &str| node.try_connect(name, &broker.url("/extra"), &websocket());
    broker.reconfigure(&one);
    let mut tries = 0;
    let refusal = eventually("the namespace to go", || {
        tries += 1;
        enter(&format!("late-{tries}")).map(|_| ()).err()
    });
    assert_eq!(refusal.message, "Invalid namespace");
    root.ok("y", json!([2]));
    assert_eq!(root.expect("y"), [json!(2)]);

    broker.reconfigure(&both);
    eventually("the namespace to come back", || {
        tries += 1;
        enter(&format!("late-{tries}")).ok()
    })
    .ok("z", json!([3]));
    assert_eq!(broker.get("/readyz").status, 200);
}

/// As Kubernetes mounts a ConfigMap: the files are links into a folder that is itself a link, and an update turns that
/// one link.
#[test]
fn a_configuration_behind_links_is_followed() {
    use std::os::unix::fs::symlink;
    let node = Driver::node();
    let route = |name: &str| {
        format!(
            "[[namespace]]\npath = \"/\"\n[[namespace.route]]\nevent = \"{name}\"\naction = \"ignore\"\n"
        )
    };
    let setup = Setup::new("").config_file("mounted.toml");
    let dir = setup.dir().to_owned();
    for version in ["one", "two"] {
        std::fs::create_dir(dir.join(version)).unwrap();
        std::fs::write(dir.join(version).join("mounted.toml"), route(version)).unwrap();
    }
    symlink("one", dir.join("..data")).unwrap();
    symlink("..data/mounted.toml", dir.join("mounted.toml")).unwrap();
    let broker = setup.start();
    let [a] = clients(&node, &broker, ["a"]);
    a.ok("one", json!([]));
    assert_eq!(a.denied("two", json!([]))["code"], "no_route");
    symlink("two", dir.join("..data_tmp")).unwrap();
    std::fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    eventually("the second version", || {
        (a.ask("two", json!([])) == [json!({"ok": true})]).then_some(())
    });
    assert_eq!(a.denied("one", json!([]))["code"], "no_route");
}
