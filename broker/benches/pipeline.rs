//! What policies cost an event, beside an empty call of a component and beside the same policies compiled natively.
//!
//! `cargo xtask bench` builds the policies, runs this and sets the figures side by side.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot run has nobody to report to"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use sluice::bench::{Bucket, Floor, Line, Recording};
use sluice_plugin_sdk::testing;

const EVENT: &str = r#"["message",{"room":"general","text":"a message of usual length, with markup to escape and some ünïcode in it","mentions":["alice","bob"],"reply":12345,"client":"web"}]"#;

/// The same length, and something to escape.
const MARKED_UP: &str = r#"["message",{"room":"general","text":"a message of usual length, with <b>markup</b> to escape & some ünïcode","mentions":["alice","bob"],"reply":12345,"client":"web"}]"#;

const EMPTY: &str = r#"
[[policy]]
name = "fixture-empty"
config = { events = "message" }
"#;

const NOT_INTERESTED: &str = r#"
[[policy]]
name = "fixture-empty"
config = { events = "other" }
"#;

const RATE_LIMIT: &str = r#"
[[policy]]
name = "rate-limit"
config = { limits = [{ events = "*", burst = 4000000000, rate = 1000000000 }] }
"#;

/// The same bucket, taken from by a policy that is called for every event.
const CALLED: &str = r#"
[[policy]]
name = "fixture-ahead"
config = { take = "message", votes = 4000000000 }
"#;

const VALIDATE: &str = r#"
[[policy]]
name = "validate"
[[policy.config.events]]
event = "message"
[[policy.config.events.args]]
type = "object"
unknown_keys = "allow"
keys.text = { type = "string", required = true, max_length = 500, escape = true }
"#;

const THROTTLE: &str = r#"
[[policy]]
name = "throttle"
[[policy.config.events]]
event = "message"
window = "100ms"
"#;

const ROUTES: &str = r#"
[[namespace]]
path = "/"
[[namespace.route]]
event = "message"
to = "others"
"#;

const MODULES: [&str; 5] = [
    "fixture-empty",
    "fixture-ahead",
    "rate-limit",
    "validate",
    "throttle",
];

/// A policy set, the event that goes through it, and what it is called.
const CASES: [(&str, &[&str], &str); 7] = [
    ("empty policy", &[EMPTY], EVENT),
    ("rate-limit", &[RATE_LIMIT], EVENT),
    ("rate-limit, called", &[CALLED], EVENT),
    ("validate, passing", &[VALIDATE], EVENT),
    ("validate, replacing", &[VALIDATE], MARKED_UP),
    ("chain, passing", &[RATE_LIMIT, VALIDATE, THROTTLE], EVENT),
    (
        "chain, replacing",
        &[RATE_LIMIT, VALIDATE, THROTTLE],
        MARKED_UP,
    ),
];

fn modules() -> PathBuf {
    std::env::var("SLUICE_TEST_POLICIES")
        .expect("SLUICE_TEST_POLICIES is not set: run `cargo xtask bench`")
        .into()
}

fn line(folder: &Path, policies: &[&str]) -> Line {
    let mut config = format!("[plugins]\ndir = {:?}\n", folder.join("policies"));
    for policy in policies {
        config.push_str(policy);
    }
    config.push_str(ROUTES);
    let file = folder.join("sluice.toml");
    std::fs::write(&file, config).unwrap();
    Line::new(&file, "alice").unwrap_or_else(|exit| panic!("{exit}"))
}

/// A folder of policies with nothing in it but those that a configuration may name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut names = String::new();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    for name in MODULES {
        let from = modules().join(format!("{name}.wasm"));
        let to = folder.path().join(format!("policies/{name}.wasm"));
        std::fs::copy(&from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        write!(names, "{name} ").unwrap();
    }
    folder
}

/// The floor: a call of a component that does nothing, with nothing around it. And what it costs to record one.
fn floor(c: &mut Criterion) {
    let mut floor = Floor::new().unwrap();
    assert!(floor.call());
    let mut group = c.benchmark_group("call");
    group.bench_function("empty component", |b| b.iter(|| floor.call()));
    let mut recording = Recording::new();
    group.bench_function("recorded", |b| b.iter(|| recording.call()));
    group.finish();
}

