mod show;
mod threads;
mod window;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::bucket::RuleError;
use super::*;

fn tokens(burst: u32, per_second: f64) -> BucketRule {
    BucketRule {
        name: "bucket".into(),
        burst,
        per_second,
        window_ms: 0,
        scope: Scope::Node,
    }
}

fn window(burst: u32, window_ms: u32) -> BucketRule {
    BucketRule {
        window_ms,
        ..tokens(burst, 0.0)
    }
}

fn user(name: &str) -> SubjectKey {
    SubjectKey::User(name.into())
}

fn allowed(remaining: u32) -> Decision {
    Decision {
        allowed: true,
        remaining,
        retry_after_ms: 0,
    }
}

fn denied(remaining: u32, retry_after_ms: u32) -> Decision {
    Decision {
        allowed: false,
        remaining,
        retry_after_ms,
    }
}

impl PolicyState {
    fn take_at(&self, rule: &BucketRule, subject: &SubjectKey, cost: u32, now: u64) -> Decision {
        self.take(rule, subject.as_ref(), cost, Millis(now))
    }
}

/// A small generator, so that a failure is the same at every run.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn a_bucket_empties_and_refills() {
    let state = PolicyState::default();
    let (rule, who) = (tokens(2, 10.0), user("a"));
    assert_eq!(state.take_at(&rule, &who, 1, 0), allowed(1));
    assert_eq!(state.take_at(&rule, &who, 1, 0), allowed(0));
    assert_eq!(state.take_at(&rule, &who, 1, 0), denied(0, 100));
    assert_eq!(state.take_at(&rule, &who, 1, 60), denied(0, 40));
    assert_eq!(state.take_at(&rule, &who, 1, 99), denied(0, 1));
    assert_eq!(state.take_at(&rule, &who, 1, 100), allowed(0));
    assert_eq!(state.take_at(&rule, &who, 2, 10_000), allowed(0));
}

#[test]
fn a_cost_is_taken_whole_or_not_at_all() {
    let state = PolicyState::default();
    let (rule, who) = (tokens(10, 1.0), user("a"));
    assert_eq!(state.take_at(&rule, &who, 7, 0), allowed(3));
    assert_eq!(state.take_at(&rule, &who, 7, 0), denied(3, 4000));
    assert_eq!(state.take_at(&rule, &who, 0, 0), allowed(3));
    assert_eq!(state.take_at(&rule, &who, 11, 0), denied(3, u32::MAX));
    assert_eq!(
        state.take_at(&rule, &user("b"), 11, 0),
        denied(10, u32::MAX)
    );
    let rule = window(10, 1000);
    let who = user("c");
    assert_eq!(state.take_at(&rule, &who, 7, 0), allowed(3));
    assert_eq!(state.take_at(&rule, &who, 7, 10), denied(3, 990));
    assert_eq!(state.take_at(&rule, &who, 11, 10), denied(3, u32::MAX));
}

#[test]
fn a_bucket_without_a_rate_is_never_refilled() {
    let state = PolicyState::default();
    let (rule, who) = (tokens(1, 0.0), user("a"));
    assert_eq!(state.take_at(&rule, &who, 1, 0), allowed(0));
    assert_eq!(
        state.take_at(&rule, &who, 1, 1_000_000_000),
        denied(0, u32::MAX)
    );
}

#[test]
fn tenths_of_tokens_add_up() {
    let state = PolicyState::default();
    let (rule, who) = (tokens(1, 100.0), user("a"));
    for now in (0..1000).step_by(10) {
        assert!(state.take_at(&rule, &who, 1, now).allowed, "at {now}");
        assert_eq!(state.take_at(&rule, &who, 1, now + 3), denied(0, 7));
    }
}

