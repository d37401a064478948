//! Who is in a room, over all nodes, and what watchers are told when a node dies.

use serde_json::{Value, json};
use sluice_tests::{Client, Cluster, Driver};

use super::one_each;
use crate::presence::{relay, who};
use crate::shared::{mark, websocket};

fn moved(event: &str, who: &Client) -> [Value; 1] {
    [json!({"room": "r", "event": event, "socket": who.sid, "user": null})]
}

fn sockets(clients: &[&Client]) -> Vec<(String, Value)> {
    let sockets = clients.iter();
    let mut sockets: Vec<_> = sockets.map(|it| (it.sid.clone(), Value::Null)).collect();
    sockets.sort_by(|a, b| a.0.cmp(&b.0));
    sockets
}

#[test]
fn members_see_each_other_over_all_nodes_and_no_ghost_stays() {
    let mut cluster = Cluster::start(3, &relay());
    let driver = Driver::node();
    let [a, b, c] = one_each(&driver, &cluster, [0, 1, 2]);
    // The answer is as good as the ack of a join: whoever is not in it is told of later.
    a.ok("join", json!(["r"]));
    assert_eq!(who(&a, "r"), (sockets(&[&a]), json!([])));
    b.ok("join", json!(["r"]));
    assert_eq!(a.expect("presence"), moved("join", &b));
    assert_eq!(who(&b, "r"), (sockets(&[&a, &b]), json!([])));
    c.ok("join", json!(["r"]));
    for watcher in [&a, &b] {
        assert_eq!(watcher.expect("presence"), moved("join", &c));
    }
    assert_eq!(who(&c, "r"), (sockets(&[&a, &b, &c]), json!([])));
    let d = driver.connect("d", &cluster[1].url("/"), &websocket());
    d.ok("join", json!(["r"]));
    d.disconnect();
    for watcher in [&a, &b, &c] {
        assert_eq!(watcher.expect("presence"), moved("join", &d));
        assert_eq!(watcher.expect("presence"), moved("leave", &d));
    }
    // Of another room they are told nothing.
    b.ok("join", json!(["other"]));
    mark(&a, &[&a, &b, &c]);

    // The node of one of them dies: nobody has seen him leave, so whoever watches is told to ask again, once.
    let gone = [json!({"event": "node_gone", "node": cluster.name(2)})];
    cluster[2].kill();
    assert_eq!(c.disconnected(), "transport close");
    for watcher in [&a, &b] {
        assert_eq!(watcher.expect("presence"), gone);
        assert_eq!(who(watcher, "r"), (sockets(&[&a, &b]), json!([])));
    }
    mark(&a, &[&a, &b]);

    cluster[2].start_again();
    cluster.wait_whole();
    let e = driver.connect("e", &cluster[2].url("/"), &websocket());
    e.ok("join", json!(["r"]));
    for watcher in [&a, &b] {
        assert_eq!(watcher.expect("presence"), moved("join", &e));
    }
    assert_eq!(who(&e, "r"), (sockets(&[&a, &b, &e]), json!([])));

    // One that leaves in order says of each client that it leaves, and there is nothing to ask again.
    cluster[2].signal_term();
    let (code, _) = cluster[2].wait_exit();
    assert_eq!(code, 0);
    for watcher in [&a, &b] {
        assert_eq!(watcher.expect("presence"), moved("leave", &e));
    }
    cluster.wait_see(&[0, 1], 2);
    mark(&b, &[&a, &b]);
}

/// A node that does not answer is named, and nobody waits for it for long.
#[test]
fn a_node_that_hangs_is_named_in_the_answer() {
    let cluster = Cluster::start_with(2, |_| {
        sluice_tests::Setup::new(&relay()).env("SLUICE_CLUSTER__NODE_TIMEOUT", "60s")
    });
    let driver = Driver::node();
    let [a, b] = one_each(&driver, &cluster, [0, 1]);
    b.ok("join", json!(["r"]));
    a.ok("join", json!(["r"]));
    cluster[1].pause();
    assert_eq!(who(&a, "r"), (sockets(&[&a]), json!([cluster.name(1)])));
    cluster[1].resume();
    assert_eq!(who(&a, "r"), (sockets(&[&a, &b]), json!([])));
}
