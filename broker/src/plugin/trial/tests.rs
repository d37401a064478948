//! Who is in a canary, and when a version is not good enough. What two versions say is compared in the scenarios.

use super::*;

fn bounds() -> config::Trial {
    config::Trial {
        max_failures: 5,
        max_denial_increase: 20,
        min_calls: 100,
        show_arguments: false,
        guard: None,
    }
}

fn tally(calls: u64, denials: u64, failures: u64) -> Tally {
    Tally {
        calls,
        denials,
        failures,
    }
}

#[test]
fn failures_count_from_the_first() {
    let worse = |failures| tally(failures, 0, failures).is_worse(None, &bounds());
    assert_eq!(worse(4), None);
    assert_eq!(worse(5), Some(Cause::Failures));
}

#[test]
fn denials_count_once_there_is_enough_to_compare() {
    let before = tally(1000, 100, 0);
    let worse = |now: Tally, before| now.is_worse(Some(before), &bounds());
    assert_eq!(worse(tally(99, 99, 0), before), None);
    assert_eq!(worse(tally(100, 30, 0), before), None);
    assert_eq!(worse(tally(100, 31, 0), before), Some(Cause::Denials));
    // The version before has said too little, or does not count.
    assert_eq!(worse(tally(100, 100, 0), tally(99, 0, 0)), None);
    assert_eq!(tally(100, 100, 0).is_worse(None, &bounds()), None);
    assert_eq!(
        tally(0, 0, 0).is_worse(Some(tally(0, 0, 0)), &bounds()),
        None
    );
}

#[test]
fn sockets_are_spread_evenly_and_differently_by_each_trial() {
    let chosen = |trial: u64, percent: u64| {
        let of = 1..=10_000;
        of.filter(move |socket| mixed(*socket, trial) % u64::from(WHOLE) < percent)
    };
    for trial in [1, 2, 77] {
        let count = chosen(trial, 20).count();
        assert!((1800..2200).contains(&count), "{count}");
        let fewer: Vec<_> = chosen(trial, 20).collect();
        let more: std::collections::HashSet<_> = chosen(trial, 40).collect();
        assert!(fewer.iter().all(|socket| more.contains(socket)));
    }
    assert!(chosen(1, 20).ne(chosen(2, 20)));
    assert_eq!((chosen(1, 0).count(), chosen(1, 100).count()), (0, 10_000));
}

#[test]
fn what_is_kept_of_a_text_is_bounded() {
    assert_eq!(said::clipped("short"), "short");
    let long = "é".repeat(4000);
    let clipped = said::clipped(&long);
    assert!(clipped.len() < 2100 && clipped.ends_with('…'));
}
