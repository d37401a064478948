//! What was aimed at: ratios within one run, and what must not happen.

use super::results::Results;
use super::servers::Kind;

struct Target {
    text: &'static str,
    value: fn(&Results) -> Option<f64>,
    bound: Bound,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// A target and what came of it.
pub(super) struct Judged {
    pub(super) text: &'static str,
    pub(super) value: f64,
    bound: Bound,
}

impl Judged {
    pub(super) fn met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.value >= bound,
            Bound::AtMost(bound) => self.value <= bound,
        }
    }

    pub(super) fn bound(&self) -> String {
        match self.bound {
            Bound::AtLeast(bound) => format!("≥ {bound}"),
            Bound::AtMost(bound) => format!("≤ {bound}"),
        }
    }
}

/// Those of which all the numbers are there.
pub(super) fn judge(results: &Results) -> Vec<Judged> {
    let judged = TARGETS.iter().filter_map(|target| {
        Some(Judged {
            text: target.text,
            value: (target.value)(results)?,
            bound: target.bound,
        })
    });
    judged.collect()
}

const TARGETS: &[Target] = &[
    Target {
        text: "echo: rate, times the native twin's",
        value: |results| ratio(results, "echo", "/rate", Kind::Sluice, Kind::Twin),
        bound: Bound::AtLeast(1.5),
    },
    Target {
        text: "echo: rate, times Node's",
        value: |results| ratio(results, "echo", "/rate", Kind::Sluice, Kind::Node),
        bound: Bound::AtLeast(4.0),
    },
    Target {
        text: "echo: rate, times that of Node on uWebSockets",
        value: |results| ratio(results, "echo", "/rate", Kind::Sluice, Kind::Uws),
        bound: Bound::AtLeast(1.9),
    },
    Target {
        text: "fan-out, window 8: deliveries per CPU, times those of Node on uWebSockets",
        value: |results| ratio(results, "fanout-8", "/cpu_us", Kind::Uws, Kind::Sluice),
        bound: Bound::AtLeast(1.1),
    },
    Target {
        text: "fan-out, window 64: deliveries per CPU, times those of Node on uWebSockets",
        value: |results| ratio(results, "fanout-64", "/cpu_us", Kind::Uws, Kind::Sluice),
        bound: Bound::AtLeast(8.0),
    },
    Target {
        text: "fan-out by a member, window 64: deliveries per CPU, times those of Node on uWebSockets",
        value: |results| ratio(results, "members-64", "/cpu_us", Kind::Uws, Kind::Sluice),
        bound: Bound::AtLeast(8.0),
    },
    Target {
        text: "fan-out: deliveries lost, doubled or out of order, in any round",
        value: |results| {
            let paths = ["/lost", "/duplicated", "/reordered", "/refused"];
            let counts = ["fanout-8", "fanout-64", "members-64", "paced"]
                .iter()
                .flat_map(|scenario| {
                    paths.map(|path| results.greatest(scenario, Kind::Sluice, path))
                });
            counts.flatten().reduce(|sum, count| sum + count)
        },
        bound: Bound::AtMost(0.0),
    },
    Target {
        text: "fan-out, paced: CPU a delivery, times the floor's",
        value: |results| ratio(results, "paced", "/cpu_us", Kind::Sluice, Kind::Floor),
        bound: Bound::AtMost(0.9),
    },
    Target {
        text: "idle: KiB a connection",
        value: |results| kibibytes(results, "idle"),
        bound: Bound::AtMost(16.0),
    },
    Target {
        text: "idle, 15,000: KiB a connection",
        value: |results| kibibytes(results, "idle-15k"),
        bound: Bound::AtMost(16.0),
    },
    Target {
        text: "connects a second, times Node's",
        value: |results| ratio(results, "connects", "/rate", Kind::Sluice, Kind::Node),
        bound: Bound::AtLeast(5.0),
    },
    Target {
        text: "storm: p99 of the bystanders, in ms",
        value: |results| Some(results.median("storm", Kind::Sluice, "/latency/p99")? / 1e3),
        bound: Bound::AtMost(50.0),
    },
    Target {
        text: "storm: bystanders' events lost, in any round",
        value: |results| results.greatest("storm", Kind::Sluice, "/lost"),
        bound: Bound::AtMost(0.0),
    },
    Target {
        text: "stall: ms until the one that stopped is gone, once its buffers are full",
        value: |results| results.median("stall", Kind::Sluice, "/more/gone_ms"),
        bound: Bound::AtMost(1000.0),
    },
    Target {
        text: "stall: p99 of the others, times that of before",
        value: |results| results.median("stall", Kind::Sluice, "/more/p99_ratio"),
        bound: Bound::AtMost(1.2),
    },
    Target {
        text: "receivers 500 → 5,000: CPU a delivery, times that of before",
        value: |results| growth(results, "receivers-5k", "receivers-500"),
        bound: Bound::AtMost(1.2),
    },
    Target {
        text: "rooms 10 → 100,000: CPU an event, times that of before",
        value: |results| growth(results, "rooms-100k", "rooms-10"),
        bound: Bound::AtMost(1.1),
    },
    Target {
        text: "reload: ms with a p99 of over twice that of before, beyond those without one",
        value: |results| {
            let of = |path| results.median("reload", Kind::Sluice, path);
            Some(of("/more/disturbed_ms")? - of("/more/calm_ms")?)
        },
        bound: Bound::AtMost(50.0),
    },
    Target {
        text: "reload: events lost or denied, in any round",
        value: |results| {
            let of = |path| results.greatest("reload", Kind::Sluice, path);
            Some(of("/lost")? + of("/refused")?)
        },
        bound: Bound::AtMost(0.0),
    },
    Target {
        text: "two reactors, window 64: CPU a delivery, times one's",
        value: |results| reactors(results, "reactors-64"),
        bound: Bound::AtMost(1.15),
    },
    Target {
        text: "two reactors, paced: CPU a delivery, times one's",
        value: |results| reactors(results, "reactors-paced"),
        bound: Bound::AtMost(1.15),
    },
];

/// One server's number by another's.
fn ratio(results: &Results, scenario: &str, path: &str, over: Kind, under: Kind) -> Option<f64> {
    let under = results.median(scenario, under, path)?;
    (under > 0.0).then_some(results.median(scenario, over, path)? / under)
}

fn reactors(results: &Results, scenario: &str) -> Option<f64> {
    ratio(
        results,
        scenario,
        "/cpu_us",
        Kind::TwoReactors,
        Kind::OneReactor,
    )
}

/// What an operation costs in one scenario, by what it costs in another.
fn growth(results: &Results, large: &str, small: &str) -> Option<f64> {
    let of = |scenario| results.median(scenario, Kind::Sluice, "/cpu_us");
    Some(of(large)? / of(small).filter(|&cost| cost > 0.0)?)
}

fn kibibytes(results: &Results, scenario: &str) -> Option<f64> {
    Some(results.median(scenario, Kind::Sluice, "/more/bytes")? / 1024.0)
}
