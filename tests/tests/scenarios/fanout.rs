//! Events reach all, others or a room, and their arguments arrive as Node's own server would deliver them.

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, Notice};

use crate::shared::{RELAY, websocket};

/// Argument lists that have gone wrong in one server or another.
fn payloads() -> Vec<Value> {
    vec![
        json!([]),
        json!(["text"]),
        json!([""]),
        json!([
            null,
            true,
            false,
            0,
            -1,
            1.5,
            1e21,
            9_007_199_254_740_991_u64
        ]),
        json!(["9223372036854775807", "18446744073709551616", "-0", "1e400"]),
        json!(["żółć 🎉 日本語 \u{2028}\u{2029} \u{0} \u{7f} \\ \" / </script>"]),
        json!([{"a": {"b": [1, {"c": [[], {}, null]}]}, "": "empty key", "ключ": ["значение"]}]),
        json!([[[[[[[[["deep"]]]]]]]]]),
        json!(["x".repeat(70_000)]),
        json!([{"$bin": "AAEC/f7/"}]),
        json!([{"$bin": ""}, "between", {"$bin": "c2Vjb25k"}]),
        json!(["both", {"first": {"$bin": "AQID"}, "list": [{"$bin": "BAUG"}, 7]}]),
        // Looks like what the protocol itself writes, but is the user's own.
        json!([{"num": 0}, {"_placeholder": false, "num": 9}]),
    ]
}

const EVENTS: [&str; 5] = ["all:news", "other", "room:r", "zażółć 🎉", "with space"];

/// What each client sees of the same script, whatever the server.
fn play(node: &Driver, tag: &str, url: &str, transport: &str) -> Vec<Vec<Notice>> {
    let opts = json!({"transports": [transport]});
    let names = ["sender", "member", "stranger"].map(|role| format!("{tag}-{role}"));
    let [sender, member, stranger] = names.each_ref().map(|name| node.connect(name, url, &opts));
    member.ok("join", json!(["r"]));
    let mut seen = vec![Vec::new(), Vec::new(), Vec::new()];
    let all: [&Client; 3] = [&sender, &member, &stranger];
    for event in EVENTS {
        for payload in payloads() {
            let args = if event == "room:r" {
                with_room(payload)
            } else {
                payload
            };
            // The ack is asked for every time: it must neither arrive as an argument nor be lost.
            sender.ok(event, args);
        }
    }
    sender.emit("all:end", json!([]));
    for (client, seen) in all.iter().zip(&mut seen) {
        loop {
            let notice = client.next();
            let end = matches!(&notice, Notice::Event { name, .. } if name == "all:end");
            seen.push(notice);
            if end {
                break;
            }
        }
    }
    for client in all {
        client.disconnect();
    }
    seen
}

fn with_room(payload: Value) -> Value {
    let mut args = vec![json!("r")];
    args.extend(payload.as_array().cloned().unwrap_or_default());
    Value::Array(args)
}

fn compare(transport: &str) {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let expected = play(&node, "node", &node.reference(), transport);
    let got = play(&node, "sluice", &broker.url("/"), transport);
    for (role, (expected, got)) in ["sender", "member", "stranger"]
        .iter()
        .zip(expected.iter().zip(&got))
    {
        assert_eq!(
            expected.len(),
            got.len(),
            "number of events that the {role} sees"
        );
        for (expected, got) in expected.iter().zip(got) {
            assert_eq!(expected, got, "what the {role} sees");
        }
    }
}

#[test]
fn arguments_arrive_as_from_node_s_server_over_websocket() {
    compare("websocket");
}

#[test]
fn arguments_arrive_as_from_node_s_server_over_polling() {
    compare("polling");
}

/// The same, counted by hand, so that the comparison cannot be right by both being wrong.
#[test]
fn all_others_and_room_reach_exactly_whom_they_name() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let [a, b, c] = ["a", "b", "c"].map(|name| node.connect(name, &broker.url("/"), &websocket()));
    b.ok("join", json!(["room one"]));

    a.ok("all:x", json!([1]));
    for client in [&a, &b, &c] {
        assert_eq!(client.expect("all:x"), [json!(1)]);
    }
    a.ok("x", json!([2]));
    for client in [&b, &c] {
        assert_eq!(client.expect("x"), [json!(2)]);
    }
    a.ok("room:x", json!(["room one", 3]));
    assert_eq!(b.expect("room:x"), [json!("room one"), json!(3)]);
    crate::shared::mark(&a, &[&a, &b, &c]);
}

/// Two attachments in one event, in the order of their placeholders, to both kinds of transport at once.
#[test]
fn attachments_cross_between_transports() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let [web, poll] = [("web", "websocket"), ("poll", "polling")].map(|(name, transport)| {
        node.connect(
            name,
            &broker.url("/"),
            &json!({"transports": [transport], "upgrade": false}),
        )
    });
    let args = json!([{"z": {"$bin": "AAECAwQFBgcICQ=="}, "a": {"$bin": "/////w=="}}, "tail"]);
    web.ok("picture", args.clone());
    assert_eq!(json!(poll.expect("picture")), args);
    poll.ok("picture", args.clone());
    assert_eq!(json!(web.expect("picture")), args);
}

/// A sender's events arrive in the order sent, however fast they come.
fn keeps_order(transport: &str, count: u64) {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let opts = json!({"transports": [transport]});
    let [a, b] = ["a", "b"].map(|name| node.connect(name, &broker.url("/"), &opts));
    let readers = ["websocket", "polling"].map(|transport| {
        node.connect_quiet(
            transport,
            &broker.url("/"),
            &json!({"transports": [transport]}),
        )
    });
    let floods = [&a, &b].map(|client| {
        client.flood(
            "all:n",
            count,
            100_000,
            &json!({"template": {"by": client.name}}),
        )
    });
    for flood in floods {
        let answers = flood.wait().answers;
        assert!(
            answers
                .iter()
                .all(|(_, ack, _)| *ack == json!({"ok": true}))
        );
        assert!(
            answers.iter().map(|(seq, ..)| *seq).eq(0..count),
            "acks in order"
        );
    }
    for reader in readers {
        reader.wait_received(usize::try_from(count).unwrap() * 2);
        let received = reader.collect();
        for name in ["a", "b"] {
            let by = received.iter().filter(|event| event[1]["by"] == name);
            let sequence = by.map(|event| event[1]["seq"].as_u64());
            assert!(
                sequence.eq((0..count).map(Some)),
                "{} sees {name} in order, none lost, none twice",
                reader.name
            );
        }
    }
}

#[test]
fn order_is_kept_over_websocket() {
    keeps_order("websocket", 2000);
}

#[test]
fn order_is_kept_over_polling() {
    keeps_order("polling", 500);
}
