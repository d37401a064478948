//! What is on disk is what serves, however it came there: folders that are replaced, links that are turned, policies
//! that pass from the configuration to the folder and back. And nothing else makes the broker load anything.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, Setup, eventually, policy};

use crate::shared::{RELAY, clients};

/// What the policies have added to the arguments, in their order.
fn stamps(client: &Client) -> Vec<Value> {
    client.ok("all:x", json!(["text"]));
    client.expect("all:x").split_off(1)
}

/// Waits until events get these stamps and no others.
fn wait_stamps(client: &Client, wanted: &[Value]) {
    eventually(&format!("the stamps {wanted:?}"), || {
        (stamps(client) == wanted).then_some(())
    });
}

fn reloads(broker: &Broker, result: &str) -> f64 {
    let metrics = broker.metrics();
    metrics.sum("sluice_reload_total", &[("result", result)])
}

fn wait_readiness(broker: &Broker, status: u16) {
    eventually(&format!("readiness to be {status}"), || {
        (broker.get("/readyz").status == status).then_some(())
    });
}

/// The two builds of the stamp, each with what it adds.
fn builds() -> [(Vec<u8>, Value); 2] {
    ["fixture-stamp", "fixture-stamp-b"]
        .map(policy)
        .into_iter()
        .zip(["a", "b"].map(|generation| json!({"generation": generation})))
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

#[test]
fn a_folder_that_is_replaced_is_followed() {
    let node = Driver::node();
    let [(first, a), (second, b)] = builds();
    let broker = Setup::new(RELAY)
        .file("policies/stamp.wasm", &first)
        .start();
    let [client] = clients(&node, &broker, ["client"]);
    let dir = broker.dir().join("policies");
    assert_eq!(stamps(&client), std::slice::from_ref(&a));

    // At once, as a deployment does.
    fs::remove_dir_all(&dir).unwrap();
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("stamp.wasm"), &second).unwrap();
    wait_stamps(&client, std::slice::from_ref(&b));

    // Renamed away, with another in its place.
    fs::create_dir(broker.dir().join("next")).unwrap();
    fs::write(broker.dir().join("next/stamp.wasm"), &first).unwrap();
    fs::rename(&dir, broker.dir().join("previous")).unwrap();
    fs::rename(broker.dir().join("next"), &dir).unwrap();
    wait_stamps(&client, std::slice::from_ref(&a));

    // And what is then done in it is seen as well.
    broker.replace_module("stamp", &second);
    wait_stamps(&client, &[b]);
    wait_readiness(&broker, 200);
}

/// A folder that is gone is not an empty one: nothing is unloaded.
#[test]
fn a_folder_that_is_gone_unloads_nothing() {
    let node = Driver::node();
    let [(first, a), (second, b)] = builds();
    let broker = Setup::new(RELAY)
        .file("policies/stamp.wasm", &first)
        .start();
    let [client] = clients(&node, &broker, ["client"]);
    let dir = broker.dir().join("policies");
    fs::remove_dir_all(&dir).unwrap();
    wait_readiness(&broker, 503);
    assert!(broker.get("/readyz").text().contains("policies"));
    assert_eq!(stamps(&client), [a]);
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("stamp.wasm"), &second).unwrap();
    wait_stamps(&client, &[b]);
    wait_readiness(&broker, 200);
    broker.remove_module("stamp");
    wait_stamps(&client, &[]);
}

#[test]
fn links_that_are_turned_are_followed() {
    let node = Driver::node();
    let [(first, a), (second, b)] = builds();
    let setup = Setup::new(RELAY);
    let dir = setup.dir().to_owned();
    fs::remove_dir(dir.join("policies")).unwrap();
    for (name, module) in [("one", &first), ("two", &second)] {
        fs::create_dir(dir.join(name)).unwrap();
        fs::write(dir.join(name).join("stamp.wasm"), module).unwrap();
    }
    let turn = |link: &str, target: &str| {
        symlink(target, dir.join("turning")).unwrap();
        fs::rename(dir.join("turning"), dir.join(link)).unwrap();
    };
    turn("policies", "one");
    let broker = setup.start();
    let [client] = clients(&node, &broker, ["client"]);
    assert_eq!(stamps(&client), std::slice::from_ref(&a));
    turn("policies", "two");
    wait_stamps(&client, std::slice::from_ref(&b));

    // A configured module that is itself a link to elsewhere.
    turn("gate.wasm", "one/stamp.wasm");
    turn("policies", "empty");
    fs::create_dir(dir.join("empty")).unwrap();
    wait_stamps(&client, &[]);
    broker.reconfigure(&format!(
        "[[policy]]\nname = \"gate\"\nmodule = \"gate.wasm\"\n{RELAY}"
    ));
    wait_stamps(&client, &[a]);
    turn("gate.wasm", "two/stamp.wasm");
    wait_stamps(&client, &[b]);
}

