use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn changes(interest: &Interest) -> Option<Changes> {
    match interest.inner.lock().news()? {
        News::Changes(changes) => Some(changes),
        News::Snapshot(_) => panic!("a snapshot"),
    }
}

#[test]
fn changes_are_numbered_and_told_once() {
    let interest = Interest::new(100);
    interest.add(1);
    interest.add(2);
    interest.add(1);
    interest.remove(1);
    interest.remove(3);
    let expected = Changes {
        after: 0,
        changes: vec![(1, true), (2, true), (1, false)],
        bucketed: false,
    };
    assert_eq!(changes(&interest), Some(expected));
    assert_eq!(changes(&interest), None);
    interest.add(3);
    assert_eq!(changes(&interest).map(|it| it.after), Some(3));
    let mut snapshot = interest.snapshot();
    snapshot.keys.sort_unstable();
    assert_eq!((snapshot.version, snapshot.keys), (4, vec![2, 3]));
}

#[test]
fn a_join_waits_until_all_know_of_it() {
    let interest = Interest::new(100);
    let called = Arc::new(AtomicUsize::new(0));
    let wait = |key| {
        let counter = called.clone();
        let known = move || _ = counter.fetch_add(1, Ordering::Relaxed);
        interest.when_known(&[key], Box::new(known));
        count(&called)
    };
    interest.add(1);
    interest.add(2);
    assert_eq!(wait(2), 0);
    assert_eq!(wait(1), 0);
    interest.known(1);
    assert_eq!(count(&called), 1);
    // A second member of a room that is known need not wait, one of a room that is not has to.
    assert_eq!(wait(1), 2);
    assert_eq!(wait(2), 2);
    interest.known(u64::MAX);
    assert_eq!(count(&called), 4);
    interest.add(3);
    assert_eq!(wait(3), 4);
    interest.known(3);
    assert_eq!(count(&called), 5);
}

#[test]
fn what_is_expected_is_told_as_what_is_there() {
    let interest = Interest::new(100);
    let told = || changes(&interest).map(|it| it.changes).unwrap_or_default();
    // One comes and stays, one never comes.
    interest.expect(1);
    interest.expect(2);
    assert_eq!(told(), [(1, true), (2, true)]);
    interest.add(1);
    interest.expect_no_more(1);
    interest.expect_no_more(2);
    assert_eq!(told(), [(2, false)]);
    // The last one leaves while two are expected.
    interest.expect(1);
    interest.expect(1);
    interest.remove(1);
    interest.expect_no_more(1);
    assert_eq!(told(), []);
    interest.expect_no_more(1);
    assert_eq!(told(), [(1, false)]);
    interest.expect_no_more(1);
    assert_eq!(told(), []);
}

#[test]
fn several_rooms_are_known_when_the_last_one_is() {
    let interest = Interest::new(100);
    let called = Arc::new(AtomicUsize::new(0));
    interest.expect(1);
    interest.expect(2);
    let counter = called.clone();
    let known = move || _ = counter.fetch_add(1, Ordering::Relaxed);
    interest.when_known(&[2, 3, 1], Box::new(known));
    interest.known(1);
    assert_eq!(count(&called), 0);
    interest.known(2);
    assert_eq!(count(&called), 1);
}

fn count(called: &AtomicUsize) -> usize {
    called.load(Ordering::Relaxed)
}

#[test]
fn beyond_the_bound_there_are_buckets_and_back() {
    let interest = Interest::new(4);
    // Keys of one bucket two by two.
    let key = |n: u64| (n / 2) << 40 | n;
    for n in 0..5 {
        interest.add(key(n));
    }
    let News::Snapshot(snapshot) = interest.inner.lock().news().unwrap() else {
        panic!("all anew");
    };
    assert!(
        snapshot.bucketed && snapshot.keys.len() == 3,
        "{snapshot:?}"
    );
    interest.add(key(5));
    assert_eq!(changes(&interest), None, "the bucket is known");
    interest.remove(key(0));
    interest.remove(key(1));
    let told = changes(&interest).unwrap();
    assert_eq!((told.changes, told.bucketed), (vec![(0, false)], true));
    interest.remove(key(2));
    interest.remove(key(3));
    let News::Snapshot(mut snapshot) = interest.inner.lock().news().unwrap() else {
        panic!("all anew");
    };
    snapshot.keys.sort_unstable();
    assert_eq!(
        (snapshot.bucketed, snapshot.keys),
        (false, vec![key(4), key(5)])
    );
    assert_eq!(snapshot.version, interest.version());
}
