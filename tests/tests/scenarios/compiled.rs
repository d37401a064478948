//! With `plugins.cache`, what one start compiles the next one does not; what this broker has not put there is not used.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use sluice_tests::{Broker, Driver, Setup};

use crate::shared::clients;

const MODULES: [&str; 2] = ["fixture-stamp", "rate-limit"];

/// A broker with two policies that keeps what it compiles in this folder.
fn setup(cache: &Path) -> Setup {
    let config = format!(
        "[server]\ndrain_period = \"100ms\"\n[plugins]\ncache = {cache:?}\n\
         [[policy]]\nname = \"fixture-stamp\"\n\
         [[policy]]\nname = \"rate-limit\"\nconfig = {{ limit = \"100 per minute\" }}\n"
    );
    Setup::new(&config).modules(&MODULES)
}

/// Where the modules of the two policies came from.
fn compiled(broker: &Broker) -> [String; 2] {
    MODULES.map(|name| {
        let loaded = broker.logs.wait(name, |record| {
            record.message() == "policy loaded" && record.has("policy", name)
        });
        loaded.field("compiled").as_str().unwrap().to_owned()
    })
}

fn entries(cache: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(cache).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|it| it == "compiled"))
        .collect()
}

#[test]
fn the_second_start_compiles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let broker = setup(&cache).start();
    assert_eq!(compiled(&broker), ["fresh", "fresh"]);
    assert_eq!(broker.stop(), 0);
    assert_eq!(entries(&cache).len(), 2);
    assert_eq!(
        fs::metadata(&cache).unwrap().permissions().mode() & 0o777,
        0o700
    );

    let node = Driver::node();
    let broker = setup(&cache).start();
    assert_eq!(compiled(&broker), ["cache", "cache"]);
    let ready = |from| {
        broker
            .metrics()
            .sum("sluice_modules_ready_total", &[("compiled", from)])
    };
    assert_eq!((ready("cache"), ready("fresh")), (2.0, 0.0));
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    a.ok("x", json!(["text"]));
    assert_eq!(b.expect("x").len(), 2, "it does what it did");
}

/// Nobody who can write into the folder makes the broker run their code; a damaged file costs one compilation.
#[test]
fn an_entry_that_was_tampered_with_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    assert_eq!(setup(&cache).start().stop(), 0);
    let [first, second] = &entries(&cache)[..] else {
        panic!("two entries")
    };
    // One with a bit turned, and one in the place of another.
    let mut bytes = fs::read(first).unwrap();
    fs::write(second, &bytes).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(first, bytes).unwrap();

    let broker = setup(&cache).start();
    assert_eq!(compiled(&broker), ["fresh", "fresh"]);
    let rejected = [("reason", "rejected")];
    assert_eq!(
        broker
            .metrics()
            .sum("sluice_module_cache_faults_total", &rejected),
        2.0
    );
    for file in [first, second] {
        broker.logs.wait("a record of it", |record| {
            record.level() == "WARN" && record.has("file", file.to_str().unwrap())
        });
    }
    assert_eq!(broker.stop(), 0);
    assert_eq!(compiled(&setup(&cache).start()), ["cache", "cache"]);
}

/// Code is read from there and run: what others may write to is no place for it.
#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    let exited = setup(&cache).run(&["run", "--config", "sluice.toml"]);
    assert_eq!(exited.code, Some(78), "{exited:?}");
    let told = format!("plugins.cache: {}: others may write to it", cache.display());
    assert!(exited.stderr.contains(&told), "{}", exited.stderr);
}

/// Whoever checks may be another user than the one that runs the broker, whose files would then be in the way.
#[test]
fn a_check_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let exited = setup(&cache).run(&["check", "--config", "sluice.toml"]);
    assert_eq!(exited.code, Some(0), "{exited:?}");
    assert!(!cache.exists());
}
