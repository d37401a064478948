//! Token buckets and exact windows, as the contract describes them.

use std::collections::{HashMap, VecDeque};

use crate::{Bucket, Decision};

/// Whom a state counts. A user and an address are never the same, even if their texts are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Socket(u64),
    User(String),
    Address(String),
    Namespace(String),
    Global,
}

/// The states of all buckets, by name, so that they outlive a configuration.
#[derive(Debug, Default)]
pub(super) struct Buckets(HashMap<(String, Key), State>);

#[derive(Debug)]
enum State {
    Tokens {
        left: f64,
        at_ms: u64,
    },
    /// When how much was taken, oldest first.
    Window(VecDeque<(u64, u32)>),
}

/// So that the rounding of many small refills never costs a whole token.
const EPSILON: f64 = 1e-6;

impl Buckets {
    pub(super) fn take(&mut self, rule: &Bucket, key: Key, cost: u32, now_ms: u64) -> Decision {
        let state = self.0.entry((rule.name.clone(), key));
        let state = state.or_insert_with(|| State::new(rule, now_ms));
        // A bucket whose kind has changed starts anew.
        if matches!(state, State::Window(_)) != (rule.window_ms > 0) {
            *state = State::new(rule, now_ms);
        }
        match state {
            State::Tokens { left, at_ms } => tokens(left, at_ms, rule, cost, now_ms),
            State::Window(taken) => window(taken, rule, cost, now_ms),
        }
    }
}

impl State {
    fn new(rule: &Bucket, now_ms: u64) -> Self {
        if rule.window_ms > 0 {
            Self::Window(VecDeque::new())
        } else {
            Self::Tokens {
                left: f64::from(rule.burst),
                at_ms: now_ms,
            }
        }
    }
}

fn tokens(left: &mut f64, at_ms: &mut u64, rule: &Bucket, cost: u32, now_ms: u64) -> Decision {
    let elapsed = now_ms.saturating_sub(*at_ms) as f64;
    *left = (*left + elapsed * rule.per_second / 1_000.0).min(f64::from(rule.burst));
    *at_ms = now_ms.max(*at_ms);
    let cost_f = f64::from(cost);
    let allowed = *left + EPSILON >= cost_f;
    if allowed {
        *left = (*left - cost_f).max(0.0);
    }
    let retry_after_ms = if allowed {
        0
    } else if cost > rule.burst || rule.per_second <= 0.0 {
        u32::MAX
    } else {
        // Saturates.
        ((cost_f - *left) / rule.per_second * 1_000.0 - EPSILON)
            .ceil()
            .max(1.0) as u32
    };
    Decision {
        allowed,
        remaining: (*left + EPSILON) as u32,
        retry_after_ms,
    }
}

fn window(taken: &mut VecDeque<(u64, u32)>, rule: &Bucket, cost: u32, now_ms: u64) -> Decision {
    let length = u64::from(rule.window_ms);
    // What was taken a whole window ago is out of every window that holds this moment.
    while taken.front().is_some_and(|(at, _)| at + length <= now_ms) {
        taken.pop_front();
    }
    let used: u64 = taken.iter().map(|(_, cost)| u64::from(*cost)).sum();
    let burst = u64::from(rule.burst);
    let allowed = used + u64::from(cost) <= burst;
    if allowed && cost > 0 {
        taken.push_back((now_ms, cost));
    }
    let used_now = if allowed {
        used + u64::from(cost)
    } else {
        used
    };
    Decision {
        allowed,
        remaining: u32::try_from(burst.saturating_sub(used_now)).unwrap_or(u32::MAX),
        retry_after_ms: if allowed {
            0
        } else {
            until_room(taken, used, rule, cost, now_ms)
        },
    }
}

