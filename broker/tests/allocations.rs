//! An event that every policy lets pass costs the host no memory: nothing is allocated for it, however many there are.
//!
//! Run by `cargo xtask test`, which builds the policies.

use std::path::PathBuf;

use sluice::bench::Line;

const EVENT: &str = r#"["message",{"room":"general","text":"a message of usual length"}]"#;

#[test]
fn a_pass_allocates_nothing() {
    let Ok(modules) = std::env::var("SLUICE_TEST_POLICIES") else {
        panic!("SLUICE_TEST_POLICIES is not set: run `cargo xtask test`");
    };
    let modules = PathBuf::from(modules);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sluice.toml");
    let text = format!(
        r#"
        [[policy]]
        name = "rate-limit"
        module = {:?}
        config = {{ limits = [{{ events = "*", burst = 4000000, rate = 1000000 }}] }}
        [[policy]]
        name = "validate"
        module = {:?}
        config.events = [{{ event = "message", args = [
            {{ type = "object", unknown_keys = "allow", keys = {{ text = {{ type = "string", required = true }} }} }},
        ] }}]
        [[policy]]
        name = "other"
        module = {:?}
        config = {{ events = "other" }}
        "#,
        modules.join("rate-limit.wasm"),
        modules.join("validate.wasm"),
        modules.join("fixture-empty.wasm"),
    );
    std::fs::write(&config, text).unwrap();
    let line = Line::new(&config, "alice").unwrap();
    let ready = line.read(EVENT).unwrap();
    // Instances, buckets and what is made once.
    for _ in 0..100 {
        assert!(line.judge(&ready));
    }
    let counted = allocation_counter::measure(|| {
        for _ in 0..1000 {
            assert!(line.judge(&ready));
        }
    });
    assert_eq!(counted.count_total, 0);
}
