//! Clients with a msgpack parser are clients like others: what they send and what they are told is the same, whoever
//! is at the other end.

use serde_json::{Value, json};
use sluice_tests::raw::{self, Packet};
use sluice_tests::{Broker, Client, Driver};

use crate::shared::{RELAY, mark, own_code, signed_in, websocket};

/// The options of a client that says in its query how it speaks.
pub(crate) fn by_query(transports: Value) -> Value {
    json!({"parser": "msgpack", "query": {"parser": "msgpack"}, "transports": transports})
}

/// The options of one that says so by its path.
fn by_path(transports: Value) -> Value {
    json!({"parser": "msgpack", "path": "/socket.io/msgpack/", "transports": transports})
}

fn everything() -> Value {
    json!([
        "żółć 🎉 \" \\ \n \u{0}",
        [0, 1, -1, 127, 128, 255, 256, 65_536, -129, -40_000, 4_294_967_296_i64],
        [0.5, -1e-7, 2.25, 9_007_199_254_740_991_i64, null, true, false, "", [], {}],
        {"nested": [{"deeper": {"$bin": "AAEC/w=="}}, [[["x".repeat(300)]]]]},
        {"$bin": ""},
        (0..20).collect::<Vec<_>>(),
        (0..20).map(|n| (format!("key {n}"), n)).collect::<std::collections::BTreeMap<_, _>>(),
    ])
}

#[test]
fn they_talk_with_all_others_over_every_transport() {
    let node = Driver::node();
    let config = format!("[server.compression]\nenabled = true\n{RELAY}");
    let broker = Broker::start(&config, &[]);
    let both = || json!(["polling", "websocket"]);
    let clients: Vec<Client> = [
        ("packed", by_query(json!(["websocket"]))),
        ("packed by path", by_path(json!(["websocket"]))),
        ("packed polling", by_query(json!(["polling"]))),
        ("packed moving", by_path(both())),
        ("text", websocket()),
        ("text polling", json!({"transports": ["polling"]})),
        ("text moving", json!({"transports": both()})),
    ]
    .into_iter()
    .map(|(name, options)| node.connect(name, &broker.url("/"), &options))
    .collect();
    let all: Vec<&Client> = clients.iter().collect();
    for sender in &all {
        assert_ne!(sender.sid, sender.engine_id());
        for args in [json!([]), everything(), json!(["long ".repeat(2000)])] {
            sender.ok("all:words", args.clone());
            for receiver in &all {
                let (from, to) = (&sender.name, &receiver.name);
                assert_eq!(
                    Value::Array(receiver.expect("all:words")),
                    args,
                    "{from} to {to}"
                );
            }
        }
        sender.ok("join", json!([sender.sid]));
    }
    // Rooms are the same rooms.
    for [sender, receiver] in [[0, 4], [4, 0], [2, 6], [6, 2], [3, 1]] {
        let (sender, receiver) = (all[sender], all[receiver]);
        sender.ok("room:word", json!([receiver.sid, {"$bin": "/w=="}]));
        assert_eq!(
            receiver.expect("room:word"),
            [json!(receiver.sid), json!({"$bin": "/w=="})]
        );
    }
    mark(all[0], &all);
}

#[test]
fn nothing_is_lost_while_they_move_over() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let mover = node.connect_quiet(
        "mover",
        &broker.url("/"),
        &by_query(json!(["polling", "websocket"])),
    );
    let flood = mover.flood("all:n", 500, 2000, &json!({}));
    let answers = flood.wait().answers;
    assert!(
        answers
            .iter()
            .map(|(seq, ack, _)| (*seq, ack["ok"] == true))
            .eq((0..500).map(|n| (n, true)))
    );
    mover.wait_received(500);
    assert_eq!(mover.upgraded(), "websocket");
    let received = mover.collect();
    let numbers = received.iter().map(|event| event[1].as_u64());
    assert!(numbers.eq((0..500).map(Some)), "{received:?}");
}

