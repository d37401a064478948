//! Messages of a WebSocket are compressed for clients that offer it, whatever they want of it, and what is made to be
//! decompressed costs no more than a message may.

use flate2::{Compress, Compression, FlushCompress};
use serde_json::{Value, json};
use sluice_tests::raw;
use sluice_tests::{Broker, Client, Driver, eventually};

use crate::shared::{RELAY, mark, websocket};

const NO_CONTEXT: &str = "[server.compression]\nenabled = true\n";
const CONTEXT: &str = "[server.compression]\nenabled = true\ncontext_takeover = true\n";
const SMALL_WINDOW: &str =
    "[server.compression]\nenabled = true\ncontext_takeover = true\nwindow_bits = 10\nlevel = 1\n";

fn start(compression: &str) -> Broker {
    Broker::start(&format!("{compression}{RELAY}"), &[])
}

/// The options of a client that offers compression in its own way.
fn offering(options: Value) -> Value {
    json!({"transports": ["websocket"], "perMessageDeflate": options})
}

/// Text that compresses to a small part of its length.
fn text(length: usize) -> String {
    let mut text = String::new();
    for number in 0.. {
        if text.len() >= length {
            break;
        }
        text.push_str(&format!(
            "{{\"user\":{number},\"says\":\"good morning\"}}, "
        ));
    }
    text
}

