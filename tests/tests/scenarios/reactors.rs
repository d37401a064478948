//! Several reactors are one broker: whatever connections land on which of them, clients cannot tell.

mod polling;

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::json;
use sluice_tests::raw::{self, Packet, Polling};
use sluice_tests::{Broker, Client, Driver, Setup, eventually};

use crate::shared::{RELAY, mark, websocket};

fn broker(reactors: usize) -> Broker {
    Broker::start(&format!("[server]\nreactors = {reactors}\n{RELAY}"), &[])
}

/// Clients that are spread evenly, because each goes to the reactor that has the fewest.
fn spread(node: &Driver, broker: &Broker, count: usize) -> Vec<Client> {
    (0..count)
        .map(|n| node.connect_quiet(&format!("c{n}"), &broker.url("/"), &websocket()))
        .collect()
}

/// One sender's events go to everyone, to others and to a room in turn, and arrive in that order everywhere.
fn keeps_order_across_rooms(reactors: usize) {
    const EVENTS: u64 = 500;
    let node = Driver::node();
    let broker = broker(reactors);
    let clients = spread(&node, &broker, 2 * reactors + 2);
    for client in &clients {
        client.ok("join", json!(["r"]));
    }
    let (senders, receivers) = clients.split_at(2);
    let mut floods = Vec::new();
    for sender in senders {
        let by = json!({"ack": false, "template": {"by": sender.name}});
        floods.push(sender.flood("all:n", EVENTS, 100_000, &by));
        let by = json!({"ack": false, "template": {"by": sender.name}, "first": EVENTS});
        floods.push(sender.flood("n", EVENTS, 100_000, &by));
    }
    for flood in floods {
        flood.wait();
    }
    for n in 0..50 {
        for sender in senders {
            sender.emit("all:x", json!([{"by": sender.name, "step": 3 * n}]));
            sender.emit(
                "room:x",
                json!(["r", {"by": sender.name, "step": 3 * n + 1}]),
            );
            sender.emit("x", json!([{"by": sender.name, "step": 3 * n + 2}]));
        }
    }
    for receiver in receivers {
        receiver.wait_received(2 * (2 * EVENTS as usize + 150));
        let received = receiver.collect();
        for sender in senders {
            let from = || {
                received
                    .iter()
                    .filter_map(|event| event.iter().find(|arg| arg["by"] == json!(sender.name)))
            };
            for event in ["all:n", "n"] {
                let of = received.iter().filter(|it| it[0] == event);
                let of = of.filter(|it| it[1]["by"] == json!(sender.name));
                let seq: Vec<_> = of.filter_map(|it| it[1]["seq"].as_u64()).collect();
                assert!(seq.is_sorted(), "{event} at {}: {seq:?}", receiver.name);
                assert_eq!(seq.len() as u64, EVENTS);
            }
            let steps = from().filter_map(|it| it["step"].as_u64());
            assert!(
                steps.eq(0..150),
                "{} sees {} in order",
                receiver.name,
                sender.name
            );
        }
    }
    let metrics = broker.metrics();
    assert!(metrics.sum("sluice_reactor_messages_total", &[]) > 0.0);
    // Nothing is delivered that is not counted, nor counted twice.
    let others = clients.len() as f64 - 1.0;
    let each = (2.0 * others + 1.0) * (EVENTS as f64) + 50.0 * (3.0 * others + 1.0);
    assert_eq!(
        metrics.sum("sluice_deliveries_total", &[]),
        2.0 * each,
        "deliveries"
    );
}

#[test]
fn order_is_kept_across_rooms_on_two_reactors() {
    keeps_order_across_rooms(2);
}

#[test]
fn order_is_kept_across_rooms_on_four_reactors() {
    keeps_order_across_rooms(4);
}

