//! What it costs to find the recipients of an event and to call each, on one reactor and over several, and whether the
//! number of rooms matters. The sockets only count: what is done for one by its transport comes on top.
//!
//! `cargo bench -p sluice --bench fanout`

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sluice::bench::Fan;

/// An event for 500 sockets, by one of them. All reactors are driven by one thread, so the time is processor time.
fn broadcast(c: &mut Criterion) {
    let mut group = c.benchmark_group("1 to 500, reactors");
    group.throughput(Throughput::Elements(500));
    for reactors in [1, 2, 4] {
        let fan = Fan::new(reactors, 500);
        group.bench_function(BenchmarkId::from_parameter(reactors), |b| {
            b.iter(|| {
                fan.to_all();
                fan.deliver();
            });
        });
        assert!(fan.sent() > 0, "nobody was sent anything");
    }
    group.finish();
}

/// The same for 64 events at a time, which is what an inbox is for.
fn batched(c: &mut Criterion) {
    let mut group = c.benchmark_group("64 events, 1 to 500, reactors");
    group.throughput(Throughput::Elements(64 * 500));
    for reactors in [1, 2, 4] {
        let fan = Fan::new(reactors, 500);
        group.bench_function(BenchmarkId::from_parameter(reactors), |b| {
            b.iter(|| {
                (0..64).for_each(|_| fan.to_all());
                fan.deliver();
            });
        });
    }
    group.finish();
}

/// An event for a room of two out of so many rooms.
fn rooms(c: &mut Criterion) {
    for reactors in [1, 2] {
        let mut group = c.benchmark_group(format!("a room of two, {reactors} reactors, rooms"));
        for rooms in [10, 1000, 100_000] {
            let fan = Fan::new(reactors, 1000);
            for room in 0..rooms {
                fan.join(room % 1000, room);
                fan.join((room + 1) % 1000, room);
            }
            // Not one after the other, which caches would know.
            let mut room = 0;
            group.bench_function(BenchmarkId::from_parameter(rooms), |b| {
                b.iter(|| {
                    room = (room + 7919) % rooms;
                    fan.to_room(room);
                    fan.deliver();
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, broadcast, batched, rooms);
criterion_main!(benches);