#[test]
fn the_wait_of_a_bucket_is_exact() {
    let mut random = Random(7);
    for (burst, rate) in [
        (5, 3.0),
        (100, 0.7),
        (3, 1000.0 / 7.0),
        (1_000_000, 12_345.6),
    ] {
        let state = PolicyState::default();
        let (rule, who) = (tokens(burst, rate), user("a"));
        let mut now = 0;
        for _ in 0..2000 {
            let cost = 1 + random.below(u64::from(burst)) as u32;
            let decision = state.take_at(&rule, &who, cost, now);
            if !decision.allowed {
                let then = now + u64::from(decision.retry_after_ms);
                assert!(!state.take_at(&rule, &who, cost, then - 1).allowed);
                assert!(state.take_at(&rule, &who, cost, then).allowed);
                now = then;
            }
            now += random.below(50);
        }
    }
}

#[test]
fn a_clock_that_seems_to_go_back_gives_nothing() {
    let state = PolicyState::default();
    let who = user("a");
    for rule in [tokens(2, 1.0), window(2, 1000)] {
        let rule = BucketRule {
            name: format!("{}", rule.window_ms).into(),
            ..rule
        };
        assert!(state.take_at(&rule, &who, 2, 5000).allowed);
        assert!(!state.take_at(&rule, &who, 1, 5000).allowed);
        assert_eq!(state.take_at(&rule, &who, 1, 4000).retry_after_ms, 1000);
        assert!(state.take_at(&rule, &who, 1, 6000).allowed);
    }
}

#[test]
fn changed_numbers_keep_the_state() {
    let store = Store::new();
    let who = user("a");
    assert_eq!(
        store.policy("p").take_at(&tokens(100, 1.0), &who, 10, 0),
        allowed(90)
    );
    // The same state after a reload, filled to the same part: 18 of 20.
    assert_eq!(
        store.policy("p").take_at(&tokens(20, 1.0), &who, 8, 0),
        allowed(10)
    );
    assert_eq!(
        store.policy("p").take_at(&tokens(1000, 1.0), &who, 0, 0),
        allowed(500)
    );
    // To look writes nothing, and neither does a denial.
    assert_eq!(
        store.policy("p").take_at(&tokens(20, 1.0), &who, 11, 0),
        denied(10, 1000)
    );
    assert_eq!(
        store.policy("p").take_at(&tokens(20, 1.0), &who, 0, 0),
        allowed(10)
    );
    assert_eq!(
        store.policy("q").take_at(&tokens(20, 1.0), &who, 0, 0),
        allowed(20)
    );

    let state = PolicyState::default();
    assert!(state.take_at(&window(10, 1000), &who, 8, 0).allowed);
    assert_eq!(state.take_at(&window(5, 1000), &who, 1, 10), denied(0, 990));
    assert_eq!(state.take_at(&window(9, 1000), &who, 1, 10), allowed(0));
    // A bucket that becomes a window starts afresh.
    assert_eq!(state.take_at(&tokens(3, 0.0), &who, 1, 10), allowed(2));
}

#[test]
fn subjects_and_buckets_are_apart() {
    let state = PolicyState::default();
    let address = SubjectKey::Address(IpAddr::from([127, 0, 0, 1]));
    let subjects = [
        user("1"),
        user("2"),
        SubjectKey::Namespace("1".into()),
        SubjectKey::Socket(1),
        address,
        SubjectKey::Global,
    ];
    for name in ["x", "y"] {
        let rule = BucketRule {
            name: name.into(),
            ..tokens(1, 0.0)
        };
        for subject in &subjects {
            assert!(state.take_at(&rule, subject, 1, 0).allowed, "{subject:?}");
            // The same by another handle on an equal name.
            let again = BucketRule {
                name: name.into(),
                ..rule.clone()
            };
            assert!(!state.take_at(&again, subject, 1, 0).allowed, "{subject:?}");
        }
    }
    assert_eq!(state.buckets().keys, 12);
}

#[test]
fn a_socket_that_is_gone_takes_its_keys_along() {
    let store = Store::new();
    for policy in ["p", "q"] {
        for name in ["x", "y"] {
            let rule = BucketRule {
                name: name.into(),
                ..tokens(1, 0.0)
            };
            let state = store.policy(policy);
            state.take_at(&rule, &SubjectKey::Socket(1), 1, 0);
            state.take_at(&rule, &SubjectKey::Socket(2), 1, 0);
            state.take_at(&rule, &user("1"), 1, 0);
        }
    }
    store.policy("p").forget_socket(1);
    store.policy("p").forget_socket(1);
    let mut usage = store.usage(Millis(0));
    usage.sort_by(|a, b| a.policy.cmp(&b.policy));
    let keys: Vec<_> = usage
        .iter()
        .map(|of| (of.buckets.keys, of.buckets.evicted))
        .collect();
    assert_eq!(keys, [(4, 0), (6, 0)]);
}