/// From the read event to the verdict.
fn policies(c: &mut Criterion) {
    let folder = folder();
    let mut group = c.benchmark_group("policies");
    let alone = [("none", &[][..]), ("not interested", &[NOT_INTERESTED][..])];
    let alone = alone.map(|(name, policies)| (name, policies, EVENT));
    for (name, policies, event) in alone.into_iter().chain(CASES) {
        let line = line(folder.path(), policies);
        let ready = line.read(event).unwrap();
        assert!(line.judge(&ready), "{name}: the event is denied");
        group.bench_function(name, |b| b.iter(|| line.judge(&ready)));
    }
    group.finish();
}

/// From the text to the router's answer.
fn event(c: &mut Criterion) {
    let folder = folder();
    let mut group = c.benchmark_group("event");
    for (name, policies, event) in [
        ("no policy", &[][..], EVENT),
        ("rate-limit, validate", &[RATE_LIMIT, VALIDATE][..], EVENT),
    ] {
        let line = line(folder.path(), policies);
        assert!(line.event(event), "{name}: the event is denied");
        group.bench_function(name, |b| b.iter(|| line.event(event)));
    }
    group.finish();
}

/// The same policies without WebAssembly between them and the broker.
fn native(c: &mut Criterion) {
    let mut group = c.benchmark_group("native");
    let bucket = Bucket::new("alice", 4_000_000_000, 1e9);
    assert!(bucket.take());
    group.bench_function("rate-limit", |b| b.iter(|| bucket.take()));
    let shape = json!({"events": [{"event": "message", "args": [{
        "type": "object", "unknown_keys": "allow",
        "keys": {"text": {"type": "string", "required": true, "max_length": 500, "escape": true}},
    }]}]});
    let mut validate = testing::Bare::<validate::Validate>::new(&shape).unwrap();
    let args = |event: &str| format!("[{}", &event[r#"["message","#.len()..]);
    let (plain, marked_up) = (args(EVENT), args(MARKED_UP));
    group.bench_function("validate, passing", |b| {
        b.iter(|| validate.event(&plain));
    });
    group.bench_function("validate, replacing", |b| {
        b.iter(|| validate.event(&marked_up));
    });
    group.finish();
}

/// The chain on one thread and on two, each with a client of its own; the figure is the time for one event of all. Beside
/// it empty calls, whose threads have nothing in common: what the machine can give.
fn threads(c: &mut Criterion) {
    let folder = folder();
    let line = line(folder.path(), &[RATE_LIMIT, VALIDATE, THROTTLE]);
    let chain = |thread: u64| {
        let line = line.beside(thread + 1, &format!("user{thread}"));
        move || {
            let ready = line.read(EVENT).unwrap();
            Box::new(move || line.judge(&ready)) as Box<dyn FnMut() -> bool>
        }
    };
    let apart = |_| {
        || {
            let mut floor = Floor::new().unwrap();
            Box::new(move || floor.call()) as Box<dyn FnMut() -> bool>
        }
    };
    let mut group = c.benchmark_group("threads");
    for threads in [1u64, 2] {
        group.throughput(Throughput::Elements(threads));
        group.bench_function(BenchmarkId::from_parameter(threads), |b| {
            b.iter_custom(|iterations| at_once(threads, iterations, chain));
        });
        group.bench_function(BenchmarkId::new("apart", threads), |b| {
            b.iter_custom(|iterations| at_once(threads, iterations, apart));
        });
    }
    group.finish();
}

/// How long so many calls take on each of so many threads. `of` prepares a thread, on which what it has prepared is made.
fn at_once<M>(threads: u64, iterations: u64, of: impl Fn(u64) -> M) -> Duration
where
    M: FnOnce() -> Box<dyn FnMut() -> bool> + Send + 'static,
{
    let start = Arc::new(Barrier::new(threads as usize));
    let workers: Vec<_> = (0..threads)
        .map(|thread| {
            let (make, start) = (of(thread), start.clone());
            std::thread::spawn(move || {
                let mut call = make();
                // This thread's instances.
                assert!(call());
                start.wait();
                let begin = Instant::now();
                for _ in 0..iterations {
                    assert!(call());
                }
                begin.elapsed()
            })
        })
        .collect();
    workers
        .into_iter()
        .map(|worker| worker.join().unwrap())
        .max()
        .unwrap_or_default()
}

criterion_group!(benches, floor, policies, event, native, threads);
criterion_main!(benches);