/// In how many milliseconds enough of what was taken has left the window.
fn until_room(
    taken: &VecDeque<(u64, u32)>,
    mut used: u64,
    rule: &Bucket,
    cost: u32,
    now_ms: u64,
) -> u32 {
    for (at, cost_then) in taken {
        used -= u64::from(*cost_then);
        if used + u64::from(cost) <= u64::from(rule.burst) {
            let wait = at + u64::from(rule.window_ms) - now_ms;
            return u32::try_from(wait).unwrap_or(u32::MAX);
        }
    }
    u32::MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Test {
        buckets: Buckets,
        rule: Bucket,
    }

    impl Test {
        fn new(rule: Bucket) -> Self {
            Self {
                buckets: Buckets::default(),
                rule,
            }
        }

        fn take(&mut self, cost: u32, now_ms: u64) -> (bool, u32, u32) {
            let decision = self.buckets.take(&self.rule, Key::Global, cost, now_ms);
            (
                decision.allowed,
                decision.remaining,
                decision.retry_after_ms,
            )
        }
    }

    #[test]
    fn a_token_bucket_empties_and_refills() {
        let mut test = Test::new(Bucket::tokens("b", 3, 2.0));
        assert_eq!(test.take(2, 0), (true, 1, 0));
        assert_eq!(test.take(2, 0), (false, 1, 500), "all of it or nothing");
        assert_eq!(test.take(2, 499), (false, 1, 1));
        assert_eq!(test.take(2, 500), (true, 0, 0));
        assert_eq!(
            test.take(1, 60_000),
            (true, 2, 0),
            "it never holds more than its burst"
        );
        assert_eq!(
            test.take(4, 60_000),
            (false, 2, u32::MAX),
            "more than it can hold"
        );
        assert_eq!(test.take(0, 60_000), (true, 2, 0));
    }

    #[test]
    fn what_the_answer_promises_is_kept() {
        for per_second in [0.3, 1.0, 7.0, 1_000.0 / 7.0] {
            let mut test = Test::new(Bucket::tokens("b", 5, per_second));
            let mut now = 0;
            for cost in [5, 1, 2, 5, 3, 4] {
                let (allowed, _, wait) = test.take(cost, now);
                if !allowed {
                    now += u64::from(wait);
                    assert!(test.take(cost, now).0, "{per_second} {cost}");
                }
            }
        }
    }

    #[test]
    fn without_a_rate_it_never_refills() {
        let mut test = Test::new(Bucket::tokens("b", 1, 0.0));
        assert_eq!(test.take(1, 0), (true, 0, 0));
        assert_eq!(test.take(1, u64::from(u32::MAX) * 10), (false, 0, u32::MAX));
    }

    #[test]
    fn a_window_holds_however_they_are_spaced() {
        let mut test = Test::new(Bucket::window("b", 3, Duration::from_millis(100)));
        assert_eq!(test.take(1, 0), (true, 2, 0));
        assert_eq!(test.take(2, 60), (true, 0, 0));
        assert_eq!(test.take(1, 60), (false, 0, 40));
        assert_eq!(
            test.take(2, 60),
            (false, 0, 100),
            "the first alone makes not enough room"
        );
        assert_eq!(test.take(1, 99), (false, 0, 1));
        assert_eq!(test.take(1, 100), (true, 0, 0));
        assert_eq!(test.take(1, 159), (false, 0, 1));
        assert_eq!(test.take(2, 160), (true, 0, 0));
        assert_eq!(test.take(4, 1_000), (false, 3, u32::MAX));
    }

    #[test]
    fn no_window_of_a_minute_ever_holds_more() {
        let mut test = Test::new(Bucket::window("b", 100, Duration::from_secs(60)));
        let mut allowed = Vec::new();
        // Unevenly spaced, over five minutes.
        let mut now = 0;
        while now < 300_000 {
            if test.take(1, now).0 {
                allowed.push(now);
            }
            now += 1 + now * 7_919 % 997;
        }
        for (n, start) in allowed.iter().enumerate() {
            let within = allowed[n..].iter().take_while(|at| **at < start + 60_000);
            assert!(within.count() <= 100);
        }
        assert!(allowed.len() > 400, "{}", allowed.len());
    }

    #[test]
    fn a_changed_kind_starts_anew_and_a_smaller_burst_holds_at_once() {
        let mut test = Test::new(Bucket::tokens("b", 5, 0.0));
        assert_eq!(test.take(1, 0), (true, 4, 0));
        test.rule = Bucket::tokens("b", 2, 0.0);
        assert_eq!(test.take(1, 0), (true, 1, 0));
        test.rule = Bucket::window("b", 1, Duration::from_millis(10));
        assert_eq!(test.take(1, 0), (true, 0, 0));
    }
}
