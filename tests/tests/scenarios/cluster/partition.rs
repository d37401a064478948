//! A node is cut off: nothing passes between it and NATS, and no connection ends.

use serde_json::json;
use sluice_tests::{Cluster, Driver, eventually};

use super::stream::Stream;
use super::{
    Accounts, nothing_is_lost, number, numbers_until, one_each, one_quiet_each, reach_each_other,
};
use crate::shared::{RELAY, wait_alone};

#[test]
fn a_node_that_is_cut_off_serves_its_own_and_comes_back() {
    is_cut_off_and_comes_back(&Cluster::start_apart(3, RELAY));
}

/// The kernel's own network loses packets as networks do: TCP sends them again, late, and connections live or die by its
/// clocks.
#[test]
fn a_node_that_is_cut_off_on_wires_serves_its_own_and_comes_back() {
    is_cut_off_and_comes_back(&Cluster::start_on_wires(3, RELAY));
}

fn is_cut_off_and_comes_back(cluster: &Cluster) {
    let driver = Driver::node();
    let [a, b, c] = one_each(&driver, cluster, [0, 1, 2]);
    let [far, apart] = one_quiet_each(&driver, cluster, [1, 2]);
    for member in [&far, &apart] {
        member.ok("join", json!(["r"]));
    }
    let stream = Stream::begin(&a, "r");
    stream.goes_on(50);
    cluster.cut(2);
    cluster.wait_see(&[0, 1], 2);
    // Each side goes on by itself.
    stream.goes_on(50);
    number(&c, "r", 1_000_000);
    eventually("what is said on its side", || {
        let heard = apart.collect();
        heard
            .iter()
            .any(|event| event[2] == json!(1_000_000))
            .then_some(())
    });
    wait_alone(&cluster[2]);
    cluster.heal(2);
    cluster.wait_whole();
    stream.goes_on(50);
    let sent = stream.end();
    reach_each_other("after", &[&a, &b, &c]);
    // What was said on the other side is lost or late, and nothing of this side is.
    let is_ours = |n: &u64| *n < 1_000_000;
    let heard = numbers_until(&far, "all of this side", |heard| {
        heard.iter().copied().filter(is_ours).count() as u64 >= sent
    });
    assert!(heard.into_iter().filter(is_ours).eq(0..sent));
    Accounts::settled(cluster, &[0, 1, 2]);
}

/// A network that breaks for a moment is not noticed by anyone.
#[test]
fn a_short_cut_loses_nothing() {
    let cluster = Cluster::start_apart(3, RELAY);
    nothing_is_lost(&cluster, || cluster.cut(2), || cluster.heal(2));
}

#[test]
fn a_short_cut_on_wires_loses_nothing() {
    let cluster = Cluster::start_on_wires(3, RELAY);
    nothing_is_lost(&cluster, || cluster.cut(2), || cluster.heal(2));
}