/// An acknowledged join is a promise: from then on, what is sent to the room from any reactor arrives.
#[test]
fn a_join_holds_on_every_reactor_when_it_is_acknowledged() {
    let node = Driver::node();
    let broker = broker(4);
    let clients = crate::shared::clients(&node, &broker, ["a", "b", "c", "d", "e", "f", "g", "h"]);
    for round in 0..25 {
        for (n, joins) in clients.iter().enumerate() {
            let room = format!("room {round}");
            joins.ok("join", json!([room]));
            // From the same reactor, and from each other one.
            for (other, sender) in clients.iter().enumerate().filter(|(it, _)| *it != n) {
                if (other + round) % 3 == 0 {
                    sender.emit("room:x", json!([room, n]));
                    assert_eq!(joins.expect("room:x"), [json!(room), json!(n)]);
                }
            }
            joins.ok("leave", json!([room]));
        }
    }
    mark(&clients[0], &clients.each_ref());
    eventually("no room to be left", || {
        (broker.metrics().sum("sluice_rooms", &[]) == 0.0).then_some(())
    });
}

/// A back end learns how many clients it reached, on whichever reactors they are; and its events come in order.
#[test]
fn a_back_end_reaches_the_clients_of_all_reactors() {
    let node = Driver::node();
    let broker = broker(4);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let clients = crate::shared::clients(&node, &broker, names);
    for (n, client) in clients.iter().enumerate() {
        client.ok("join", json!(["everyone"]));
        client.ok("join", json!([if n % 2 == 0 { "even" } else { "odd" }]));
    }
    let emit = |body| broker.post("/api/v1/emit", &body).json()["deliveries"].clone();
    let all = json!({"event": "all:1"});
    assert_eq!(emit(all), json!(8));
    let once = json!({"event": "all:2", "rooms": ["even", "everyone", "odd"]});
    assert_eq!(emit(once), json!(8));
    let some = json!({"event": "all:3", "rooms": ["everyone"], "except": ["odd"]});
    assert_eq!(emit(some), json!(4));
    assert_eq!(emit(json!({"event": "all:4", "rooms": ["none"]})), json!(0));
    for (n, client) in clients.iter().enumerate() {
        let expected: &[&str] = match n % 2 {
            0 => &["all:1", "all:2", "all:3"],
            _ => &["all:1", "all:2"],
        };
        for event in expected {
            client.expect(event);
        }
    }
    mark(&clients[0], &clients.each_ref());
    let node = broker.get("/api/v1/node").json();
    assert_eq!(node["namespaces"][0]["connections"], 8);
    assert_eq!(node["namespaces"][0]["rooms"], 3, "{node}");
    assert_eq!(broker.metrics().sum("sluice_rooms", &[]), 3.0);
}

/// Every socket is in the room of the name by which others know it.
#[test]
fn a_socket_is_reached_by_its_name_from_every_reactor() {
    const NAMED: &str = r#"
        [[policy]]
        name = "enrich"
        [[policy.config.events]]
        event = "all:hello"
        fields = { socket = "socket" }
    "#;
    let node = Driver::node();
    let broker = Setup::new(&format!("[server]\nreactors = 3\n{NAMED}{RELAY}"))
        .modules(&["enrich"])
        .start();
    let clients = crate::shared::clients(&node, &broker, ["a", "b", "c", "d", "e", "f"]);
    let names = clients.each_ref().map(|client| {
        client.emit("all:hello", json!([{}]));
        let hello = clients.each_ref().map(|it| it.expect("all:hello"));
        hello[0][0]["socket"].as_str().unwrap().to_owned()
    });
    for sender in &clients {
        for (client, name) in clients.iter().zip(&names) {
            if sender.name != client.name {
                sender.emit("room:x", json!([name, sender.name]));
                assert_eq!(client.expect("room:x"), [json!(name), json!(sender.name)]);
            }
        }
    }
    let emit = |body| broker.post("/api/v1/emit", &body).json()["deliveries"].clone();
    assert_eq!(emit(json!({"event": "y", "rooms": [names[4]]})), json!(1));
    clients[4].expect("y");
    assert_eq!(emit(json!({"event": "z", "except": [names[1]]})), json!(5));
    for client in clients.iter().filter(|it| it.name != "b") {
        client.expect("z");
    }
    mark(&clients[0], &clients.each_ref());
    assert_eq!(broker.metrics().sum("sluice_rooms", &[]), 0.0);
}

