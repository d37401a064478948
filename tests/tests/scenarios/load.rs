//! The load generator measures this broker in the configuration of the benchmark, so that neither of them rots. Nothing
//! here is about speed: what is held against it is that everything arrives, once, in order, and passes the checks.

use std::time::Duration;

use sluice_load::report::Report;
use sluice_load::scenario::{self, Bench};
use sluice_tests::{Broker, Setup};

const SECRET: &str = "the secret of one scenario";
const POLICIES: [&str; 4] = ["jwt-auth", "rate-limit", "validate", "throttle"];

fn broker() -> Broker {
    Setup::new(include_str!("../../load/sluice.toml"))
        .modules(&POLICIES)
        .env("JWT_SECRET", SECRET)
        .start()
}

fn bench(broker: &Broker) -> Bench {
    Bench {
        address: broker.listen,
        server: Some(broker.load()),
        secret: Some(SECRET.to_owned()),
        warm: Duration::from_millis(50),
        time: Duration::from_secs(1),
    }
}

#[track_caller]
fn is_clean(report: &Report) {
    assert!(report.operations > 0, "{report:?}");
    assert_eq!(
        (
            report.lost,
            report.duplicated,
            report.reordered,
            report.refused
        ),
        (0, 0, 0, 0),
        "{report:?}"
    );
}

#[test]
fn the_load_generator_finds_nothing_lost_doubled_or_out_of_order() {
    let broker = broker();
    let bench = bench(&broker);
    is_clean(&scenario::echo(&bench, 4, 8).unwrap());
    is_clean(&scenario::fanout(&bench, 10, 8, true).unwrap());
    is_clean(&scenario::paced(&bench, 10, 1000).unwrap());
    is_clean(&scenario::connects(&bench, 4).unwrap());
    let idle = scenario::idle(&bench, 20).unwrap();
    assert_eq!(idle.operations, 20);
}

#[test]
fn the_load_generator_is_refused_without_a_token() {
    let broker = broker();
    let bench = Bench {
        secret: None,
        ..bench(&broker)
    };
    let error = scenario::echo(&bench, 1, 1).unwrap_err();
    assert!(error.to_string().contains("token_missing"), "{error}");
}