#[test]
fn nothing_taken_is_nothing_kept() {
    let state = PolicyState::default();
    state.take_at(&tokens(1, 1.0), &user("a"), 0, 0);
    state.take_at(&tokens(1, 1.0), &user("a"), 2, 0);
    assert_eq!(state.buckets().keys, 0);
}

#[test]
fn recovered_keys_go_as_new_ones_come() {
    let state = PolicyState::default();
    let rule = tokens(10, 10.0);
    for i in 0..50_000u64 {
        state.take_at(&rule, &SubjectKey::Socket(i), 1, i);
    }
    // A key recovers in 100 ms, so about a hundred are alive at any time.
    assert!(state.buckets().keys < 1000, "{}", state.buckets().keys);
    assert_eq!(state.buckets().evicted, 0);
}

#[test]
fn a_full_state_evicts_what_is_nearest_to_recovery_and_counts_it() {
    let state = PolicyState::with_capacity(1024);
    let (rule, never) = (tokens(10, 1.0), tokens(1, 0.0));
    for i in 0..100 {
        state.take_at(&never, &user(&format!("spent {i}")), 1, 0);
    }
    for i in 0..100_000u64 {
        state.take_at(&rule, &SubjectKey::Socket(i), 1, 0);
    }
    assert!(state.buckets().keys <= 1024);
    assert_eq!(
        state.buckets().evicted,
        100_100 - state.buckets().keys as u64
    );
    // Whoever is far from recovery keeps the limit, however many others come.
    let kept = (0..100)
        .filter(|i| {
            !state
                .take_at(&never, &user(&format!("spent {i}")), 1, 0)
                .allowed
        })
        .count();
    assert_eq!(kept, 100);
}

#[test]
fn a_new_size_keeps_the_part_that_is_filled() {
    let state = PolicyState::default();
    let who = user("a");
    assert_eq!(state.take_at(&tokens(10, 0.0), &who, 7, 0), allowed(3));
    // 30 of 100; what came back since comes at the new rate.
    let rule = tokens(100, 10.0);
    assert_eq!(state.take_at(&rule, &who, 0, 0), allowed(30));
    assert_eq!(state.take_at(&rule, &who, 31, 0), denied(30, 100));
    assert_eq!(state.take_at(&rule, &who, 35, 1000), allowed(5));
    // Empty stays empty, full stays full.
    assert_eq!(state.take_at(&tokens(100, 0.0), &who, 5, 1000), allowed(0));
    assert_eq!(
        state.take_at(&tokens(1, 0.0), &who, 1, 1000),
        denied(0, u32::MAX)
    );
    let other = user("b");
    assert!(state.take_at(&tokens(4, 1.0), &other, 1, 0).allowed);
    assert_eq!(state.take_at(&tokens(9, 1.0), &other, 0, 5000), allowed(9));
}

#[test]
fn rules_that_make_no_bucket_are_refused() {
    assert_eq!(tokens(1, 0.0).check(), Ok(()));
    assert_eq!(tokens(0, 1.0).check(), Err(RuleError::NoBurst));
    for rate in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(tokens(1, rate).check(), Err(RuleError::Rate));
        // And if one is used all the same, it refills nothing.
        let state = PolicyState::default();
        assert!(state.take_at(&tokens(1, rate), &user("a"), 1, 0).allowed);
        assert!(!state.take_at(&tokens(1, rate), &user("a"), 1, 1000).allowed);
    }
    let nameless = BucketRule {
        name: "".into(),
        ..tokens(1, 1.0)
    };
    assert_eq!(nameless.check(), Err(RuleError::Nameless));
}
