//! With trusted keys, modules that nobody trusted has signed do not load: not at the start, not dropped in, not at a
//! reload. A pin does the same for one policy and one module.

use serde_json::json;
use sluice_tests::{Broker, Driver, Setup, eventually, policy};

use crate::shared::{RELAY, clients};

const STAMPED: &str = "[[policy]]\nname = \"gate\"\n";

/// Makes keys `NAME.key` and `NAME.pub`, and says the public one.
fn keygen(setup: &Setup, name: &str) -> String {
    let made = setup.run(&["policy", "keygen", "--out", name]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let file = std::fs::read_to_string(setup.dir().join(format!("{name}.pub"))).unwrap();
    let key = file.lines().last().unwrap().to_owned();
    assert!(made.stdout.contains(&key), "{made:?}");
    key
}

/// A configuration that trusts the key `ours`, with this text and a module `policies/gate.wasm`.
fn trusting(config: &str) -> Setup {
    let setup = Setup::new("").file("policies/gate.wasm", policy("fixture-stamp"));
    let ours = keygen(&setup, "ours");
    keygen(&setup, "theirs");
    setup.file(
        "sluice.toml",
        format!("[plugins]\ntrusted_keys = [\"{ours}\"]\n{config}"),
    )
}

/// The identifier of a key, from the comment of its public half.
fn id(setup: &Setup, name: &str) -> String {
    let file = std::fs::read_to_string(setup.dir().join(format!("{name}.pub"))).unwrap();
    let comment = file.lines().next().unwrap();
    comment.rsplit(' ').next().unwrap().to_owned()
}

fn sign(setup: &Setup, module: &str, key: &str) {
    let arguments = ["policy", "sign", module, "--key", key];
    let signed = setup.run(&[&arguments[..], &["--comment", "chat 1.2"]].concat());
    assert_eq!(signed.code, Some(0), "{signed:?}");
}

fn refused(setup: &Setup, reason: &str) {
    for command in ["run", "check"] {
        let exited = setup.run(&[command, "--config", "sluice.toml"]);
        assert_eq!(exited.code, Some(78), "{command}: {exited:?}");
        assert!(
            exited.stderr.contains(reason) && exited.stderr.contains("gate.wasm"),
            "{command}: {}",
            exited.stderr
        );
    }
}

#[test]
fn at_the_start_nothing_runs_that_nobody_trusted_has_signed() {
    let setup = trusting(STAMPED);
    let ours = id(&setup, "ours");
    refused(
        &setup,
        &format!("`gate.wasm.minisig` is missing: the module has to be signed with the key {ours}"),
    );
    sign(&setup, "policies/gate.wasm", "theirs.key");
    refused(&setup, &format!("it has to be the key {ours}"));
    sign(&setup, "policies/gate.wasm", "ours.key");
    let setup = setup.file("policies/gate.wasm", policy("fixture-stamp-b"));
    refused(&setup, "is of another module");
    let setup = setup.file("policies/gate.wasm.minisig", "sound and fury");
    refused(&setup, "no signature in minisign's format");

    let setup = setup.file("policies/gate.wasm", policy("fixture-stamp"));
    sign(&setup, "policies/gate.wasm", "ours.key");
    let broker = setup.start();
    assert_eq!(broker.get("/readyz").status, 200);
    let signature = json!({"key_id": ours, "trusted_comment": "chat 1.2"});
    assert_eq!(broker.policy("gate")["signature"], signature);
}

/// What serves goes on serving, and the signature is followed like the module.
#[test]
fn while_running_the_old_one_serves_until_the_new_one_is_signed() {
    let node = Driver::node();
    let setup = trusting(STAMPED);
    sign(&setup, "policies/gate.wasm", "ours.key");
    let broker = setup.start();
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    let stamp = || {
        a.ok("x", json!(["text"]));
        b.expect("x").last().cloned()
    };
    let first = stamp();
    let comment = || broker.policy("gate")["signature"]["trusted_comment"].clone();
    assert_eq!(comment(), "chat 1.2");
    // Signed again, it is the same generation.
    let again = ["policy", "sign", "policies/gate.wasm", "--key", "ours.key"];
    let again = broker.run(&[&again[..], &["--comment", "chat 1.3"]].concat());
    assert_eq!(again.code, Some(0), "{again:?}");
    eventually("the new signature", || {
        (comment() == "chat 1.3").then_some(())
    });
    assert_eq!(broker.policy("gate")["generation"], 1);
    broker.replace_module("gate", &policy("fixture-stamp-b"));
    let told = not_ready(&broker, "is of another module");
    assert!(told.contains("gate"), "{told}");
    assert_eq!(stamp(), first);
    let failed = &broker.policy("gate")["failed"]["reason"];
    let reason = failed.as_str().unwrap();
    assert!(reason.contains("gate.wasm.minisig"), "{reason}");

    let signed = broker.run(&["policy", "sign", "policies/gate.wasm", "--key", "ours.key"]);
    assert_eq!(signed.code, Some(0), "{signed:?}");
    ready(&broker);
    assert_ne!(stamp(), first, "the new one serves");

    // What serves and has lost its signature serves on, and is told of: after a restart it would not.
    std::fs::remove_file(broker.dir().join("policies/gate.wasm.minisig")).unwrap();
    not_ready(&broker, "is missing");
    assert_ne!(stamp(), first);
}

/// Somebody who can write into the folder cannot make the broker run anything.
#[test]
fn what_is_dropped_in_has_to_be_signed_too() {
    let broker = trusting(RELAY).start();
    assert!(broker.policies().iter().all(|it| it["version"].is_null()));
    not_ready(&broker, "is missing");
    let signed = broker.run(&["policy", "sign", "policies/gate.wasm", "--key", "ours.key"]);
    assert_eq!(signed.code, Some(0), "{signed:?}");
    ready(&broker);
    assert_eq!(broker.policy("gate")["generation"], 1);
}

#[test]
fn a_pin_holds_a_policy_to_one_module() {
    let [digest, other] = ["fixture-stamp", "fixture-stamp-b"].map(digest);
    let pinned = |digest: &str| format!("{STAMPED}sha256 = \"{digest}\"\n");
    let setup = Setup::new(&pinned(&other)).file("policies/gate.wasm", policy("fixture-stamp"));
    refused(
        &setup,
        &format!("its digest is sha256:{digest}, and `sha256` pins it to sha256:{other}"),
    );
    let broker = setup.file("sluice.toml", pinned(&digest)).start();
    assert_eq!(broker.policy("gate")["digest"], format!("sha256:{digest}"));
    assert!(
        broker.policy("gate")["signature"].is_null(),
        "nobody is trusted more than others"
    );
    broker.replace_module("gate", &policy("fixture-stamp-b"));
    not_ready(&broker, "pins it to");
    assert_eq!(broker.policy("gate")["digest"], format!("sha256:{digest}"));
    // With its prefix it is the same.
    broker.reconfigure(&pinned(&format!("sha256:{other}")));
    ready(&broker);
    assert_eq!(broker.policy("gate")["digest"], format!("sha256:{other}"));
}

#[test]
fn a_pin_of_what_is_dropped_in_stands_in_its_settings() {
    let [digest, other] = ["fixture-stamp", "fixture-stamp-b"].map(digest);
    let broker = Setup::new(RELAY)
        .file("policies/gate.toml", format!("sha256 = \"{other}\"\n"))
        .file("policies/gate.wasm", policy("fixture-stamp"))
        .start();
    not_ready(&broker, "pins it to");
    let settings = broker.dir().join("policies/gate.toml");
    std::fs::write(settings, format!("sha256 = \"{digest}\"\n")).unwrap();
    ready(&broker);
    assert_eq!(broker.policy("gate")["digest"], format!("sha256:{digest}"));
}

/// `verify` says what the broker would say.
#[test]
fn verify_tells_by_its_exit_code() {
    let setup = trusting("");
    let verify = |key: &str| setup.run(&["policy", "verify", "policies/gate.wasm", "--key", key]);
    let unsigned = verify("ours.pub");
    assert_eq!(unsigned.code, Some(1), "{unsigned:?}");
    assert!(
        unsigned.stderr.contains("gate.wasm.minisig is missing"),
        "{unsigned:?}"
    );
    sign(&setup, "policies/gate.wasm", "ours.key");
    let signed = verify("ours.pub");
    assert_eq!(signed.code, Some(0), "{signed:?}");
    let ours = id(&setup, "ours");
    assert_eq!(
        signed.stdout,
        format!("policies/gate.wasm: signed with the key {ours}, with the comment \"chat 1.2\"\n")
    );
    let others = verify("theirs.pub");
    assert_eq!(others.code, Some(1), "{others:?}");
    assert!(others.stderr.contains("not trusted"), "{others:?}");
}

fn not_ready(broker: &Broker, reason: &str) -> String {
    eventually(&format!("readiness to tell `{reason}`"), || {
        let response = broker.get("/readyz");
        (response.status == 503 && response.text().contains(reason)).then(|| response.text())
    })
}

fn ready(broker: &Broker) {
    eventually("readiness", || {
        (broker.get("/readyz").status == 200).then_some(())
    });
}

/// The digest of a module, from its bytes.
fn digest(name: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(policy(name));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is uploaded is signed as well, and a roll-back brings back the signature with the module.
#[test]
fn an_upload_has_to_be_signed() {
    let setup = trusting(STAMPED);
    sign(&setup, "policies/gate.wasm", "ours.key");
    let signature = setup.dir().join("policies/gate.wasm.minisig");
    let first = std::fs::read(&signature).unwrap();
    let setup = setup.file("new.wasm", policy("fixture-stamp-b"));
    let broker = {
        sign(&setup, "new.wasm", "theirs.key");
        setup.start()
    };
    let module = broker.dir().join("new.wasm");
    let tool = Setup::new("");
    let admin = broker.admin().to_string();
    let upload = || {
        let module = module.to_str().unwrap();
        tool.run(&["policies", "--admin", &admin, "upload", "gate", module])
    };
    assert_eq!(
        broker.upload("gate", &policy("fixture-stamp-b")).status,
        403
    );
    let refused = upload();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("untrusted_module"), "{refused:?}");
    assert_eq!(broker.policy("gate")["generation"], 1);

    let key = broker.dir().join("ours.key");
    let (file, key) = (module.to_str().unwrap(), key.to_str().unwrap());
    std::fs::remove_file(broker.dir().join("new.wasm.minisig")).unwrap();
    let signed = tool.run(&["policy", "sign", file, "--key", key]);
    assert_eq!(signed.code, Some(0), "{signed:?}");
    let uploaded = upload();
    assert_eq!(uploaded.code, Some(0), "{uploaded:?}");
    assert!(uploaded.stdout.contains("generation 2"), "{uploaded:?}");
    assert_ne!(std::fs::read(&signature).unwrap(), first);
    assert_eq!(broker.command("gate", "reload").status, 200);
    assert_eq!(broker.command("gate", "rollback").status, 200);
    assert_eq!(std::fs::read(&signature).unwrap(), first);
    let reloaded = broker.command("gate", "reload");
    assert_eq!(reloaded.json()["changed"], false, "{reloaded:?}");
    assert_eq!(broker.get("/readyz").status, 200);
}
