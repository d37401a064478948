//! The two servers, and the comparison.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::thread;

use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, Setup};

use super::deliberate::Known;

/// What the client of one case has seen, a line an answer.
pub(super) type Seen = Vec<String>;

/// A script that is played to either server.
pub(super) struct Case {
    pub name: String,
    pub play: Box<dyn Fn(SocketAddr) -> Seen + Send + Sync>,
}

impl Case {
    pub(super) fn new(
        name: impl Into<String>,
        play: impl Fn(SocketAddr) -> Seen + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            play: Box::new(play),
        }
    }
}

/// Whatever is sent comes back, in `/` and `/custom`; as `echo` of `reference.mjs`.
const ECHO: &str = r#"
    [server.cors]
    origins = ["*"]
    [[policy]]
    name = "fixture-gate"
    [policy.config]
    deny = [{ event = "bye", code = "closed", message = "as asked", disconnect = true }]
    [[namespace]]
    path = "/"
    [[namespace.route]]
    event = "*"
    action = "emit"
    to = "sender"
    [[namespace]]
    path = "/custom"
    [[namespace.route]]
    event = "*"
    action = "emit"
    to = "sender"
"#;

/// Node's server and the broker, set up alike.
pub(super) struct Servers {
    pub node: SocketAddr,
    pub broker: Broker,
    pub driver: Driver,
}

impl Servers {
    /// `options` of Node's server, and the same as keys of `[server]`.
    pub(super) fn start(options: &Value, keys: &str) -> Self {
        let driver = Driver::node();
        let node = driver.echo(options);
        let broker = Setup::new(&format!("[server]\n{keys}\n{ECHO}"))
            .modules(&["fixture-gate"])
            .start();
        Self {
            node,
            broker,
            driver,
        }
    }

    /// Short times and small payloads. What ends a client comes a second or more before what would end it next, because
    /// official clients and Node's server share a process.
    pub(super) fn hasty() -> Self {
        let options = json!({
            "pingInterval": 1000, "pingTimeout": 4000, "connectTimeout": 2500, "upgradeTimeout": 2500,
            "maxHttpBufferSize": 10_000,
        });
        let keys = r#"
            ping_interval = "1s"
            ping_timeout = "4s"
            connect_timeout = "2500ms"
            upgrade_timeout = "2500ms"
            max_payload = "10kB"
        "#;
        Self::start(&options, keys)
    }

    /// Plays every case to both, side by side, and fails with all differences that are not deliberate.
    pub(super) fn compare(&self, cases: &[Case]) {
        let mut report = String::new();
        for some in cases.chunks(24) {
            let seen = thread::scope(|scope| {
                let started: Vec<_> = some
                    .iter()
                    .map(|case| {
                        let play = |to| scope.spawn(move || (case.play)(to));
                        (play(self.node), play(self.broker.listen))
                    })
                    .collect();
                let joined = started.into_iter().map(|(node, broker)| {
                    let node = node.join().expect("the script runs against Node's server");
                    (
                        node,
                        broker.join().expect("the script runs against the broker"),
                    )
                });
                joined.collect::<Vec<_>>()
            });
            for (case, (node, broker)) in some.iter().zip(seen) {
                report.push_str(&difference(&case.name, &node, &broker));
            }
        }
        assert!(report.is_empty(), "{report}");
    }
}

/// What there is to say about a case; nothing where all is as it should be.
fn difference(name: &str, node: &Seen, broker: &Seen) -> String {
    let mut report = String::new();
    match Known::of(name) {
        None if node == broker => {}
        // One that is no difference any more has to go.
        Some(known) if known.is(broker) && node != broker => {}
        known => {
            let _ = writeln!(report, "=== {name}");
            if let Some(known) = known {
                let _ = writeln!(
                    report,
                    "    deliberate: {}\n    {:#?}",
                    known.why, known.broker
                );
            }
            let _ = writeln!(
                report,
                "    Node's server: {node:?}\n    the broker:    {broker:?}"
            );
        }
    }
    report
}
