//! What it costs to find out what becomes of an event: how much a room costs that stands in its arguments, and how much
//! every route before the one that matches.
//!
//! `cargo bench -p sluice --bench router`

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark that cannot run has nobody to report to"
)]

use std::fmt::Write as _;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sluice::bench::{Line, Ready};

/// The router of these routes, which has no policies, and an event that it has an answer for.
fn routed(routes: &str, event: &str) -> (Line, Ready) {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    std::fs::create_dir(&policies).unwrap();
    let file = folder.path().join("sluice.toml");
    let config = format!("[plugins]\ndir = {policies:?}\n[[namespace]]\npath = \"/\"\n{routes}");
    std::fs::write(&file, config).unwrap();
    let line = Line::new(&file, "alice").unwrap_or_else(|exit| panic!("{exit}"));
    let ready = line.read(event).unwrap();
    assert!(line.route(&ready), "no route for {event}");
    (line, ready)
}

fn route(event: &str, rest: &str) -> String {
    format!("[[namespace.route]]\nevent = {event:?}\n{rest}\n")
}

/// Whom an event goes to.
fn targets(c: &mut Criterion) {
    let mut group = c.benchmark_group("to");
    let short = r#"["message",{"room":"general","text":"a message of usual length"}]"#;
    let text = "a message of usual length ".repeat(160);
    let behind = format!(r#"["message",{{"text":"{text}","room":"general"}}]"#);
    for (name, to, event) in [
        ("others", r#"to = "others""#, short),
        ("a room", "to = \"room\"\nroom = \"general\"", short),
        (
            "the room in the event",
            "to = \"room\"\nroom = \"/0/room\"",
            short,
        ),
        (
            "the room behind 4 KB",
            "to = \"room\"\nroom = \"/0/room\"",
            &*behind,
        ),
        ("rooms of the sender", r#"to = "rooms""#, short),
    ] {
        let (line, ready) = routed(&route("message", to), event);
        group.bench_function(name, |b| b.iter(|| line.route(&ready)));
    }
    group.finish();
}

/// The last of so many routes is the one.
fn lists(c: &mut Criterion) {
    for (kind, suffix) in [("names", ""), ("globs", "*")] {
        let mut group = c.benchmark_group(format!("the last of so many routes, {kind}"));
        for count in [1, 10, 100] {
            let mut routes = String::new();
            for number in 1..count {
                let event = format!("event:{number}{suffix}");
                write!(routes, "{}", route(&event, r#"to = "others""#)).unwrap();
            }
            routes.push_str(&route("*", r#"to = "others""#));
            let (line, ready) = routed(&routes, r#"["event:message",{"text":"hello"}]"#);
            group.bench_function(BenchmarkId::from_parameter(count), |b| {
                b.iter(|| line.route(&ready));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, targets, lists);
criterion_main!(benches);
