//! One sender's events arrive in the order sent, at every recipient on every node, whatever rooms they go to.

use std::thread;

use serde_json::json;
use sluice_tests::{Client, Cluster, Driver};

use super::Accounts;
use crate::shared::{RELAY, websocket};

const ROOMS: u64 = 5;

/// Each event goes another way: into a room of several, to all, to the others.
fn send(sender: &Client, seq: u64) {
    let by = &sender.name;
    match seq % 3 {
        0 => sender.emit("room:n", json!([format!("r{}", seq % ROOMS), by, seq])),
        1 => sender.emit("all:n", json!(["", by, seq])),
        _ => sender.emit("n", json!(["", by, seq])),
    }
}

#[test]
fn many_senders_are_in_order_everywhere() {
    const EVENTS: u64 = 300;
    let cluster = Cluster::start(3, RELAY);
    let driver = Driver::node();
    let readers: Vec<Client> = (0..6)
        .map(|number| {
            let transport = ["websocket", "polling"][number / 3];
            let options = json!({"transports": [transport]});
            let url = cluster[number % 3].url("/");
            driver.connect_quiet(&format!("reader-{number}"), &url, &options)
        })
        .collect();
    for reader in &readers {
        for room in 0..ROOMS {
            reader.ok("join", json!([format!("r{room}")]));
        }
    }
    let senders: Vec<_> = (0..6)
        .map(|number| {
            let url = cluster[number % 3].url("/");
            // Processes of their own, so that they send side by side.
            thread::spawn(move || {
                let sender =
                    Driver::node().connect_quiet(&format!("sender-{number}"), &url, &websocket());
                (0..EVENTS).for_each(|seq| send(&sender, seq));
                // Gone after what it has sent.
                sender.ok("room:none", json!(["none"]));
                sender.name
            })
        })
        .collect();
    let names: Vec<String> = senders.into_iter().map(|it| it.join().unwrap()).collect();
    for reader in &readers {
        reader.wait_received(names.len() * usize::try_from(EVENTS).unwrap());
        let received = reader.collect();
        for name in &names {
            let by = received.iter().filter(|event| event[2] == json!(name));
            let sequence = by.map(|event| event[3].as_u64());
            assert!(
                sequence.eq((0..EVENTS).map(Some)),
                "{} sees {name} in order, none lost, none twice",
                reader.name
            );
        }
        assert_eq!(
            received.len(),
            names.len() * usize::try_from(EVENTS).unwrap()
        );
    }
    let accounts = Accounts::settled(&cluster, &[0, 1, 2]);
    assert_eq!(
        (accounts.dropped, accounts.missing),
        (0.0, 0.0),
        "{accounts:?}"
    );
}

/// What clients send in a burst, as fast as they can, is neither lost nor reordered between nodes.
#[test]
fn a_burst_is_whole() {
    const EVENTS: u64 = 3000;
    let cluster = Cluster::start(3, RELAY);
    let driver = Driver::node();
    let readers: Vec<_> = (0..3)
        .map(|node| {
            driver.connect_quiet(&format!("r{node}"), &cluster[node].url("/"), &websocket())
        })
        .collect();
    let senders: Vec<_> = (0..3)
        .map(|node| {
            driver.connect_quiet(&format!("s{node}"), &cluster[node].url("/"), &websocket())
        })
        .collect();
    let floods: Vec<_> = senders
        .iter()
        .map(|sender| {
            sender.flood(
                "all:n",
                EVENTS,
                100_000,
                &json!({"template": {"by": sender.name}}),
            )
        })
        .collect();
    for flood in floods {
        let answers = flood.wait().answers;
        assert!(
            answers
                .iter()
                .all(|(_, ack, _)| *ack == json!({"ok": true}))
        );
    }
    for reader in &readers {
        reader.wait_received(usize::try_from(EVENTS).unwrap() * senders.len());
        let received = reader.collect();
        for sender in &senders {
            let by = received
                .iter()
                .filter(|event| event[1]["by"] == json!(sender.name));
            let sequence: Vec<_> = by.map(|event| event[1]["seq"].as_u64()).collect();
            let whole: Vec<_> = (0..EVENTS).map(Some).collect();
            assert!(
                sequence == whole,
                "{} of {}: {} events",
                reader.name,
                sender.name,
                sequence.len()
            );
        }
    }
}