/// What is sent each way arrives as it was sent.
fn exchange(one: &Client, other: &Client) {
    let binary = json!({"$bin": "AAEC/w=="});
    for round in 0..3 {
        for length in [0, 10, 1000, 1100, 70_000, 300_000] {
            let args = json!([text(length), {"round": round}, binary]);
            for (sender, receiver) in [(one, other), (other, one)] {
                sender.ok("text", args.clone());
                assert_eq!(Value::Array(receiver.expect("text")), args);
            }
        }
        let big = json!([{"$bin": base64(&text(50_000))}, {"$bin": base64("short")}]);
        for (sender, receiver) in [(one, other), (other, one)] {
            sender.ok("binary", big.clone());
            assert_eq!(Value::Array(receiver.expect("binary")), big);
        }
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(text)
}

#[test]
fn nodes_clients_get_what_they_ask_for() {
    let node = Driver::node();
    let without = json!({"server_no_context_takeover": true, "client_no_context_takeover": true});
    for (config, offer, answer) in [
        (NO_CONTEXT, json!({}), without),
        (
            NO_CONTEXT,
            json!({"serverMaxWindowBits": 10, "clientMaxWindowBits": 11}),
            json!({
                "server_no_context_takeover": true, "client_no_context_takeover": true,
                "server_max_window_bits": 10, "client_max_window_bits": 11,
            }),
        ),
        (CONTEXT, json!({}), json!({})),
        (
            CONTEXT,
            json!({"serverNoContextTakeover": true, "clientMaxWindowBits": 9}),
            json!({"server_no_context_takeover": true, "client_max_window_bits": 9}),
        ),
        (
            CONTEXT,
            json!({"clientNoContextTakeover": true, "serverMaxWindowBits": 9, "threshold": 0}),
            json!({"client_no_context_takeover": true, "server_max_window_bits": 9}),
        ),
        (
            SMALL_WINDOW,
            json!({"threshold": 0}),
            json!({"server_max_window_bits": 10, "client_max_window_bits": 10}),
        ),
    ] {
        let broker = start(config);
        let name = format!("{config}{offer}");
        let [one, other] = ["one", "other"].map(|client| {
            let client = format!("{client} of {name}");
            node.connect(&client, &broker.url("/"), &offering(offer.clone()))
        });
        let (agreed, before) = other.wire();
        assert_eq!(agreed, answer, "{name}");
        one.ok("measured", json!([text(100_000)]));
        other.expect("measured");
        let (_, after) = other.wire();
        assert!(after - before < 40_000, "{name}: {}", after - before);
        exchange(&one, &other);
    }
}

#[test]
fn a_broadcast_goes_to_each_as_it_can_read_it() {
    let node = Driver::node();
    let broker = start(CONTEXT);
    let connect = |name: &str, offer| node.connect(name, &broker.url("/"), &offering(offer));
    let alone = json!({"serverNoContextTakeover": true});
    let receivers = [
        connect("plain", json!(false)),
        connect("alone", alone.clone()),
        connect("alone too", alone),
        connect(
            "small",
            json!({"serverNoContextTakeover": true, "serverMaxWindowBits": 9}),
        ),
        connect("context", json!({})),
        connect("context too", json!({})),
        node.connect(
            "polling",
            &broker.url("/"),
            &json!({"transports": ["polling"]}),
        ),
        node.connect(
            "moving over",
            &broker.url("/"),
            &json!({"transports": ["polling", "websocket"], "perMessageDeflate": {}}),
        ),
    ];
    let sender = connect("sender", json!(false));
    let all: Vec<&Client> = receivers.iter().collect();
    for length in [10, 2000, 9_000, 200_000] {
        let args = json!([text(length), {"$bin": base64(&text(length / 2))}]);
        for _ in 0..3 {
            sender.ok("all:news", args.clone());
            sender.expect("all:news");
            for receiver in &all {
                assert_eq!(
                    Value::Array(receiver.expect("all:news")),
                    args,
                    "{}",
                    receiver.name
                );
            }
        }
    }
    mark(&sender, &all);
    let received = |client: &Client| client.wire().1;
    let [plain, alone, _, small, context, ..] = &receivers;
    assert_eq!(plain.wire().0, Value::Null);
    assert!(received(alone) * 4 < received(plain));
    assert!(received(small) * 2 < received(plain));
    // What is sent again refers to what was sent before.
    assert!(received(context) < received(alone));
}

/// As browsers do, the packets with which it moves over included; in both directions and with and without context.
#[test]
fn a_client_that_compresses_everything_moves_over() {
    let node = Driver::node();
    for compression in [NO_CONTEXT, CONTEXT] {
        let broker = start(compression);
        let opts = json!({
            "transports": ["polling", "websocket"],
            "perMessageDeflate": {"threshold": 0},
        });
        let client = node.connect(compression, &broker.url("/"), &opts);
        assert_eq!(client.upgraded(), "websocket");
        for length in [1, 100, 10_000] {
            client.ok("all:news", json!([text(length)]));
            assert_eq!(client.expect("all:news"), [json!(text(length))]);
        }
    }
}

#[test]
fn pythons_client_is_compressed_too() {
    for config in [NO_CONTEXT, CONTEXT, SMALL_WINDOW] {
        let broker = start(config);
        let (python, node) = (Driver::python(), Driver::node());
        let compressed = json!({"transports": ["websocket"], "websocket": {"compress": 15}});
        let guido = python.connect("guido", &broker.url("/"), &compressed);
        let js = node.connect("js", &broker.url("/"), &websocket());
        exchange(&guido, &js);
    }
}

#[test]
fn it_is_off_unless_it_is_turned_on() {
    let node = Driver::node();
    let broker = start("");
    let client = node.connect("client", &broker.url("/"), &offering(json!({})));
    assert_eq!(client.wire().0, Value::Null);
    // A compressed message that was not agreed on.
    let mut socket = broker.socket().connected();
    socket.send_bytes(&raw::frame(0xc1, &deflated(b"42[\"a\"]")));
    assert_eq!(socket.until_closed().1, Some(1002));
}

fn deflated(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 100);
    Compress::new(Compression::best(), false)
        .compress_vec(message, &mut out, FlushCompress::Sync)
        .unwrap();
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]), "all of it");
    out.truncate(out.len() - 4);
    out
}

