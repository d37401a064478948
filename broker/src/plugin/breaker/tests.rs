use std::sync::atomic::AtomicUsize;
use std::thread;

use super::*;

/// A breaker and a clock.
struct Case {
    breaker: Breaker,
    start: Instant,
    at: u64,
}

fn case(failures: u32) -> Case {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 40);
    let start = Instant::now();
    let settings = PolicyBreaker {
        failures,
        ..PolicyBreaker::default()
    };
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    Case {
        breaker: Breaker::new(id, settings, start),
        start,
        at: 0,
    }
}

impl Case {
    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.at)
    }

    fn after(&mut self, ms: u64) -> &mut Self {
        self.at += ms;
        self
    }

    /// `None`: the call was not made.
    fn call(&self, socket: u64, fault: Option<&str>) -> Option<Option<Change>> {
        let permit = self.breaker.may_call(socket, true, || self.now())?;
        Some(self.breaker.ended(permit, socket, fault, || self.now()))
    }

    #[track_caller]
    fn fails(&self, socket: u64) -> Option<Change> {
        self.call(socket, Some("trap")).expect("not called")
    }

    #[track_caller]
    fn works(&self, socket: u64) -> Option<Change> {
        self.call(socket, None).expect("not called")
    }

    fn is_refused(&self, socket: u64) -> bool {
        self.call(socket, None).is_none()
    }

    fn state(&self) -> BreakerState {
        self.status().state
    }

    fn status(&self) -> BreakerStatus {
        self.breaker.status(
            self.now(),
            SystemTime::UNIX_EPOCH + Duration::from_millis(self.at),
        )
    }

    /// Opens it, by one failure of each of so many sockets.
    #[track_caller]
    fn open(&self, sockets: u64) {
        let changes: Vec<_> = (1..=sockets).filter_map(|it| self.fails(it)).collect();
        assert!(
            matches!(changes[..], [Change::Opened { .. }]),
            "{changes:?}"
        );
    }
}

#[test]
fn it_opens_after_so_many_failures_of_different_sockets() {
    let case = case(10);
    for socket in 0..9 {
        assert_eq!(case.fails(socket), None);
    }
    assert_eq!(case.state(), BreakerState::Closed);
    assert_eq!(case.status().failures, 9);
    let Some(Change::Opened { failures, pause }) = case.fails(9) else {
        panic!("it is closed");
    };
    assert_eq!(failures, 10);
    assert!((750..=1000).contains(&pause.as_millis()), "{pause:?}");
    assert!(case.is_refused(1) && case.is_refused(99));
    let status = case.status();
    assert_eq!(status.state, BreakerState::Open);
    assert_eq!(status.last_fault.as_deref(), Some("trap"));
    assert_eq!(status.since, SystemTime::UNIX_EPOCH);
    // To the millisecond.
    let retry_at = SystemTime::UNIX_EPOCH + Duration::from_millis(pause.as_millis() as u64);
    assert_eq!(status.retry_at, Some(retry_at));
}

#[test]
fn no_socket_opens_it_alone_nor_do_three() {
    let mut case = case(10);
    for _ in 0..1_000 {
        for socket in 0..3 {
            assert_eq!(case.fails(socket), None);
        }
        // Over many windows.
        case.after(50);
    }
    assert_eq!(case.state(), BreakerState::Closed);
    // Three of each count, and a fourth socket makes them ten.
    case.after(10_000);
    for _ in 0..100 {
        (0..3).for_each(|socket| assert_eq!(case.fails(socket), None));
    }
    assert!(matches!(
        case.fails(3),
        Some(Change::Opened { failures: 301, .. })
    ));
}

