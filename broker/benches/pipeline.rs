//! The cost of an event from its text to the router's answer: without policies, with each of three, with all three.
//!
//! `cargo xtask bench` builds the policies and runs this.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot run has nobody to report to"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use sluice::bench::Line;

const EVENT: &str = r#"["message",{"room":"general","text":"a message of usual length, with <b>markup</b> to escape & some ünïcode","mentions":["alice","bob"],"reply":12345}]"#;

const RATE_LIMIT: &str = r#"
[[policy]]
name = "rate-limit"
module = "{dir}/rate-limit.wasm"
config = { limits = [{ events = "*", burst = 4000000000, rate = 1000000000 }] }
"#;

const JWT_AUTH: &str = r#"
[[policy]]
name = "jwt-auth"
module = "{dir}/jwt-auth.wasm"
config = { secret = "bench" }
"#;

const VALIDATE: &str = r#"
[[policy]]
name = "validate"
module = "{dir}/validate.wasm"
[[policy.config.events]]
event = "message"
[[policy.config.events.args]]
type = "object"
unknown_keys = "allow"
keys.text = { type = "string", required = true, max_length = 500, escape = true }
"#;

const ROUTES: &str = r#"
[[namespace]]
path = "/"
[[namespace.route]]
event = "message"
to = "others"
"#;

fn line(folder: &Path, name: &str, policies: &[&str]) -> Line {
    let modules = std::env::var("SLUICE_TEST_POLICIES")
        .expect("SLUICE_TEST_POLICIES is not set: run `cargo xtask bench`");
    let mut config = String::new();
    for policy in policies {
        write!(config, "{}", policy.replace("{dir}", &modules)).unwrap();
    }
    config.push_str(ROUTES);
    let file: PathBuf = folder.join(format!("{name}.toml"));
    std::fs::write(&file, config).unwrap();
    Line::new(&file, "alice").unwrap_or_else(|exit| panic!("{exit}"))
}

fn pipeline(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = c.benchmark_group("event");
    let cases: [(&str, &[&str]); 4] = [
        ("no policy", &[]),
        ("rate-limit", &[RATE_LIMIT]),
        ("validate", &[VALIDATE]),
        (
            "jwt-auth, rate-limit, validate",
            &[JWT_AUTH, RATE_LIMIT, VALIDATE],
        ),
    ];
    for (name, policies) in cases {
        let line = line(folder.path(), &name.replace(", ", "-"), policies);
        assert!(line.event(EVENT), "{name}: the event is denied");
        group.bench_function(name, |b| b.iter(|| line.event(EVENT)));
    }
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
