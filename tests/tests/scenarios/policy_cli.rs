//! From `sluice policy new` to a policy that takes part, with nothing but the binary and the Rust toolchain.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sluice_tests::{Driver, Setup, eventually, policy, prepared};

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
        let loaded = |policy: &Value| policy["generation"] == 1;
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

/// What `inspect --json` says of a module.
fn inspect(setup: &Setup, module: &str, arguments: &[&str]) -> Value {
    let arguments = [&["policy", "inspect", module, "--json"], arguments].concat();
    let shown = setup.run(&arguments);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    serde_json::from_str(&shown.stdout).unwrap()
}

#[test]
fn inspect_tells_what_a_module_is() {
    let setup = Setup::new("").modules(&["rate-limit", "fixture-greedy"]);
    let config = json!({"limits": [{"events": ["typing"], "burst": 20, "rate": 10}]});
    let module = "policies/rate-limit.wasm";
    let shown = inspect(&setup, module, &["--config", &config.to_string()]);
    assert_eq!(shown["name"], "rate-limit");
    assert_eq!(shown["contract"], "0.2");
    assert_eq!(shown["size"], policy("rate-limit").len());
    assert_eq!(shown["hooks"], json!(["event"]));
    assert_eq!(shown["capabilities"], json!([]));
    assert_eq!(shown["signature"], "none");
    assert!(shown["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(shown["refused"].is_null(), "{shown}");
    assert_eq!(shown["interests"]["events"][0]["event"], "typing");
    assert_eq!(shown["interests"]["buckets"][0]["burst"], 20);
    let imports = shown["imports"].as_array().unwrap();
    assert!(
        imports.contains(&json!("sluice:policy/limits@0.2.0")),
        "{imports:?}"
    );

    let greedy = inspect(&setup, "policies/fixture-greedy.wasm", &[]);
    assert_eq!(greedy["capabilities"], json!(["emit"]));

    // For people, the same in lines; a configuration may stand in a file.
    let setup = setup.file("limits.json", config.to_string());
    assert_eq!(setup.run(&["policy", "keygen", "--out", "k"]).code, Some(0));
    assert_eq!(
        setup
            .run(&["policy", "sign", module, "--key", "k.key"])
            .code,
        Some(0)
    );
    let shown = setup.run(&["policy", "inspect", module, "--config", "@limits.json"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let lines: Vec<_> = shown.stdout.lines().collect();
    let says = |heading: &str, words: &str| {
        let said = lines.iter().find(|line| line.starts_with(heading));
        assert!(
            said.is_some_and(|line| line.contains(words)),
            "{heading}: {lines:#?}"
        );
    };
    says("name ", "rate-limit");
    says("signature ", "made with the key");
    says("buckets ", "20, and 10 more a second");
}

/// A configuration that it does not take, or that is needed, keeps nothing else from being shown.
#[test]
fn inspect_tells_of_a_refusal_and_shows_the_rest() {
    let setup = Setup::new("").modules(&["fixture-refuse", "fixture-loop"]);
    let shown = inspect(&setup, "policies/fixture-refuse.wasm", &[]);
    let reason = shown["refused"].as_str().unwrap();
    assert!(reason.contains("refuses every configuration"), "{reason}");
    assert!(shown["interests"].is_null());
    assert_eq!(shown["name"], "fixture-refuse");
    assert_ne!(shown["imports"], json!([]));

    let setup = setup.file("policies/text.wasm", "no module");
    let shown = setup.run(&["policy", "inspect", "policies/text.wasm"]);
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(
        shown.stderr.contains("text.wasm: not WebAssembly"),
        "{shown:?}"
    );
    let shown = setup.run(&[
        "policy",
        "inspect",
        "policies/fixture-loop.wasm",
        "--config",
        "[]",
    ]);
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(shown.stderr.contains("not a JSON object"), "{shown:?}");
}