#[test]
fn those_for_whom_it_works_keep_it_closed() {
    let mut case = case(10);
    // Twenty clients that are well, and eighteen that know what makes it fail.
    assert_eq!(case.fails(100), None);
    for round in 0..50 {
        for socket in 0..20 {
            assert_eq!(case.works(socket), None);
        }
        for socket in 100..118 {
            assert_eq!(case.fails(socket), None, "{socket} in round {round}");
        }
        case.after(100);
    }
    assert_eq!(case.state(), BreakerState::Closed);
    // When it stops working for everyone, it opens.
    case.after(10_000);
    let opened = (0..20).any(|socket| case.fails(socket).is_some());
    assert!(opened);
}

#[test]
fn failures_of_another_window_do_not_count() {
    let mut case = case(10);
    for round in 0..20 {
        for socket in 0..9 {
            assert_eq!(case.fails(round * 10 + socket), None);
        }
        case.after(10_000);
    }
    assert_eq!(case.status().failures, 0);
    case.open(10);
}

#[test]
fn a_trial_that_works_closes_it_and_one_that_fails_doubles_the_time() {
    let mut case = case(10);
    case.open(10);
    let mut longest = 1_000;
    for trial in 0..10 {
        let shortest = longest * 3 / 4 - 1;
        assert!(case.after(shortest).is_refused(0), "before trial {trial}");
        case.after(longest - shortest);
        let permit = case.breaker.may_call(trial, true, || case.now()).unwrap();
        // One at a time.
        assert_eq!(case.state(), BreakerState::HalfOpen);
        assert!(case.is_refused(77));
        let change = case
            .breaker
            .ended(permit, trial, Some("still"), || case.now());
        assert_eq!((change, case.state()), (None, BreakerState::Open));
        assert_eq!(case.status().failures, 11 + trial);
        longest = (longest * 2).min(60_000);
    }
    assert_eq!(case.status().last_fault.as_deref(), Some("still"));
    let open_for = Duration::from_millis(case.after(60_000).at);
    assert_eq!(case.works(5), Some(Change::Closed { open_for }));
    let status = case.status();
    assert_eq!((status.state, status.failures), (BreakerState::Closed, 0));
    assert_eq!(status.retry_at, None);
    assert_eq!(status.last_fault.as_deref(), Some("still"));
    // From the beginning.
    case.open(10);
    assert!(case.after(1_000).works(0).is_some());
}

#[test]
fn whoever_failed_a_trial_does_not_get_the_next_one_either() {
    let mut case = case(10);
    case.open(10);
    assert_eq!(case.after(1_000).fails(1), None);
    assert!(case.after(2_000).is_refused(1));
    assert!(matches!(case.works(2), Some(Change::Closed { .. })));
    // Unless nobody else comes.
    case.open(10);
    assert_eq!(case.after(1_000).fails(1), None);
    assert!(case.after(3_000).is_refused(1));
    assert!(matches!(
        case.after(1_000).works(1),
        Some(Change::Closed { .. })
    ));
}

#[test]
fn closed_again_it_hears_those_for_whom_it_works_first() {
    let mut case = case(10);
    case.open(10);
    assert!(case.after(1_000).works(50).is_some());
    for socket in 50..61 {
        assert_eq!(case.works(socket), None);
    }
    for socket in 0..10 {
        assert_eq!(case.fails(socket), None, "{socket}");
    }
    assert!(case.fails(10).is_some(), "as many as it works for");
}

#[test]
fn a_goodbye_is_no_trial_and_counts_when_it_fails() {
    let mut case = case(10);
    case.open(10);
    case.after(5_000);
    assert!(case.breaker.may_call(1, false, || case.now()).is_none());
    assert_eq!(case.state(), BreakerState::Open);
    assert!(case.works(1).is_some());
    for socket in 0..10 {
        let permit = case.breaker.may_call(socket, false, || case.now()).unwrap();
        case.breaker
            .ended(permit, socket, Some("trap"), || case.now());
    }
    assert_eq!(case.state(), BreakerState::Open);
}

#[test]
fn a_trial_that_is_given_up_is_anothers() {
    let mut case = case(10);
    case.open(10);
    case.after(1_000);
    let permit = case.breaker.may_call(1, true, || case.now());
    assert!(case.is_refused(2));
    drop(permit);
    assert_eq!(case.state(), BreakerState::Open);
    assert!(case.works(2).is_some());
}

