//! What is run, against which servers, how long.

use super::servers::Kind;

pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// What is shown above its rows.
    pub(super) title: &'static str,
    /// Arguments of the load generator.
    pub(super) arguments: &'static [&'static str],
    /// The same for a quick run; none if it has no part in one.
    pub(super) quick: Option<&'static [&'static str]>,
    pub(super) servers: &'static [Kind],
    /// The load generator is told where a policy's module stands.
    pub(super) replaces_a_policy: bool,
    /// What is shown: heading, path in the report, digits after the point, and by what it is divided.
    pub(super) columns: &'static [Column],
}

pub(super) struct Column {
    pub(super) heading: &'static str,
    pub(super) path: &'static str,
    pub(super) digits: usize,
    pub(super) divisor: f64,
}

const fn column(heading: &'static str, path: &'static str, digits: usize, divisor: f64) -> Column {
    Column {
        heading,
        path,
        digits,
        divisor,
    }
}

const EVERYONE: &[Kind] = &[
    Kind::Sluice,
    Kind::Relay,
    Kind::Twin,
    Kind::Node,
    Kind::Uws,
    Kind::Cluster,
    Kind::Floor,
];

const RATES: &[Column] = &[
    column("k/s", "/rate", 1, 1e3),
    column("CPU µs each", "/cpu_us", 2, 1.0),
    column("CPUs", "/cpus", 2, 1.0),
    column("p50 µs", "/latency/p50", 0, 1.0),
    column("p99 µs", "/latency/p99", 0, 1.0),
    column("lost", "/lost", 0, 1.0),
    column("twice", "/duplicated", 0, 1.0),
    column("out of order", "/reordered", 0, 1.0),
    column("refused", "/refused", 0, 1.0),
];

const MEMORY: &[Column] = &[
    column("bytes each", "/more/bytes", 0, 1.0),
    column("connects k/s", "/rate", 1, 1e3),
];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "echo",
        title: "Events with acks: 50 sockets, 8 in flight each, closed loop",
        arguments: &["echo", "--warm", "1", "--time", "4"],
        quick: Some(&["echo", "--warm", "0.5", "--time", "1"]),
        servers: EVERYONE,
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "fanout-8",
        title: "Fan-out 1 → 500, closed loop, 8 broadcasts in flight; a delivery each",
        arguments: &["fanout", "--window", "8", "--warm", "1", "--time", "4"],
        quick: Some(&["fanout", "--window", "8", "--warm", "0.5", "--time", "1"]),
        servers: EVERYONE,
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "fanout-64",
        title: "Fan-out 1 → 500, closed loop, 64 broadcasts in flight; a delivery each",
        arguments: &["fanout", "--window", "64", "--warm", "1", "--time", "4"],
        quick: Some(&["fanout", "--window", "64", "--warm", "0.5", "--time", "1"]),
        servers: EVERYONE,
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "paced",
        title: "Fan-out 1 → 500, paced at 25 k deliveries/s",
        arguments: &["paced", "--warm", "1", "--time", "5"],
        quick: Some(&["paced", "--warm", "0.5", "--time", "2"]),
        servers: EVERYONE,
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "idle-5k",
        title: "Resident memory of 5,000 connections that do nothing",
        arguments: &["idle", "--sockets", "5000"],
        quick: Some(&["idle", "--sockets", "2000"]),
        servers: EVERYONE,
        replaces_a_policy: false,
        columns: MEMORY,
    },
    Scenario {
        name: "idle-15k",
        title: "Resident memory of 15,000 connections that do nothing",
        arguments: &["idle", "--sockets", "15000"],
        quick: None,
        servers: &[Kind::Sluice],
        replaces_a_policy: false,
        columns: MEMORY,
    },
    Scenario {
        name: "connects",
        title: "Connections with a token, made, let in and cut, 64 at once",
        arguments: &["connects", "--warm", "1", "--time", "4"],
        quick: Some(&["connects", "--warm", "0.5", "--time", "1"]),
        servers: EVERYONE,
        replaces_a_policy: false,
        columns: RATES,
    },
];
