//! What is run, against which servers, how long.

use super::servers::Kind;

pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// What is shown above its rows.
    pub(super) title: &'static str,
    /// Arguments of the load generator.
    pub(super) arguments: &'static str,
    /// The same for a quick run; none if it has no part in one.
    pub(super) quick: Option<&'static str>,
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

const WITH_TOKENS: &[Kind] = &[
    Kind::Sluice,
    Kind::Twin,
    Kind::Node,
    Kind::Uws,
    Kind::Cluster,
];

const REACTORS: &[Kind] = &[Kind::OneReactor, Kind::TwoReactors];

const RATES: &[Column] = &[
    column("k/s", "/rate", 1, 1e3),
    column("CPU µs each", "/cpu_us", 2, 1.0),
    column("CPUs", "/cpus", 2, 1.0),
    column("generator µs", "/generator_us", 2, 1.0),
    column("p50 µs", "/latency/p50", 0, 1.0),
    column("p99 µs", "/latency/p99", 0, 1.0),
    column("lost", "/lost", 0, 1.0),
    column("twice", "/duplicated", 0, 1.0),
    column("out of order", "/reordered", 0, 1.0),
    column("refused", "/refused", 0, 1.0),
];

const MEMORY: &[Column] = &[
    column("connections", "/operations", 0, 1.0),
    column("bytes each", "/more/bytes", 0, 1.0),
    column("connects k/s", "/rate", 1, 1e3),
];

const STORM: &[Column] = &[
    column("connections", "/operations", 0, 1.0),
    column("all back ms", "/more/back_ms", 0, 1.0),
    column("p50 ms", "/latency/p50", 1, 1e3),
    column("p99 ms", "/latency/p99", 1, 1e3),
    column("p99 ms before", "/more/calm_p99", 1, 1e3),
    column("CPU µs a connection", "/cpu_us", 0, 1.0),
    column("lost", "/lost", 0, 1.0),
    column("refused", "/refused", 0, 1.0),
];

const STALL: &[Column] = &[
    column("buffers full after ms", "/more/filled_ms", 0, 1.0),
    column("gone after another ms", "/more/gone_ms", 0, 1.0),
    column("p99 µs", "/latency/p99", 0, 1.0),
    column("p99 µs before", "/more/before_p99", 0, 1.0),
    column("ratio", "/more/p99_ratio", 2, 1.0),
    column("lost", "/lost", 0, 1.0),
    column("out of order", "/reordered", 0, 1.0),
];