/// A namespace that a pattern serves gets a section of its own while clients are in it, and loses it again.
#[test]
fn clients_stay_when_their_namespace_gets_a_section_of_its_own() {
    let route = "[[namespace.route]]\nevent = \"*\"\naction = \"emit\"\nto = \"all\"\n";
    let namespace = |path, event: &str| {
        let route = route.replace('*', event);
        format!("[[namespace]]\npath = \"{path}\"\n{route}")
    };
    let pattern = format!("[server]\nreactors = 2\n{}", namespace("/org-{id}", "x"));
    let own = format!("{pattern}{}", namespace("/org-7", "y"));
    let node = Driver::node();
    let broker = Broker::start(&pattern, &[]);
    let url = broker.url("/org-7");
    let clients = ["a", "b", "c"].map(|name| node.connect(name, &url, &websocket()));
    for (config, event) in [(&own, "y"), (&pattern, "x"), (&own, "y")] {
        broker.reconfigure(config);
        eventually("the routes to change", || {
            clients[0].ask(event, json!([]))[0]["ok"].as_bool()
        });
        for client in &clients {
            client.expect(event);
        }
        for client in &clients {
            client.ok(event, json!([client.name]));
            for other in &clients {
                assert_eq!(other.expect(event), [json!(client.name)]);
            }
        }
    }
}

#[test]
fn nothing_stays_of_clients_that_are_gone() {
    let node = Driver::node();
    let config =
        format!("[server]\nreactors = 4\n{RELAY}\n[[namespace]]\npath = \"/org-{{id}}\"\n");
    let broker = Broker::start(&config, &[]);
    let mut clients = Vec::new();
    for n in 0..24 {
        let opts = match n % 3 {
            0 => json!({"transports": ["polling"]}),
            1 => json!({"transports": ["websocket"]}),
            _ => json!({}),
        };
        let namespace = if n % 4 == 3 { "/org-7" } else { "/" };
        let client = node.connect(&format!("c{n}"), &broker.url(namespace), &opts);
        if namespace == "/" {
            client.ok("join", json!(["shared"]));
            client.ok("join", json!([format!("own {n}")]));
        }
        clients.push(client);
    }
    let metrics = broker.metrics();
    assert_eq!(metrics.sum("sluice_connections", &[]), 24.0);
    assert_eq!(metrics.sum("sluice_rooms", &[]), 19.0);
    for (n, client) in clients.iter().enumerate() {
        if n % 2 == 0 {
            client.disconnect();
        } else {
            client.cut();
        }
    }
    node.connect("last", &broker.url("/"), &websocket())
        .disconnect();
    eventually("everything to be freed", || {
        let metrics = broker.metrics();
        let of = |name| metrics.sum(name, &[]);
        (of("sluice_connections") == 0.0 && of("sluice_rooms") == 0.0).then_some(())
    });
    eventually("no namespace to be left", || {
        let node = broker.get("/api/v1/node").json();
        (node["namespaces"] == json!([])).then_some(())
    });
}

/// SIGTERM reaches the clients of every reactor, whichever transport they are on.
#[test]
fn a_drain_says_goodbye_on_every_reactor() {
    let node = Driver::node();
    let config = format!("[server]\nreactors = 4\ndrain_period = \"6s\"\n{RELAY}");
    let mut broker = Broker::start(&config, &[]);
    let clients: Vec<_> = (0..24)
        .map(|n| {
            let opts = match n % 2 {
                0 => json!({"transports": ["polling"], "reconnection": false}),
                _ => json!({"transports": ["websocket"], "reconnection": false}),
            };
            node.connect(&format!("c{n}"), &broker.url("/"), &opts)
        })
        .collect();
    broker.signal_term();
    for client in &clients {
        assert_eq!(client.disconnected(), "transport close", "{}", client.name);
    }
    assert_eq!(broker.wait_exit().0, 0);
    // The process has ended; its last lines may still be read.
    eventually("all ends to be logged", || {
        let told = broker
            .logs
            .find(|record| record.message() == "disconnected");
        (told.len() == clients.len()).then_some(())
    });
}
