//! All nodes are restarted, one after the other, under load.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};
use sluice_tests::{Bus, Client, Cluster, Driver, Proxy};

use crate::shared::wait_back;

const CONFIG: &str = r#"
    [server]
    probes = true
    drain_period = "2s"
    [[namespace]]
    path = "/"
    [[namespace.route]]
    event = "order"
    action = "publish"
    durable = true
    [[namespace.route]]
    event = "join"
    action = "join"
    room = "/0"
    [[namespace.route]]
    event = "*"
    to = "all"
"#;

/// As configured above, and the longest pause of a client before it tries again: its `reconnectionDelayMax` and what it adds by
/// chance. A machine that is busy takes its time besides.
const BACK_WITHIN: Duration = Duration::from_millis(2000 + 1500 + 11_000);

const CLIENTS: usize = 12;
/// In all, and at once for each client.
const ORDERS: u64 = 400;
const RATE: u64 = 20;

/// Clients behind a load balancer that come back by themselves.
fn clients(driver: &Driver, proxy: &Proxy) -> Vec<Client> {
    (0..CLIENTS)
        .map(|number| {
            let transport = ["websocket", "polling"][usize::from(number % 4 == 3)];
            let options = json!({
                "transports": [transport], "withCredentials": true,
                "reconnection": true, "reconnectionDelay": 200, "reconnectionDelayMax": 1000,
            });
            driver.connect_quiet(&format!("client-{number}"), &proxy.url("/"), &options)
        })
        .collect()
}

/// Every event that was acknowledged as stored is stored, whatever node took it, and every client is back.
#[test]
fn a_rolling_restart_loses_no_durable_event_and_no_client() {
    let mut cluster = Cluster::start(3, CONFIG);
    let bus = Bus::connect(&cluster.nats);
    let driver = Driver::node();
    let nodes = [0, 1, 2].map(|node| cluster[node].listen);
    let config = include_str!("../../../../examples/cluster/haproxy-cookie.cfg");
    let proxy = Proxy::haproxy(config, nodes);
    let clients = clients(&driver, &proxy);
    let floods: Vec<_> = clients
        .iter()
        .map(|client| {
            let options = json!({"template": {"by": client.name}, "timeout": 10_000});
            client.flood("order", ORDERS, RATE, &options)
        })
        .collect();
    for node in 0..3 {
        cluster[node].signal_term();
        // Its clients have been sent away by then.
        assert_eq!(cluster[node].wait_exit().0, 0);
        cluster[node].start_again();
        cluster.wait_whole();
    }
    let mut acknowledged = HashMap::new();
    for (client, flood) in clients.iter().zip(floods) {
        let answers = flood.wait().answers;
        let stored = answers
            .iter()
            .filter(|(_, ack, _)| *ack == json!({"ok": true}));
        let numbers: HashSet<u64> = stored.map(|(seq, ..)| *seq).collect();
        acknowledged.insert(client.name.clone(), numbers);
    }
    for client in &clients {
        wait_back(client, "hello", &json!([]));
    }
    for client in &clients {
        let absences = client.absences();
        assert!(!absences.is_empty(), "{} was never sent away", client.name);
        for absence in absences {
            assert!(absence < BACK_WITHIN, "{}: {absence:?}", client.name);
        }
    }
    let stored = bus.stored("SLUICE_sluice_EVENTS").expect("the stream");
    let mut kept: HashMap<String, HashSet<u64>> = HashMap::new();
    for message in stored {
        let event: Value = message.json();
        let order = &event["arguments"][0];
        let by = order["by"].as_str().expect("a client").to_owned();
        kept.entry(by)
            .or_default()
            .insert(order["seq"].as_u64().expect("a number"));
    }
    let count = |all: &HashMap<_, HashSet<u64>>| all.values().map(HashSet::len).sum::<usize>();
    for (name, numbers) in &acknowledged {
        let lost: Vec<_> = numbers.difference(&kept[name]).collect();
        assert!(
            lost.is_empty(),
            "{name}: acknowledged and not stored: {lost:?}"
        );
    }
    // What was on its way while its client was sent away is not acknowledged, and stored or not; it is little.
    let all = CLIENTS * usize::try_from(ORDERS).unwrap();
    assert!(
        count(&acknowledged) >= all * 9 / 10,
        "{} of {all}",
        count(&acknowledged)
    );
}