const RELOAD: &[Column] = &[
    column("reloads", "/more/reloads", 0, 1.0),
    column("disturbed ms", "/more/disturbed_ms", 0, 1.0),
    column("the same without a reload", "/more/calm_ms", 0, 1.0),
    column("p99 µs", "/latency/p99", 0, 1.0),
    column("p99 µs before", "/more/before_p99", 0, 1.0),
    column("lost", "/lost", 0, 1.0),
    column("refused", "/refused", 0, 1.0),
];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "echo",
        title: "Events with acks: 50 sockets, 8 in flight each, closed loop",
        arguments: "echo --warm 1 --time 3",
        quick: Some("echo --warm 0.3 --time 0.7"),
        servers: EVERYONE,
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "fanout-8",
        title: "Fan-out 1 → 500, closed loop, 8 broadcasts in flight; a delivery each",
        arguments: "fanout --window 8 --warm 1 --time 3",
        quick: Some("fanout --window 8 --warm 0.3 --time 0.7"),
        servers: EVERYONE,
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "fanout-64",
        title: "Fan-out 1 → 500, closed loop, 64 broadcasts in flight; a delivery each",
        arguments: "fanout --window 64 --warm 1 --time 3",
        quick: Some("fanout --window 64 --warm 0.3 --time 0.7"),
        servers: EVERYONE,
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "members-64",
        title: "The same, sent by a member of the room to the others",
        arguments: "fanout --member --window 64 --warm 1 --time 3",
        quick: Some("fanout --member --window 64 --warm 0.3 --time 0.7"),
        servers: &[Kind::Sluice, Kind::Twin, Kind::Node, Kind::Uws],
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "paced",
        title: "Fan-out 1 → 500, paced at 25 k deliveries/s",
        arguments: "paced --warm 1 --time 4",
        quick: Some("paced --warm 0.3 --time 1"),
        servers: EVERYONE,
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "idle",
        title: "Resident memory of connections that do nothing",
        arguments: "idle --sockets 5000",
        quick: Some("idle --sockets 1000"),
        servers: EVERYONE,
        replaces_a_policy: false,
        columns: MEMORY,
    },
    Scenario {
        name: "idle-15k",
        title: "The same with many of them",
        arguments: "idle --sockets 15000",
        quick: None,
        servers: &[Kind::Sluice],
        replaces_a_policy: false,
        columns: MEMORY,
    },
    Scenario {
        name: "connects",
        title: "Connections with a token, made, let in and cut, 64 at once",
        arguments: "connects --warm 1 --time 3",
        quick: Some("connects --warm 0.3 --time 0.7"),
        servers: EVERYONE,
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "storm",
        title: "Connections that break and come back at once; latency is that of 50 bystanders' events meanwhile",
        arguments: "storm --sockets 10000 --warm 0 --time 2",
        quick: Some("storm --sockets 2000 --warm 0 --time 0.5"),
        servers: WITH_TOKENS,
        replaces_a_policy: false,
        columns: STORM,
    },
    Scenario {
        name: "stall",
        title: "One reader of 500 stops; latency is that of the others afterwards",
        arguments: "stall --warm 1 --time 3",
        quick: Some("stall --warm 0.3 --time 1.2"),
        servers: &[Kind::Sluice, Kind::Twin, Kind::Uws],
        replaces_a_policy: false,
        columns: STALL,
    },
    Scenario {
        name: "receivers-500",
        title: "Fan-out 1 → 500, paced at 100 k deliveries/s, as the measure of the next",
        arguments: "paced --receivers 500 --rate 100000 --warm 1 --time 3",
        quick: None,
        servers: &[Kind::Sluice],
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "receivers-5k",
        title: "Fan-out 1 → 5,000, paced at 100 k deliveries/s",
        arguments: "paced --receivers 5000 --rate 100000 --warm 1 --time 3",
        quick: None,
        servers: &[Kind::Sluice],
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "rooms-10",
        title: "Events of ten senders to one receiver each, in 10 rooms",
        arguments: "rooms --rooms 10 --warm 1 --time 3",
        quick: None,
        servers: &[Kind::Sluice],
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "rooms-100k",
        title: "The same events in 100,000 rooms",
        arguments: "rooms --rooms 100000 --warm 1 --time 3",
        quick: None,
        servers: &[Kind::Sluice],
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "reload",
        title: "A policy's module is replaced again and again under 10 k events/s",
        arguments: "reload --warm 1 --times 5",
        quick: Some("reload --warm 0.5 --times 1"),
        servers: &[Kind::Sluice],
        replaces_a_policy: true,
        columns: RELOAD,
    },
    Scenario {
        name: "reactors-64",
        title: "One reactor and two: fan-out 1 → 500, window 64",
        arguments: "fanout --window 64 --warm 1 --time 3",
        quick: Some("fanout --window 64 --warm 0.3 --time 0.7"),
        servers: REACTORS,
        replaces_a_policy: false,
        columns: RATES,
    },
    Scenario {
        name: "reactors-paced",
        title: "One reactor and two: fan-out 1 → 500, paced at 25 k deliveries/s",
        arguments: "paced --warm 1 --time 4",
        quick: Some("paced --warm 0.3 --time 0.7"),
        servers: REACTORS,
        replaces_a_policy: false,
        columns: RATES,
    },
];
