//! A node dies, hangs, leaves and comes back.

use serde_json::json;
use sluice_tests::{Cluster, Driver};

use super::stream::Stream;
use super::{
    Accounts, nothing_is_lost, number, numbers, numbers_until, one_each, one_quiet_each,
    reach_each_other,
};
use crate::shared::{RELAY, websocket};

#[test]
fn a_node_that_is_killed_is_gone_and_the_others_lose_nothing() {
    let mut cluster = Cluster::start(3, RELAY);
    let driver = Driver::node();
    let [a, b, c] = one_each(&driver, &cluster, [0, 1, 2]);
    let [near, far, lost] = one_quiet_each(&driver, &cluster, [0, 1, 2]);
    for member in [&near, &far, &lost] {
        member.ok("join", json!(["r"]));
    }
    let stream = Stream::begin(&a, "r");
    stream.goes_on(50);
    cluster[2].kill();
    stream.goes_on(50);
    for client in [&c, &lost] {
        assert_eq!(client.disconnected(), "transport close");
    }
    cluster.wait_see(&[0, 1], 2);
    for node in 0..2 {
        let logs = &cluster[node].logs;
        logs.wait("the end of a node", |record| {
            record.message() == "node gone"
        });
    }
    // Whom it had is nowhere any more, and nobody waits for its answer.
    for node in 0..2 {
        let listed = cluster[node].get("/api/v1/sockets?namespace=/").json();
        assert!(listed["silent"].is_null(), "{listed}");
        let sockets = listed["sockets"].as_array().unwrap();
        let ids: Vec<_> = sockets.iter().map(|socket| &socket["id"]).collect();
        for gone in [&c, &lost] {
            assert!(!ids.contains(&&json!(gone.sid)), "{listed}");
        }
    }
    stream.goes_on(50);
    let sent = stream.end();
    // Nobody else has lost anything, or has got it twice.
    for member in [&near, &far] {
        member.wait_received(usize::try_from(sent).unwrap());
        assert!(numbers(member).into_iter().eq(0..sent), "{}", member.name);
    }
    let accounts = Accounts::of(&cluster, &[0, 1]);
    assert_eq!(
        (accounts.missing, accounts.dropped),
        (0.0, 0.0),
        "{accounts:?}"
    );
    // Nothing is sent to one that is gone. An event is counted before the next one leaves, if not before it comes.
    let reaches_far = |more: u64| {
        number(&a, "r", sent + more);
        far.wait_received(usize::try_from(more).unwrap() + 1);
    };
    let counted = || Accounts::of(&cluster, &[0, 1]).sent;
    reaches_far(0);
    let before = counted();
    (1..=10).for_each(reaches_far);
    let more = counted() - before;
    assert!((9.0..=11.0).contains(&more), "{more} for 10 events");

    cluster[2].start_again();
    cluster.wait_whole();
    let c = driver.connect("again", &cluster[2].url("/"), &websocket());
    reach_each_other("after", &[&a, &b, &c]);
}

/// A node that hangs for longer than it may is gone, and back when it goes on: with its clients and their rooms.
#[test]
fn a_node_that_hangs_comes_back_with_its_rooms() {
    let cluster = Cluster::start(3, RELAY);
    let driver = Driver::node();
    let [a, b, c] = one_each(&driver, &cluster, [0, 1, 2]);
    let [far, hung] = one_quiet_each(&driver, &cluster, [1, 2]);
    for member in [&far, &hung] {
        member.ok("join", json!(["r"]));
    }
    let stream = Stream::begin(&a, "r");
    stream.goes_on(50);
    cluster[2].pause();
    cluster.wait_see(&[0, 1], 2);
    stream.goes_on(50);
    cluster[2].resume();
    cluster.wait_whole();
    stream.goes_on(50);
    let sent = stream.end();
    far.wait_received(usize::try_from(sent).unwrap());
    assert!(numbers(&far).into_iter().eq(0..sent));
    // It has not joined again, and its client has noticed nothing.
    number(&a, "r", sent);
    far.wait_received(1);
    reach_each_other("after", &[&a, &b, &c]);
    let heard = numbers_until(&hung, "its room to be known again", |heard| {
        heard.last() == Some(&sent)
    });
    assert!(heard.is_sorted_by(|a, b| a < b), "in order, none twice");
    let accounts = Accounts::settled(&cluster, &[0, 1, 2]);
    assert_eq!(accounts.dropped, 0.0, "{accounts:?}");
}

/// One that hangs for less than that has lost nothing.
#[test]
fn a_short_halt_loses_nothing() {
    let cluster = Cluster::start(3, RELAY);
    nothing_is_lost(&cluster, || cluster[2].pause(), || cluster[2].resume());
}

/// A node that is told to stop says so: the others know at once.
#[test]
fn a_node_that_leaves_is_gone_at_once() {
    let mut cluster = Cluster::start_with(3, |_| {
        // Nobody waits for a sign of life in this test.
        sluice_tests::Setup::new(RELAY).env("SLUICE_CLUSTER__NODE_TIMEOUT", "10min")
    });
    cluster[2].signal_term();
    assert_eq!(cluster[2].wait_exit().0, 0);
    cluster.wait_see(&[0, 1], 2);
    cluster[2].start_again();
    cluster.wait_whole();
}