/// A policy that leaves the configuration while its module stays in the folder takes part as what was dropped in, and
/// back: at no moment is it in no pipeline, or in one that does not name it.
#[test]
fn a_policy_passes_from_the_configuration_to_the_folder_and_back() {
    let node = Driver::node();
    let [(module, a), _] = builds();
    let quiet = RELAY.replacen("path = \"/\"", "path = \"/\"\npolicies = []", 1);
    let named = "[[policy]]\nname = \"stamp\"\n";
    let broker = Setup::new(&format!("{named}{RELAY}"))
        .file("policies/stamp.wasm", &module)
        .start();
    let [client] = clients(&node, &broker, ["client"]);
    let source = |wanted: &str| {
        eventually(wanted, || {
            (broker.policy("stamp")["source"] == wanted).then_some(())
        });
    };
    source("configured");
    assert_eq!(stamps(&client), std::slice::from_ref(&a));
    broker.reconfigure(RELAY);
    source("dropped-in");
    assert_eq!(stamps(&client), [a]);
    broker.reconfigure(&format!("{named}{quiet}"));
    source("configured");
    assert_eq!(stamps(&client), [] as [Value; 0]);
}

/// It leaves the configuration in the moment in which its module cannot be loaded.
#[test]
fn a_policy_that_passes_to_the_folder_broken_stays() {
    let node = Driver::node();
    let [(module, a), _] = builds();
    let broker = Setup::new(&format!("[[policy]]\nname = \"stamp\"\n{RELAY}"))
        .file("policies/stamp.wasm", &module)
        .start();
    let [client] = clients(&node, &broker, ["client"]);
    broker.replace_module("stamp", b"no module");
    broker.reconfigure(RELAY);
    eventually("the change", || {
        (broker.policy("stamp")["source"] == "dropped-in").then_some(())
    });
    wait_readiness(&broker, 503);
    assert_eq!(stamps(&client), [a]);
}

/// One module is one policy, in whatever words the configuration names it.
#[test]
fn a_module_does_not_take_part_twice() {
    let node = Driver::node();
    let [(module, a), _] = builds();
    let broker = Setup::new(&format!(
        "[[policy]]\nname = \"gate\"\nmodule = \"policies/../policies/stamp.wasm\"\n{RELAY}"
    ))
    .file("policies/stamp.wasm", &module)
    .start();
    let [client] = clients(&node, &broker, ["client"]);
    assert_eq!(stamps(&client), [a]);
}

/// The configuration asks for a module that is not there yet, in a place that nobody watches.
#[test]
fn a_missing_module_may_come_later() {
    let node = Driver::node();
    let [(module, a), _] = builds();
    let broker = Setup::new(RELAY).start();
    let [client] = clients(&node, &broker, ["client"]);
    broker.reconfigure(&format!(
        "[[policy]]\nname = \"gate\"\nmodule = \"elsewhere/gate.wasm\"\n{RELAY}"
    ));
    wait_readiness(&broker, 503);
    assert_eq!(stamps(&client), [] as [Value; 0]);
    let elsewhere = broker.dir().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("gate.wasm"), "no module").unwrap();
    eventually("another reason", || {
        let told = broker.get("/readyz").text();
        told.contains("not WebAssembly").then_some(())
    });
    // Counted by the time that the log has it.
    broker.logs.wait("the reason", |record| {
        record.message() == "reload failed" && record.line.contains("not WebAssembly")
    });
    // It is tried again and again, and told once.
    let failed = reloads(&broker, "failed");
    sleep(Duration::from_secs(5));
    assert_eq!(reloads(&broker, "failed"), failed);
    fs::write(elsewhere.join("gate.wasm"), &module).unwrap();
    wait_stamps(&client, &[a]);
    wait_readiness(&broker, 200);
    assert_eq!(broker.policy("gate")["generation"], 1);
}

/// Where modules come from need not wait for a restart.
#[test]
fn another_folder_takes_effect_at_once() {
    let node = Driver::node();
    let [(first, a), (second, b)] = builds();
    let config = |folder: &str| format!("[plugins]\ndir = \"{folder}\"\n{RELAY}");
    let setup = Setup::new(&config("policies")).without_env("SLUICE_PLUGINS__DIR");
    fs::create_dir(setup.dir().join("others")).unwrap();
    let broker = setup
        .file("policies/stamp.wasm", &first)
        .file("others/stamp.wasm", &second)
        .start();
    let [client] = clients(&node, &broker, ["client"]);
    assert_eq!(stamps(&client), [a]);
    broker.reconfigure(&config("others"));
    wait_stamps(&client, &[b]);
    assert!(!broker.logs.text().contains("next start"));
}

/// A log beside the configuration, and whatever else lies in the folder of modules.
#[test]
fn what_does_not_matter_leads_to_nothing() {
    let [(module, _), (second, _)] = builds();
    let broker = Setup::new(RELAY)
        .file("policies/stamp.wasm", &module)
        .file("policies/broken.wasm", "no module")
        .start();
    wait_readiness(&broker, 503);
    let before = [reloads(&broker, "applied"), reloads(&broker, "failed")];
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        for file in ["sluice.log", "policies/notes.txt"] {
            fs::write(broker.dir().join(file), format!("{:?}", start.elapsed())).unwrap();
        }
        sleep(Duration::from_millis(20));
    }
    let after = [reloads(&broker, "applied"), reloads(&broker, "failed")];
    assert_eq!(before, after);
    assert_eq!(broker.policy("stamp")["generation"], 1);
    // And it has not gone blind.
    broker.replace_module("stamp", &second);
    eventually("the second build", || {
        (broker.policy("stamp")["generation"] == 2).then_some(())
    });
    // Counted once it serves.
    eventually("its count", || {
        (reloads(&broker, "applied") == before[0] + 1.0).then_some(())
    });
}
