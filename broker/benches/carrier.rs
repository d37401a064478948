//! What it costs to put an event on the wire, to hand it to connections, and to look at what clients send.
//!
//! `cargo bench -p sluice --bench carrier`

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up is to stop"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sluice::bench::{Inward, Lanes, ack_frame, event_frame, msgpack_frame};

/// The text of an event as large as those of the edge's benchmark.
fn text() -> String {
    format!(
        r#"["message",{{"from":1,"seq":2,"room":"r0","text":"{}"}}]"#,
        "x".repeat(100)
    )
}

/// An event for connections whose clients read it, written at the end of the turn. More events in a turn are one write
/// still. Most of it is the kernel's.
fn lanes(c: &mut Criterion) {
    let mut group = c.benchmark_group("100 connections, events a turn");
    let lanes = Lanes::new(100, 128).expect("sockets");
    for events in [1_u64, 8, 64] {
        group.throughput(Throughput::Elements(100 * events));
        group.bench_function(BenchmarkId::from_parameter(events), |b| {
            b.iter(|| lanes.turn(events as usize));
        });
    }
    group.finish();
}

/// From an event's text to the bytes that go to its recipients; once for all of them.
fn encode(c: &mut Criterion) {
    let text = text();
    let mut group = c.benchmark_group("encode");
    group.bench_function("event", |b| b.iter(|| event_frame(black_box(&text))));
    group.bench_function("event, msgpack", |b| {
        b.iter(|| msgpack_frame(black_box(&text)))
    });
    group.bench_function("ack", |b| {
        b.iter(|| ack_frame(7, black_box(r#"[{"ok":true}]"#)))
    });
    group.finish();
}

/// A client's frame, judged before the protocol library reads it.
fn inward(c: &mut Criterion) {
    let mut group = c.benchmark_group("judge");
    for (name, packet) in [
        ("event", format!("42{}", text())),
        ("event with ack", format!("4217{}", text())),
        ("pong", "3".to_owned()),
    ] {
        let mut inward = Inward::new(&packet);
        assert!(
            inward.take().is_some_and(|taken| taken > packet.len()),
            "{name} did not pass"
        );
        group.bench_function(name, |b| b.iter(|| inward.take()));
    }
    group.finish();
}

criterion_group!(benches, lanes, encode, inward);
criterion_main!(benches);
