//! One bucket, many threads.

use super::*;

#[test]
fn threads_together_never_take_more() {
    let state = Arc::new(PolicyState::default());
    for rule in [tokens(1000, 0.0), window(1000, 3_600_000)] {
        let rule = BucketRule {
            name: format!("{}", rule.window_ms).into(),
            ..rule
        };
        let taken = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for i in 0..2000 {
                        let cost = 1 + i % 3;
                        if state
                            .take(&rule, user("a").as_ref(), cost, Millis::now())
                            .allowed
                        {
                            taken.fetch_add(cost, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(taken.load(Ordering::Relaxed), 1000);
    }
}

#[test]
fn a_hot_bucket_refills_for_all_threads_together() {
    const END: u64 = 20_000;
    let state = PolicyState::default();
    for (rule, most) in [
        // 50 at first, and 100 a second for as long as the clock runs.
        (tokens(50, 100.0), 50 + 100 * END / 1000),
        // No more than 50 in each of the seconds that begin with a full one.
        (window(50, 1000), 50 * (END / 1000 + 1)),
    ] {
        let rule = BucketRule {
            name: format!("{}", rule.window_ms).into(),
            ..rule
        };
        let (clock, taken) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    loop {
                        let now = clock.fetch_add(1, Ordering::Relaxed);
                        if now >= END {
                            break;
                        }
                        if state.take_at(&rule, &user("hot"), 1, now).allowed {
                            taken.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let taken = taken.into_inner();
        assert!(taken <= most, "{taken} of {most}");
        assert!(taken >= most * 9 / 10, "{taken} of {most}");
    }
}
