//! What is sent on one node arrives on all others, to exactly whom it is for, and nowhere else.

use serde_json::{Value, json};
use sluice_tests::{Client, Cluster, Driver, Setup};

use super::{number, numbers, one_each, one_quiet_each};
use crate::msgpack::by_query;
use crate::shared::{RELAY, SECRET, mark, signed_in, websocket};

/// Clients of every kind on a node.
fn kinds(driver: &Driver, cluster: &Cluster, node: usize) -> Vec<Client> {
    let polling = json!({"transports": ["polling"]});
    [
        ("web", websocket()),
        ("poll", polling),
        ("packed", by_query(json!(["websocket"]))),
        ("packed-poll", by_query(json!(["polling"]))),
    ]
    .into_iter()
    .map(|(kind, options)| {
        let name = format!("{kind}-{node}");
        driver.connect(&name, &cluster[node].url("/"), &options)
    })
    .collect()
}

#[test]
fn clients_of_every_kind_reach_each_other_on_every_node() {
    let cluster = Cluster::start(3, RELAY);
    let driver = Driver::node();
    let all: Vec<_> = (0..3)
        .flat_map(|node| kinds(&driver, &cluster, node))
        .collect();
    let args: Vec<Value> = vec![
        json!("zażółć 🎉 \u{2028}\u{0}"),
        json!({"$bin": "AAEC/f7/"}),
        json!({"deep": [{"$bin": ""}, {"n": 9_007_199_254_740_991_u64}], "": null}),
        json!("x".repeat(70_000)),
    ];
    for sender in &all {
        sender.ok("picture", json!(args));
        for receiver in all.iter().filter(|other| other.name != sender.name) {
            assert_eq!(
                receiver.expect("picture"),
                args,
                "from {} to {}",
                sender.name,
                receiver.name
            );
        }
    }
    // To everyone, the sender included, and nothing else is under way.
    mark(&all[0], &all.iter().collect::<Vec<_>>());
}

#[test]
fn rooms_may_be_called_anything() {
    let cluster = Cluster::start(3, RELAY);
    let driver = Driver::node();
    let [sender, near, far] = one_each(&driver, &cluster, [0, 1, 2]);
    // The longest that there are.
    let long = "ż".repeat(256);
    let names = [
        " ",
        "*",
        ">",
        "a.b.>",
        ".",
        "..",
        "=",
        "=2F",
        "/",
        "żółć 🎉",
        "\n\r\t",
        "$SYS",
        "_INBOX.x",
        "{\"a\":1}",
        &long,
        &long[2..],
        "NUL\u{0}NUL",
        "{namespace}",
    ];
    for member in [&near, &far] {
        for name in names {
            member.ok("join", json!([name]));
        }
    }
    for (count, name) in names.iter().enumerate() {
        sender.ok("room:x", json!([name, count]));
        for member in [&near, &far] {
            assert_eq!(member.expect("room:x"), [json!(name), json!(count)]);
        }
    }
    mark(&sender, &[&sender, &near, &far]);
}

#[test]
fn several_rooms_reach_each_socket_once_and_except_leaves_out() {
    let cluster = Cluster::start(3, RELAY);
    let driver = Driver::node();
    let [a, b, c] = one_each(&driver, &cluster, [0, 1, 2]);
    let [d, e, f] = one_quiet_each(&driver, &cluster, [0, 1, 2]);
    for (client, rooms) in [
        (&a, &["red", "green"][..]),
        (&b, &["red", "green", "blue"]),
        (&c, &["blue"]),
        (&d, &["red", "muted"]),
        (&e, &["green", "muted"]),
        (&f, &["blue", "red", "green", "muted"]),
    ] {
        for room in rooms {
            client.ok("join", json!([room]));
        }
    }
    for from in 0..3 {
        let emit = json!({
            "namespace": "/", "event": "paint", "args": [from],
            "rooms": ["red", "green", "blue"], "except": ["muted"],
        });
        let answer = cluster[from].post("/api/v1/emit", &emit);
        assert_eq!(answer.status, 200, "{answer:?}");
        for client in [&a, &b, &c] {
            assert_eq!(client.expect("paint"), [json!(from)], "{}", client.name);
        }
    }
    mark(&a, &[&a, &b, &c]);
    // Those that were left out have the mark only.
    for client in [&d, &e, &f] {
        client.wait_received(1);
        assert_eq!(client.collect().len(), 1, "{}", client.name);
    }
}

