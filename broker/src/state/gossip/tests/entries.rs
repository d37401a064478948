//! Values and counters that several nodes keep together.

use super::*;
use crate::moment::unix_millis;

#[test]
fn the_value_that_was_written_last_is_everywhere() {
    let mut net = Net::of(3);
    net.set(0, "topic", "tea");
    net.run(200);
    assert_eq!(net.get(2, "topic").as_deref(), Some("tea"));
    for round in 0..20 {
        for node in 0..3 {
            net.set(node, "topic", &format!("{node} {round}"));
        }
        net.run(7);
    }
    net.run(200);
    let topic = net.get(0, "topic");
    assert!(topic.is_some() && topic == net.get(1, "topic") && topic == net.get(2, "topic"));
    let shared = net.state(1);
    let swap = |old: &str, new: &str| {
        let shared = shared.shared();
        let (old, new) = (Some(old.as_bytes()), new.as_bytes());
        shared
            .compare_and_swap("topic", old, new, 0, Millis(net.now))
            .unwrap()
    };
    assert!(swap(topic.as_deref().unwrap(), "rain"));
    assert!(!swap("tea", "sun"));
    net.run(200);
    assert_eq!(net.get(0, "topic").as_deref(), Some("rain"));
    net.state(2)
        .shared()
        .delete("topic", Millis(net.now))
        .unwrap();
    net.run(200);
    assert_eq!(net.get(0, "topic"), None);
    // A time to live goes with it.
    let state = net.state(0);
    let brief = state.shared().set("brief", b"x", 1000, Millis(net.now));
    brief.unwrap();
    net.run(200);
    assert_eq!(net.get(1, "brief").as_deref(), Some("x"));
    net.run(1000);
    assert_eq!(net.get(1, "brief"), None);
}

#[test]
fn counters_add_up_over_a_partition() {
    let mut net = Net::of(3);
    for _ in 0..10 {
        for node in 0..3 {
            net.add(node, "n", 1);
        }
        net.run(33);
    }
    net.run(300);
    assert_eq!(net.get(0, "n").as_deref(), Some("30"));
    net.is_linked = without(2);
    net.run(TICK);
    net.add(0, "n", 5);
    net.add(2, "n", 7);
    net.run(300);
    assert_eq!(net.add(1, "n", 0), 35);
    assert_eq!(net.add(2, "n", 0), 37);
    net.is_linked = Box::new(linked);
    // As it comes back, it asks what it has missed, and only then says what it has.
    net.take_over(2, 0, true);
    assert_eq!(net.get(2, "n").as_deref(), Some("42"));
    net.run(300);
    for node in 0..3 {
        assert_eq!(net.get(node, "n").as_deref(), Some("42"), "{node}");
    }
}

#[test]
fn counters_add_up_when_all_have_been_cut_off() {
    let mut net = Net::of(3);
    net.add(0, "n", 10);
    net.run(300);
    net.is_linked = Box::new(|a, b| a == b);
    net.run(TICK);
    for node in 0..3 {
        net.nodes[node].gossip.settle(false);
        net.add(node, "n", 1 + node as i64);
    }
    net.run(TICK);
    net.is_linked = Box::new(linked);
    // The first is back before the others ask.
    net.take_over(0, 1, true);
    net.nodes[0].gossip.settle(true);
    net.tell(0);
    net.run(LATE);
    net.take_over(1, 0, true);
    net.take_over(2, 1, true);
    net.run(300);
    for node in 0..3 {
        assert_eq!(net.get(node, "n").as_deref(), Some("16"), "{node}");
    }
}

#[test]
fn counters_add_up_when_those_who_were_cut_off_ask_each_other_at_once() {
    let mut net = Net::of(2);
    net.add(0, "n", 1);
    net.run(300);
    net.is_linked = Box::new(|a, b| a == b);
    net.run(TICK);
    for node in 0..2 {
        net.nodes[node].gossip.settle(false);
    }
    net.add(0, "n", 10);
    // The later one is not the one that counts.
    let later = net.nodes[0].store.standing.version() + 1;
    assert!(net.nodes[1].store.standing.heard(later));
    net.add(1, "n", 100);
    net.is_linked = Box::new(linked);
    net.take_over(0, 1, true);
    net.take_over(1, 0, true);
    for node in 0..2 {
        net.nodes[node].gossip.settle(true);
        assert_eq!(net.get(node, "n"), Some(["11", "101"][node].to_owned()));
    }
    net.run(300);
    for node in 0..2 {
        assert_eq!(net.get(node, "n").as_deref(), Some("111"), "{node}");
    }
}

/// A connection that is up and down again within a moment: a node asks for everything while what it has told is still on
/// its way, and what others told is on its way to it.
#[test]
fn what_is_on_its_way_is_counted_once_by_those_who_take_over() {
    let mut net = Net::of(3);
    net.add(0, "n", 1);
    net.run(300);
    for node in 0..3 {
        net.add(node, "n", 10_i64.pow(1 + node as u32));
        net.tell(node);
    }
    // Untold as well.
    net.add(1, "n", 5);
    net.take_over(1, 0, true);
    assert_eq!(
        net.get(1, "n").as_deref(),
        Some("116"),
        "its own is not lost"
    );
    net.run(LATE);
    net.take_over(2, 0, true);
    net.run(300);
    for node in 0..3 {
        assert_eq!(net.get(node, "n").as_deref(), Some("1116"), "{node}");
    }
}

#[test]
fn who_comes_later_is_given_everything() {
    let mut net = Net::of(2);
    net.nodes[1].is_alive = false;
    net.run(TICK);
    for key in 0..5000 {
        net.set(0, &format!("k{key}"), &"v".repeat(key % 700));
    }
    net.add(0, "n", 3);
    net.set(0, "gone", "x");
    net.set(1, "gone", "y");
    // Of what two nodes write in the same millisecond, either may be the later.
    let written = unix_millis();
    while unix_millis() <= written {
        std::thread::yield_now();
    }
    net.state(0)
        .shared()
        .delete("gone", Millis(net.now))
        .unwrap();
    net.take_over(1, 0, true);
    net.take_over(1, 0, true);
    for key in [0, 17, 4999] {
        assert_eq!(
            net.get(1, &format!("k{key}")),
            Some("v".repeat(key % 700)),
            "{key}"
        );
    }
    // What has not been told yet is not given either: it comes with the next message.
    assert_eq!(net.get(1, "n").as_deref(), Some("0"));
    net.nodes[1].is_alive = true;
    net.run(300);
    assert_eq!(net.get(1, "n").as_deref(), Some("3"));
    assert_eq!(net.get(1, "gone"), None);
}
