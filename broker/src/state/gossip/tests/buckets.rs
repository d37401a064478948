//! Limits that several nodes keep together.

use super::*;

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
