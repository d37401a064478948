//! Windows: exact, bounded, and never more than they allow.

use super::*;

#[test]
fn never_more_than_the_burst_in_any_window() {
    let mut random = Random(42);
    for burst in [1, 3, 100] {
        let state = PolicyState::default();
        let (rule, who) = (window(burst, 1000), user("a"));
        let mut taken: Vec<(u64, u32)> = Vec::new();
        let mut now = 5;
        for _ in 0..5000 {
            let cost = 1 + random.below(u64::from(burst.min(3))) as u32;
            let in_window: u32 = taken
                .iter()
                .filter(|(at, _)| at + 1000 > now)
                .map(|(_, cost)| cost)
                .sum();
            let decision = state.take_at(&rule, &who, cost, now);
            assert_eq!(decision.allowed, in_window + cost <= burst, "at {now}");
            if decision.allowed {
                assert_eq!(decision.remaining, burst - in_window - cost);
                taken.push((now, cost));
            } else {
                let then = now + u64::from(decision.retry_after_ms);
                if random.below(2) == 0 {
                    assert!(!state.take_at(&rule, &who, cost, then - 1).allowed);
                    // Time never goes back, whatever a thread that was late says.
                    now = then;
                    continue;
                }
            }
            now += random.below(30);
        }
    }
}

#[test]
fn the_hundred_and_first_in_a_minute_waits_for_the_first_to_leave() {
    let state = PolicyState::default();
    let (rule, who) = (window(100, 60_000), user("a"));
    for i in 0..100 {
        assert!(state.take_at(&rule, &who, 1, 1000 + i * 500).allowed);
    }
    assert_eq!(state.take_at(&rule, &who, 1, 51_000), denied(0, 10_000));
    assert_eq!(state.take_at(&rule, &who, 1, 60_999), denied(0, 1));
    assert_eq!(state.take_at(&rule, &who, 1, 61_000), allowed(0));
    assert_eq!(state.take_at(&rule, &who, 1, 61_000), denied(0, 500));
    assert_eq!(state.take_at(&rule, &user("b"), 1, 61_000), allowed(99));
}

#[test]
fn a_large_window_is_bounded_and_at_most_a_granule_early() {
    let (burst, length) = (5000u32, 60_000u32);
    let granule = u64::from(length.div_ceil(1024));
    let rule = window(burst, length);
    let mut cell = bucket::Cell::new(&rule, 0);
    let mut random = Random(3);
    let mut taken: Vec<u64> = Vec::new();
    let mut now = 0;
    for _ in 0..50_000 {
        let in_window = |margin: u64| {
            taken
                .iter()
                .rev()
                .take_while(|at| *at + u64::from(length) + margin > now)
                .count()
        };
        let decision = cell.take(&rule, 1, now, false);
        if decision.allowed {
            assert!(in_window(0) < burst as usize);
            taken.push(now);
        } else {
            assert!(in_window(granule) >= burst as usize);
        }
        assert!(cell.stamps() <= 1025);
        now += random.below(12);
    }
    assert!(taken.len() > 20_000);
}

#[test]
fn a_window_short_of_room_is_kept_coarsely_and_never_allows_more() {
    let rule = window(1000, 60_000);
    let mut cell = bucket::Cell::new(&rule, 0);
    for now in 0..500 {
        assert!(cell.take(&rule, 1, now * 100, false).allowed);
    }
    assert_eq!(cell.stamps(), 500);
    for now in 500..590 {
        assert!(cell.take(&rule, 1, now * 100, true).allowed);
    }
    assert!(cell.stamps() <= 65, "{}", cell.stamps());
    // All of what was taken is still there, and gone when its granule is.
    assert_eq!(cell.take(&rule, 0, 59_999, true), allowed(410));
    assert!(cell.take(&rule, 0, 61_000, true).remaining < 1000);
    assert_eq!(cell.take(&rule, 0, 118_900, true), allowed(1000));
}

#[test]
fn a_window_gives_its_room_back() {
    let state = PolicyState::with_capacity(10);
    let rule = window(1000, 1000);
    for now in 0..1000 {
        state.take_at(&rule, &user("a"), 1, now);
    }
    let stamps = |state: &PolicyState| -> usize {
        state.shards.iter().map(|shard| shard.lock().stamps()).sum()
    };
    assert_eq!(stamps(&state), 1000);
    state.take_at(&rule, &user("a"), 1, 1500);
    assert_eq!(stamps(&state), 500);
    state.take_at(&rule, &user("a"), 1, 3000);
    assert_eq!(stamps(&state), 1);
}