/// Right after the ack, and without a pause: hundreds of rooms, and one room that is entered and left all the time.
#[test]
fn a_join_is_a_promise() {
    let cluster = Cluster::start(3, RELAY);
    let driver = Driver::node();
    let [a, b, c] = one_each(&driver, &cluster, [0, 1, 2]);
    for round in 0..300 {
        let room = format!("room-{round}");
        b.ok("join", json!([room]));
        // From both other nodes.
        a.emit("room:x", json!([room, round]));
        assert_eq!(b.expect("room:x"), [json!(room), json!(round)]);
        c.emit("room:y", json!([room, round]));
        assert_eq!(b.expect("room:y"), [json!(room), json!(round)]);
    }
    for round in 0..300 {
        b.ok("join", json!(["door"]));
        a.emit("room:x", json!(["door", round]));
        assert_eq!(b.expect("room:x"), [json!("door"), json!(round)]);
        b.ok("leave", json!(["door"]));
    }
}

/// Right after the client has heard that it is connected: what is for everyone, for its user, and for a room that the
/// policy has put it into. It is the only one on its node.
#[test]
fn to_be_connected_is_a_promise() {
    let config = format!(
        "[[policy]]\nname = \"jwt-auth\"\n[policy.config]\nsecret = \"{SECRET}\"\nrooms = [\"desk:{{user}}\"]\n{RELAY}"
    );
    let cluster = Cluster::start_with(3, |_| Setup::new(&config).modules(&["jwt-auth"]));
    let driver = Driver::node();
    for round in 0..50 {
        let user = format!("user-{round}");
        let client = driver.connect(&user, &cluster[1].url("/"), &signed_in(&user));
        let emits = [
            json!({"event": "to-all"}),
            json!({"event": "to-user", "users": [user]}),
            json!({"event": "to-room", "rooms": [format!("desk:{user}")]}),
        ];
        // One each first, in turn.
        for number in 0..3 {
            let emit = &emits[(round + number) % 3];
            let answer = cluster[[0, 2][round % 2]].post("/api/v1/emit", emit);
            assert_eq!(answer.status, 200, "{answer:?}");
            client.expect(emit["event"].as_str().unwrap());
        }
        client.disconnect();
    }
}

/// A node that has no member of a room is sent nothing of what goes there; one without clients is sent nothing at all.
#[test]
fn a_node_without_members_receives_not_one_byte() {
    let cluster = Cluster::start(3, RELAY);
    let driver = Driver::node();
    let [sender] = one_each(&driver, &cluster, [0]);
    let [member] = one_quiet_each(&driver, &cluster, [1]);
    member.ok("join", json!(["r"]));
    let bytes = |node| cluster.sum(&[node], "sluice_cluster_received_bytes_total", &[]);
    for n in 0..500 {
        number(&sender, "r", n);
        sender.emit("all:news", json!([n]));
    }
    member.wait_received(1000);
    assert!(numbers(&member).into_iter().eq(0..500));
    assert!(bytes(1) > 0.0);
    assert_eq!(bytes(2), 0.0, "no client is there");

    // One that is in another room. It asks for nothing, and everyone in the namespace is told that it is there.
    let [bystander] = one_each(&driver, &cluster, [2]);
    bystander.ok("join", json!(["elsewhere"]));
    let before = bytes(2);
    for n in 500..1000 {
        number(&sender, "r", n);
    }
    member.wait_received(500);
    assert!(numbers(&member).into_iter().eq(500..1000));
    assert_eq!(bytes(2), before, "no member is there");
    mark(&sender, &[&bystander]);
    assert!(bytes(2) > before);
}
