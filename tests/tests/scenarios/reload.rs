//! Hot reload under fire: every event is answered by exactly one generation, none is lost, none overtakes.

use std::time::Duration;

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, Flood, Pending, Setup, eventually, policy};

use crate::shared::websocket;

/// The policy `validate`, whose two builds stamp what they let through.
const CONFIG: &str = r#"
    [[policy]]
    name = "validate"
    [[namespace]]
    path = "/"
    [[namespace.route]]
    event = "*"
    action = "emit"
    to = "all"
"#;

const CLIENTS: usize = 4;
/// Events a second of each client: 1,000 in total.
const RATE: u64 = 250;
/// More than any machine needs the time for: the floods end when the reloads are done.
const MOST: u64 = RATE * 120;
const RELOADS: u64 = 10;

/// A broker under fire: clients that send and receive throughout.
pub(crate) struct Fire {
    pub(crate) broker: Broker,
    clients: Vec<Client>,
    floods: Vec<Pending<Flood>>,
    _node: Driver,
}

impl Fire {
    pub(crate) fn start() -> Self {
        let node = Driver::node();
        let broker = Setup::new(CONFIG)
            .file("policies/validate.wasm", policy("fixture-stamp"))
            .start();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| node.connect_quiet(&format!("client-{n}"), &broker.url("/"), &websocket()))
            .collect();
        let floods = clients
            .iter()
            .map(|client| client.flood("n", MOST, RATE, &json!({"template": {"by": client.name}})))
            .collect();
        Self {
            broker,
            clients,
            floods,
            _node: node,
        }
    }

    fn generation(&self) -> u64 {
        self.broker.policy("validate")["generation"]
            .as_u64()
            .expect("a generation")
    }

    /// Waits for a generation, and until it has served a while.
    pub(crate) fn wait_generation(&self, wanted: u64) {
        eventually(&format!("generation {wanted}"), || {
            (self.generation() >= wanted).then_some(())
        });
        let received = || {
            self.broker
                .metrics()
                .sum("sluice_events_received_total", &[])
        };
        let before = received();
        eventually("events to flow", || {
            (received() >= before + 100.0).then_some(())
        });
    }

    /// Everything sent has been acknowledged in order and delivered to everyone, once, in order, stamped by one
    /// generation, and no event by an older one than the event before it. The number of stamps seen in a row.
    pub(crate) fn judge(self) -> usize {
        for client in &self.clients {
            client.calm();
        }
        let mut sent = Vec::new();
        for (client, flood) in self.clients.iter().zip(self.floods) {
            let Flood { answers, elapsed } = flood.wait();
            let refused: Vec<_> = answers
                .iter()
                .filter(|(_, ack, _)| *ack != json!({"ok": true}))
                .collect();
            assert!(
                refused.is_empty(),
                "{}: not acknowledged: {refused:?}",
                client.name
            );
            let count = u64::try_from(answers.len()).unwrap();
            assert!(
                answers.iter().map(|(seq, ..)| *seq).eq(0..count),
                "{}: acks in order",
                client.name
            );
            let pace = count as f64 / elapsed.as_secs_f64();
            assert!(
                pace > RATE as f64 / 10.0,
                "{} was to be under fire: {pace} events/s",
                client.name
            );
            sent.push(count);
        }
        let total = usize::try_from(sent.iter().sum::<u64>()).unwrap();
        let mut runs = 0;
        for receiver in &self.clients {
            receiver.wait_received(total);
            let received = receiver.collect();
            assert_eq!(
                received.len(),
                total,
                "{} receives each event once",
                receiver.name
            );
            for (sender, count) in self.clients.iter().zip(&sent) {
                let events: Vec<_> = received
                    .iter()
                    .filter(|event| event[1]["by"] == json!(sender.name))
                    .collect();
                let sequence = events.iter().map(|event| event[1]["seq"].as_u64());
                assert!(
                    sequence.eq((0..*count).map(Some)),
                    "{} sees {} in order",
                    receiver.name,
                    sender.name
                );
                let stamps: Vec<&Value> = events.iter().map(|event| stamp(event)).collect();
                let own = 1 + stamps.windows(2).filter(|pair| pair[0] != pair[1]).count();
                runs = runs.max(own);
            }
        }
        runs
    }
}

/// The one stamp of an event: name, argument, stamp.
fn stamp(event: &[Value]) -> &Value {
    assert_eq!(event.len(), 3, "stamped once: {event:?}");
    &event[2]
}

#[test]
fn each_event_is_served_by_one_generation_and_none_is_lost() {
    let fire = Fire::start();
    let builds = [policy("fixture-stamp-b"), policy("fixture-stamp")];
    for (number, build) in (2..)
        .zip(builds.iter().cycle())
        .take(usize::try_from(RELOADS).unwrap())
    {
        fire.broker.replace_module("validate", build);
        fire.wait_generation(number);
    }
    assert_eq!(
        fire.generation(),
        1 + RELOADS,
        "each replacement made one generation"
    );
    let metrics = fire.broker.metrics();
    assert_eq!(
        metrics.sum("sluice_policy_generation", &[("policy", "validate")]),
        11.0,
        "{}",
        metrics.text()
    );
    // Ten alternations make eleven runs of stamps in the eyes of every receiver, never one more: nothing overtakes.
    assert_eq!(fire.judge(), 11);
}

/// The same with a copy that takes its time: the file is empty for a while, then half there. Whatever the broker
/// makes of the pieces, it serves a whole module throughout and the new one in the end.
#[test]
fn a_slow_copy_does_no_harm() {
    let fire = Fire::start();
    let builds = [policy("fixture-stamp-b"), policy("fixture-stamp")];
    for build in builds.iter().cycle().take(4) {
        let before = fire.generation();
        fire.broker
            .overwrite_module_slowly("validate", build, Duration::from_millis(120));
        fire.wait_generation(before + 1);
    }
    eventually("readiness", || {
        (fire.broker.get("/readyz").status == 200).then_some(())
    });
    assert_eq!(fire.judge(), 5, "four changes of the stamp");
}

/// The same bytes again are no change.
#[test]
fn a_touched_file_is_not_loaded_again() {
    let broker = Setup::new(CONFIG)
        .file("policies/validate.wasm", policy("fixture-stamp"))
        .start();
    let generation = || broker.policy("validate")["generation"].as_u64();
    broker.replace_module("validate", &policy("fixture-stamp"));
    broker.replace_module("validate", &policy("fixture-stamp-b"));
    eventually("the second build", || {
        (generation() >= Some(2)).then_some(())
    });
    assert_eq!(generation(), Some(2));
}
