//! From `sluice policy new` to a policy that takes part, with nothing but the binary and the Rust toolchain.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use sluice_tests::{Driver, Setup, eventually, prepared};

use crate::shared::{RELAY, clients};

#[test]
fn a_new_policy_builds_passes_its_test_and_takes_part() {
    let node = Driver::node();
    let broker = Setup::new(RELAY).start();
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    let made = broker.run(&["policy", "new", "my-limit", "--dir", "crates"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let crate_dir = broker.dir().join("crates/my-limit");
    let told = cargo(&crate_dir, &["test"]);
    assert!(told.contains("2 passed"), "{told}");
    cargo(
        &crate_dir,
        &["build", "--release", "--target", "wasm32-wasip2"],
    );

    let module = target().join("wasm32-wasip2/release/my_limit.wasm");
    std::fs::write(
        broker.dir().join("policies/my-limit.toml"),
        "[config]\nlongest = 5\n",
    )
    .unwrap();
    broker.replace_module("my-limit", &std::fs::read(module).unwrap());
    eventually("the policy", || {
        let policies = broker.policies();
        let loaded = |policy: &serde_json::Value| policy["generation"] == 1;
        policies.iter().any(loaded).then_some(())
    });
    a.ok("message", json!(["hello"]));
    assert_eq!(b.expect("message"), [json!("hello")]);
    let denial = a.denied("message", json!(["hello!"]));
    assert_eq!(denial["code"], "too_long", "{denial}");
    assert_eq!(denial["policy"], "my-limit", "{denial}");
}

#[test]
fn a_crate_is_not_made_over_another_or_with_a_bad_name() {
    let setup = Setup::new("");
    let new = |name: &str| setup.run(&["policy", "new", name]);
    assert_eq!(new("chat").code, Some(0));
    for (name, rule) in [
        ("chat", "exists"),
        ("Chat", "a-z, 0-9 and -"),
        ("../chat", "a-z, 0-9 and -"),
        ("2chat", "begins with a letter"),
        ("loop", "Rust"),
    ] {
        let refused = new(name);
        assert_eq!(refused.code, Some(1), "{name}: {refused:?}");
        assert!(refused.stderr.contains(rule), "{name}: {refused:?}");
    }
}

/// Runs cargo as the README of the crate says, with what this workspace has fetched and built. What it prints.
fn cargo(dir: &Path, arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let ran = Command::new(cargo)
        .args(arguments)
        .arg("--offline")
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .expect("cargo runs");
    let [out, err] = [&ran.stdout, &ran.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(ran.status.success(), "{arguments:?}: {out}{err}");
    out.into_owned()
}

/// Where this workspace builds.
fn target() -> std::path::PathBuf {
    let policies = prepared("SLUICE_TEST_POLICIES");
    policies.parent().expect("the target folder").to_owned()
}