#[test]
fn calls_from_before_it_opened_change_nothing() {
    let case = case(10);
    let early: Vec<_> = (20..23)
        .map(|socket| case.breaker.may_call(socket, true, || case.now()).unwrap())
        .collect();
    case.open(10);
    let status = case.status();
    for (socket, permit) in (20..).zip(early) {
        let fault = (socket == 20).then_some("late");
        assert_eq!(
            case.breaker.ended(permit, socket, fault, || case.now()),
            None
        );
    }
    assert_eq!(case.status(), status);
}

#[test]
fn with_no_failures_allowed_for_it_never_opens() {
    let case = case(0);
    for socket in 0..1_000 {
        assert_eq!(case.fails(socket), None);
    }
    assert_eq!(case.state(), BreakerState::Closed);
}

#[test]
fn few_failures_are_enough_if_so_configured() {
    let one = case(1);
    assert!(one.fails(1).is_some());
    let two = case(2);
    assert_eq!((two.fails(1), two.fails(1)), (None, None));
    assert!(two.fails(2).is_some());
}

#[test]
fn clocks_and_times_that_make_no_sense_do_no_harm() {
    let start = Instant::now();
    let settings = PolicyBreaker {
        failures: u32::MAX,
        window: Duration::MAX,
        backoff: Duration::from_secs(1 << 40),
        max_backoff: Duration::from_secs(1 << 41),
    };
    // Never mind that these are out of bounds.
    let huge = Breaker::new(u64::MAX, settings, start);
    for socket in 0..10 {
        let permit = huge.may_call(socket, true, || start).unwrap();
        huge.ended(permit, socket, Some("é".repeat(1_000).as_str()), || start);
    }
    let status = huge.status(start, SystemTime::UNIX_EPOCH);
    assert_eq!(status.last_fault.unwrap().len(), LONGEST_FAULT);

    // A thread whose time is older than another's.
    let mut case = case(10);
    case.after(5_000).open(10);
    case.at = 4_990;
    assert!(case.is_refused(1));
    assert_eq!(case.status().open_for, Duration::ZERO);
    let before = case.start.checked_sub(Duration::from_secs(1)).unwrap();
    assert!(case.breaker.may_call(1, true, || before).is_none());
    case.at = 6_000;
    assert!(case.works(1).is_some());
    // The wall's clock is set to the beginning of time.
    case.breaker.status(case.now(), SystemTime::UNIX_EPOCH);
}

#[test]
fn threads_agree_on_one_opening_one_trial_and_one_closing() {
    let mut case = case(30);
    let at_once = |case: &Case, call: &(dyn Fn(u64) -> bool + Sync)| -> usize {
        let hits = AtomicUsize::new(0);
        thread::scope(|scope| {
            for thread in 0..8u64 {
                let hits = &hits;
                scope.spawn(move || {
                    for turn in 0..2_000 {
                        if call(thread * 10_000 + turn % 100) {
                            hits.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let _ = case;
        hits.into_inner()
    };
    let opened = at_once(&case, &|socket| {
        matches!(
            case.call(socket, Some("trap")),
            Some(Some(Change::Opened { .. }))
        )
    });
    assert_eq!((opened, case.state()), (1, BreakerState::Open));
    case.after(1_000);
    let permits = Mutex::new(Vec::new());
    let tried = at_once(&case, &|socket| {
        let permit = case.breaker.may_call(socket, true, || case.now());
        let is_tried = permit.is_some();
        permits.lock().extend(permit);
        is_tried
    });
    assert_eq!(tried, 1);
    let permit = permits.into_inner().pop().unwrap();
    let change = case.breaker.ended(permit, 1, None, || case.now());
    assert!(matches!(change, Some(Change::Closed { .. })));
    let refused = at_once(&case, &|socket| case.is_refused(socket));
    assert_eq!(refused, 0);
}
