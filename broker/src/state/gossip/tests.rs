//! Several nodes in one process, with a network that is late, cut, or loses messages.

mod net;

use std::time::Duration;

use super::super::{Decision, Partition};
use super::*;
use crate::state::news::OfBucket;
use net::{Net, linked, without};

const TERMS: Terms = Terms {
    partition: Partition::Divide,
    missing: Duration::from_secs(60),
};

/// Between two messages of a node, and how long one is on its way.
const TICK: u64 = 100;
const LATE: u64 = 30;

fn tokens(burst: u32, per_second: f64) -> BucketRule {
    BucketRule {
        name: "b".into(),
        burst,
        per_second,
        window_ms: 0,
        scope: Scope::Cluster,
    }
}

fn window(burst: u32, window_ms: u32) -> BucketRule {
    BucketRule {
        window_ms,
        ..tokens(burst, 0.0)
    }
}

fn total(given: &[u64]) -> u64 {
    given.iter().sum()
}

#[test]
fn a_limit_holds_over_three_nodes() {
    for (rule, name) in [
        (tokens(60, 10.0), "tokens"),
        (window(600, 60_000), "window"),
    ] {
        let mut net = Net::of(3);
        // Half as much again as is allowed, evenly. The first minute is that in which the bucket empties.
        net.ask(&rule, 5, 60_000);
        let given = total(&net.ask(&rule, 5, 60_000));
        assert!((540..=660).contains(&given), "{name}: {given} of 600");
        println!("{name}: {given} of 600 at one and a half times the limit");
        // And twenty times as much.
        net.ask(&rule, 67, 60_000);
        let given = total(&net.ask(&rule, 67, 120_000));
        assert!((1080..=1320).contains(&given), "{name}: {given} of 1200");
        println!("{name}: {given} of 1200 at twenty times the limit");
        assert_eq!(net.missed, 0);
    }
}

#[test]
fn a_burst_on_all_nodes_at_once_is_paid_back() {
    for rule in [tokens(60, 1.0), window(60, 60_000)] {
        let mut net = Net::of(3);
        let first = total(&net.ask(&rule, 500, 60_000));
        // Each gives its whole burst before it hears of the others, and no more.
        assert!((60..=180).contains(&first), "{first}");
        let all = first + total(&net.ask(&rule, 500, 240_000));
        // Five minutes of 60. A window that empties everywhere at once is given ahead again, and paid back again.
        assert!((300..=420).contains(&all), "{rule:?}: {all}");
    }
}

#[test]
fn one_node_alone_gives_what_there_is() {
    let mut net = Net::of(3);
    let rule = tokens(20, 1.0);
    net.run(500);
    let given = (0..30).filter(|_| net.take(1, &rule).allowed).count();
    assert_eq!(given, 20);
    net.run(300);
    let elsewhere = net.take(2, &rule);
    assert!(!elsewhere.allowed && elsewhere.retry_after_ms > 0);
}

#[test]
fn sockets_are_nobody_elses_business() {
    let mut net = Net::of(2);
    let rule = tokens(1, 0.0);
    let socket = SubjectKey::Socket(1);
    let take = |net: &Net, node| {
        let state = net.state(node);
        state
            .take(&rule, socket.as_ref(), 1, Millis(net.now))
            .allowed
    };
    assert!(take(&net, 0));
    net.run(300);
    assert!(take(&net, 1));
}

#[test]
fn who_is_cut_off_keeps_to_a_part_and_is_charged_nothing_twice() {
    let mut net = Net::of(3);
    let rule = tokens(60, 10.0);
    net.ask(&rule, 20, 60_000);
    net.is_linked = without(2);
    net.run(TICK);
    let given = net.ask(&rule, 20, 40_000);
    // 400 in all: a third is the third node's.
    assert!(given[2].abs_diff(133) <= 14, "{given:?}");
    assert!((given[0] + given[1]).abs_diff(267) <= 27, "{given:?}");
    net.is_linked = Box::new(linked);
    net.run(TICK);
    let given = total(&net.ask(&rule, 20, 60_000));
    assert!((540..=660).contains(&given), "{given} of 600 afterwards");
}

#[test]
fn who_is_missing_for_long_is_gone_for_those_who_are_connected() {
    let mut net = Net::of(3);
    let rule = tokens(60, 10.0);
    net.is_linked = without(2);
    net.ask(&rule, 20, 120_000);
    let given = net.ask(&rule, 20, 60_000);
    // The two have all of it again; the third, which sees no servers, keeps to its part for ever.
    assert!((given[0] + given[1]).abs_diff(600) <= 60, "{given:?}");
    assert!(given[2].abs_diff(200) <= 20, "{given:?}");
    // Who says that it goes leaves its part at once.
    let mut net = Net::of(3);
    net.run(TICK);
    net.nodes[2].is_alive = false;
    for node in 0..2 {
        let farewell = net.nodes[2].gossip.farewell();
        net.nodes[node].gossip.hear("n2", farewell, Millis(net.now));
    }
    net.ask(&rule, 20, 20_000);
    let given = total(&net.ask(&rule, 20, 30_000));
    assert!((270..=330).contains(&given), "{given} of 300");
}