/// A WebSocket that has agreed on compression, in the namespace `/`. What it is sent is too short to be compressed.
fn compressing(broker: &Broker) -> raw::Socket {
    raw::Socket::open_with(
        broker.listen,
        &[("Sec-WebSocket-Extensions", "permessage-deflate")],
    )
    .connected()
}

#[test]
fn fragments_with_pings_in_between_make_one_message() {
    for config in [NO_CONTEXT, CONTEXT] {
        let node = Driver::node();
        let broker = start(config);
        let witness = node.connect("witness", &broker.url("/"), &websocket());
        let mut socket = compressing(&broker);
        let words = text(5000);
        let event = serde_json::to_vec(&json!(["news", words])).unwrap();
        let payload = deflated(&[b"42", &event[..]].concat());
        let (first, rest) = payload.split_at(payload.len() / 2);
        let bytes = [
            raw::frame(0x41, first),
            raw::frame(0x89, b"are you there?"),
            raw::frame(0x00, b""),
            raw::frame(0x80, rest),
            // And one that is not compressed.
            raw::frame(0x81, b"42[\"plain\"]"),
        ]
        .concat();
        // In pieces that end anywhere.
        for piece in bytes.chunks(7) {
            socket.send_bytes(piece);
        }
        assert_eq!(witness.expect("news"), [json!(words)]);
        assert!(witness.expect("plain").is_empty());
    }
}

#[test]
fn what_is_wrong_ends_its_own_connection_with_its_own_code() {
    for config in [NO_CONTEXT, CONTEXT] {
        let node = Driver::node();
        let broker = start(config);
        let witness = node.connect("witness", &broker.url("/"), &websocket());
        let bomb = deflated(&vec![b' '; 50_000_000]);
        assert!(bomb.len() < 100_000);
        let resident = broker.resident();
        let text = deflated(b"42[\"a\"]");
        for (bytes, code) in [
            (raw::frame(0xc1, &bomb), 1009),
            (
                [raw::frame(0x41, &bomb), raw::frame(0x80, b"")].concat(),
                1009,
            ),
            (raw::head(0xc1, 0x80, 1 << 40), 1009),
            (raw::frame(0xc1, b"not compressed at all"), 1007),
            (raw::frame(0xe1, &text), 1002),
            (raw::frame(0xc9, b""), 1002),
            (
                [raw::frame(0x01, b"4"), raw::frame(0xc0, &text)].concat(),
                1002,
            ),
        ] {
            let mut socket = compressing(&broker);
            let begin = &bytes[..bytes.len().min(20)];
            socket.send_bytes(&bytes);
            // A header is judged when all of it has come.
            socket.send_bytes(&[0; 4]);
            assert_eq!(socket.until_closed().1, Some(code), "{begin:?}");
        }
        let grown = broker.resident().saturating_sub(resident);
        assert!(grown < 30_000_000, "{grown} bytes");
        witness.ok("still", json!(["served"]));
    }
}

#[test]
fn as_many_keep_context_as_there_is_memory_for() {
    let broker = start(&format!("{CONTEXT}max_memory = \"1MiB\"\n"));
    let node = Driver::node();
    let answer = |client: &Client| client.wire().0;
    let [first, second, third] = ["first", "second", "third"]
        .map(|name| node.connect(name, &broker.url("/"), &offering(json!({}))));
    for client in [&first, &second] {
        assert_eq!(answer(client), json!({}));
    }
    assert_eq!(
        answer(&third),
        json!({"server_no_context_takeover": true, "client_no_context_takeover": true})
    );
    exchange(&first, &third);
    second.disconnect();
    // Its memory is free once nothing is left of its connection, which is later than the end of its socket.
    let mut others = 3;
    eventually("room for another", || {
        others += 1;
        let name = format!("other-{others}");
        let other = node.connect(&name, &broker.url("/"), &offering(json!({})));
        let has_room = answer(&other) == json!({});
        other.disconnect();
        has_room.then_some(())
    });
}