#[test]
fn they_are_let_in_and_refused_with_the_same_words() {
    let node = Driver::node();
    let broker = crate::connect::guarded();
    for (transport, options) in [
        ("websocket", by_query(json!(["websocket"]))),
        ("polling", by_path(json!(["polling"]))),
    ] {
        let name = |what: &str| format!("{what} over {transport}");
        let mut good = options.clone();
        good["auth"] = signed_in("alice")["auth"].clone();
        let alice = node.connect(&name("alice"), &broker.url("/"), &good);
        alice.ok("room:self", json!(["user:alice"]));
        let refusals = [options.clone(), json!({"transports": [transport]})].map(|options| {
            let name = name(&options.to_string());
            let refused = node.try_connect(&name, &broker.url("/"), &options);
            refused.map(|_| ()).expect_err("no token")
        });
        assert_eq!(refusals[0].code(), "token_missing");
        assert_eq!(refusals[0].message, refusals[1].message);
        assert_eq!(refusals[0].data, refusals[1].data);

        node.connect(&name("guest"), &broker.url("/open"), &options);
        let lost = node.try_connect(&name("lost"), &broker.url("/nowhere"), &options);
        assert_eq!(
            lost.map(|_| ()).expect_err("none such").message,
            "Invalid namespace"
        );
        // A denied event.
        let denied = alice.denied("join", json!([{}]));
        assert_eq!(own_code(&denied), "invalid_packet", "{denied}");
    }
}

/// A WebSocket that speaks msgpack, in the namespace `/`.
fn packing(broker: &Broker) -> raw::Socket {
    let mut socket = raw::Socket::open(broker.listen, "&parser=msgpack");
    // {type: 0, nsp: "/"}
    socket.send_binary(b"\x82\xa4type\x00\xa3nsp\xa1/");
    let Packet::Binary(welcome) = socket.packet() else {
        panic!("no welcome");
    };
    assert!(welcome.starts_with(b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x81\xa3sid"));
    socket
}

/// `{type: 2, nsp: "/", id: 7, data}`.
fn event(data: &[u8]) -> Vec<u8> {
    [&b"\x84\xa4type\x02\xa3nsp\xa1/\xa2id\x07\xa4data"[..], data].concat()
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes
        .windows(part.len())
        .any(|window| window == part.as_bytes())
}

#[test]
fn what_they_must_not_send_is_denied_or_ends_their_connection() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let witness = node.connect("witness", &broker.url("/"), &websocket());
    let mut socket = packing(&broker);
    let attached = [&b"\x92\xa1x\xdc\x00\x41"[..], &b"\xc4\x00".repeat(65)].concat();
    for (data, why) in [
        (&b"\x92\xa1x\x81\x90\x01"[..], "a key that is neither"),
        (b"\x92\xa1x\xa1\xff", "not UTF-8"),
        (b"\x92\xa1x\xc1", "begins nothing"),
        (&attached, "more than 64 binary values"),
    ] {
        socket.send_binary(&event(data));
        let Packet::Binary(ack) = socket.packet() else {
            panic!("no ack: {why}");
        };
        assert!(
            contains(&ack, "invalid_packet") && contains(&ack, why),
            "{why}"
        );
    }
    socket.send_binary(&event(b"\x91\xa7connect"));
    let Packet::Binary(ack) = socket.packet() else {
        panic!("no ack");
    };
    assert!(contains(&ack, "reserved_event"));
    // One that is good.
    socket.send_binary(&event(b"\x93\xa4news\xc4\x01\xff\xd7\x00\0\0\0\0\0\0\0\0"));
    let news = [json!({"$bin": "/w=="}), json!("1970-01-01T00:00:00.000Z")];
    assert_eq!(witness.expect("news"), news);

    for broken in [
        &b"\x84\xa4type\x02\xa3nsp\xa1/"[..],
        b"\xc1",
        b"",
        &event(b"\xdd\xff\xff\xff\xff\xc0"),
        &event(b"\x91\xdb\xff\xff\xff\xff"),
        &event(b"\x91\x01"),
        // Deeper than may be.
        &event(&[&b"\x92\xa1x"[..], &[0x91; 127], b"\xc0"].concat()),
        &event(b"\xa1x"),
        &[0x91; 10_000],
    ] {
        let mut socket = packing(&broker);
        socket.send_binary(broken);
        socket.until_closed();
    }
    // Text is no packet of theirs.
    let mut socket = packing(&broker);
    socket.send("42[\"news\"]");
    socket.until_closed();
    witness.ok("still", json!(["served"]));
}