#[test]
fn undivided_limits_are_those_of_each_side() {
    let standing = Standing::default();
    let terms = Terms {
        partition: Partition::Full,
        ..TERMS
    };
    let seen = |live, is_connected| Seen { live, is_connected };
    standing.look(seen(3, true), terms, 0);
    standing.look(seen(1, false), terms, 1);
    assert_eq!(standing.part(), None);
    standing.look(seen(3, true), TERMS, 2);
    standing.look(seen(2, true), TERMS, 3);
    assert_eq!(standing.part(), Some((2, 3)));
    assert!(standing.tells());
    standing.look(seen(3, false), TERMS, 4);
    assert_eq!(standing.part(), Some((1, 3)));
    assert!(!standing.tells());
}

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

#[test]
fn what_is_missing_is_counted() {
    let net = Net::of(2);
    let gossip = &net.nodes[0].gossip;
    let news = |seq| News {
        seq,
        ..News::default()
    };
    let missed = |seq| gossip.hear("x", news(seq), Millis(0)).missed;
    assert_eq!([missed(5), missed(6), missed(9), missed(9)], [0, 0, 2, 0]);
}

#[test]
fn nothing_that_a_node_says_does_harm() {
    let net = Net::of(2);
    let (gossip, state) = (&net.nodes[0].gossip, net.state(0));
    let taken = |burst, per_second, window_ms, count| OfBucket {
        name: "b".to_owned(),
        burst,
        per_second,
        window_ms,
        taken: vec![
            ("user:alice".to_owned(), count),
            ("nonsense".to_owned(), count),
        ],
    };
    let written = |key: &str, version, value: &str| Written {
        key: key.to_owned(),
        version,
        ttl_ms: 0,
        counter: None,
        bytes: Some(bytes::Bytes::from(value.to_owned())),
    };
    let news = News {
        seq: 1,
        leaves: true,
        policies: vec![
            OfPolicy {
                policy: "p".to_owned(),
                buckets: vec![
                    taken(0, 1.0, 0, 1),
                    taken(5, f64::NAN, 0, 1),
                    taken(5, 1.0, 0, u32::MAX),
                    taken(5, 1.0, 1000, u32::MAX),
                    taken(u32::MAX, f64::MAX, u32::MAX, u32::MAX),
                ],
                added: vec![Addition {
                    key: "n".to_owned(),
                    by: i64::MAX,
                    ttl_ms: u64::MAX,
                    version: u64::MAX,
                }],
                entries: vec![
                    written("", 1, "x"),
                    written(&"k".repeat(257), 1, "x"),
                    written("ahead", u64::MAX, "x"),
                    written("large", 1, &"x".repeat((64 << 10) + 1)),
                ],
            },
            OfPolicy {
                policy: "unknown".to_owned(),
                buckets: vec![taken(5, 1.0, 0, 1)],
                ..OfPolicy::default()
            },
        ],
    };
    for _ in 0..3 {
        gossip.hear("x", news.clone(), Millis(1));
    }
    let rule = tokens(5, 1.0);
    let decision = net.take(0, &rule);
    // In debt, by a few bursts at the most.
    assert!(
        !decision.allowed && decision.retry_after_ms <= 16_000,
        "{decision:?}"
    );
    for key in ["n", "ahead", "large"] {
        assert_eq!(state.shared().get(key, Millis(1)), Ok(None), "{key}");
    }
    assert!(net.nodes[0].store.find("unknown").is_none());
    net.set(0, "k", "v");
    assert_eq!(net.get(0, "k").as_deref(), Some("v"));
}

#[test]
fn what_waits_to_be_told_is_bounded() {
    let net = Net::of(2);
    let state = net.state(0);
    let rule = tokens(5, 1.0);
    for user in 0..100_000 {
        let user = SubjectKey::User(format!("{user}").into());
        state.take(&rule, user.as_ref(), 1, Millis(0));
        state
            .shared()
            .set(&user.to_string(), b"x", 0, Millis(0))
            .unwrap();
    }
    let mut told = 0;
    for _ in 0..100 {
        let news = net.nodes[0].gossip.news(Millis(0));
        assert!(news.len() < 100);
        told += news
            .iter()
            .flat_map(|news| &news.policies)
            .map(|of| of.entries.len())
            .sum::<usize>();
    }
    assert_eq!(told, 16_384);
    let forgotten = net.nodes[0].gossip.forgotten();
    assert!(forgotten > 80_000, "{forgotten}");
}
