//! What support sees of a state, and clears.

use super::*;

fn filter(prefix: &str, subject: Option<&str>) -> Filter {
    Filter {
        prefix: prefix.to_owned(),
        subject: subject.map(|subject| subject.parse().expect("a subject")),
    }
}

fn bucket(name: &str, rule: BucketRule) -> BucketRule {
    BucketRule {
        name: name.into(),
        ..rule
    }
}

/// Three buckets of two users, a counter and two values, at 0.
fn filled() -> PolicyState {
    let state = PolicyState::default();
    let (typing, message) = (
        bucket("typing", tokens(10, 1.0)),
        bucket("message", window(5, 1000)),
    );
    state.take_at(&typing, &user("alice"), 4, 0);
    state.take_at(&message, &user("alice"), 2, 0);
    state.take_at(&message, &user("alice"), 2, 500);
    state.take_at(&bucket("once", tokens(1, 0.0)), &user("bob"), 1, 0);
    state.add("seen:1", 3, 2000, Millis(0)).expect("add");
    state.set("seen:2", b"yes", 0, Millis(0)).expect("set");
    state.set("raw", &[255; 9], 0, Millis(0)).expect("set");
    state
}

fn shown(bucket: &str, subject: &str, remaining: u32, recovers_ms: Option<u64>) -> ShownBucket {
    ShownBucket {
        scope: ShownScope::Node,
        bucket: bucket.into(),
        subject: subject.to_owned(),
        remaining,
        recovers_ms,
    }
}

#[test]
fn buckets_show_what_is_left_and_until_when() {
    let state = filled();
    let buckets = |now| {
        state
            .show(&filter("", None), &After::default(), 10, Millis(now))
            .buckets
    };
    assert_eq!(
        buckets(600),
        [
            shown("message", "user:alice", 1, Some(900)),
            shown("once", "user:bob", 0, None),
            shown("typing", "user:alice", 6, Some(3400)),
        ]
    );
    // Time goes by, and what has recovered is not there.
    assert_eq!(
        buckets(1000)[0],
        shown("message", "user:alice", 3, Some(500))
    );
    assert_eq!(buckets(4000), [shown("once", "user:bob", 0, None)]);
}

#[test]
fn entries_show_what_they_are() {
    let state = filled();
    let entries = |now| {
        state
            .show(&filter("", None), &After::default(), 10, Millis(now))
            .entries
    };
    let entry = |key: &str, kind, bytes, ttl_ms, value: Option<&str>| ShownEntry {
        scope: ShownScope::Node,
        key: key.to_owned(),
        kind,
        bytes,
        ttl_ms,
        value: value.map(str::to_owned),
    };
    let values = [
        entry("raw", "value", 9, None, None),
        entry("seen:2", "value", 3, None, Some("yes")),
    ];
    let [raw, yes] = &values;
    let three = entry("seen:1", "counter", 1, Some(1500), Some("3"));
    assert_eq!(entries(500), [raw.clone(), three, yes.clone()]);
    assert_eq!(entries(2000), values);
    state
        .set("long", "x".repeat(257).as_bytes(), 0, Millis(0))
        .expect("set");
    assert_eq!(entries(2000)[0], entry("long", "value", 257, None, None));
}

#[test]
fn a_filter_and_a_limit_choose() {
    let state = filled();
    let show = |prefix, subject, limit| {
        let shown = state.show(
            &filter(prefix, subject),
            &After::default(),
            limit,
            Millis(0),
        );
        let names: Vec<_> = shown
            .buckets
            .iter()
            .map(|of| of.bucket.to_string())
            .collect();
        let keys: Vec<_> = shown.entries.into_iter().map(|of| of.key).collect();
        (shown.matched, names.join(" "), keys.join(" "))
    };
    let is = |matched, names: &str, keys: &str| (matched, names.to_owned(), keys.to_owned());
    assert_eq!(
        show("", None, 10),
        is(6, "message once typing", "raw seen:1 seen:2")
    );
    assert_eq!(show("", None, 1), is(6, "message", "raw"));
    assert_eq!(show("seen:", None, 1), is(2, "", "seen:1"));
    assert_eq!(
        show("", Some("user:alice"), 10),
        is(2, "message typing", "")
    );
    assert_eq!(show("t", Some("user:alice"), 10), is(1, "typing", ""));
    assert_eq!(show("", Some("global"), 10), is(0, "", ""));
}

#[test]
fn pages_hold_everything_once() {
    let state = filled();
    let all = state.show(&Filter::default(), &After::default(), 10, Millis(0));
    assert!(all.next.is_none());
    let (mut buckets, mut entries) = (Vec::new(), Vec::new());
    let mut after = Some(After::default());
    while let Some(behind) = after {
        // As it comes back from whoever was told.
        let told = serde_json::to_string(&behind).expect("JSON");
        let behind = serde_json::from_str(&told).expect("the same");
        let page = state.show(&Filter::default(), &behind, 1, Millis(0));
        assert_eq!(page.matched, 6);
        assert!(page.buckets.len() <= 1 && page.entries.len() <= 1);
        buckets.extend(page.buckets);
        entries.extend(page.entries);
        after = page.next;
    }
    assert_eq!((buckets, entries), (all.buckets, all.entries));
}

#[test]
fn what_is_cleared_begins_afresh() {
    let state = filled();
    assert_eq!(state.clear(&filter("seen:", None), Millis(0)), 2);
    assert_eq!(state.clear(&filter("", Some("user:alice")), Millis(0)), 2);
    let message = bucket("message", window(5, 1000));
    assert_eq!(state.take_at(&message, &user("alice"), 1, 500), allowed(4));
    let once = bucket("once", tokens(1, 0.0));
    assert!(!state.take_at(&once, &user("bob"), 1, 500).allowed);
    assert_eq!(state.clear(&Filter::default(), Millis(500)), 3);
    assert_eq!(
        state.show(&Filter::default(), &After::default(), 10, Millis(500)),
        Shown::default()
    );
    assert!(state.take_at(&once, &user("bob"), 1, 500).allowed);
    // A bucket that has recovered is nothing to clear.
    state.take_at(&message, &user("alice"), 1, 500);
    assert_eq!(state.clear(&filter("m", None), Millis(1500)), 0);
    let usage = state.usage(&"p".into(), Millis(1500));
    assert_eq!((usage.buckets.keys, usage.entries.keys), (1, 0));
}

#[test]
fn a_state_is_found_by_name_until_it_is_forgotten() {
    let store = Store::new();
    assert!(store.find("p").is_none());
    store.policy("p").add("n", 1, 0, Millis(0)).expect("add");
    store.policy("p@2").add("n", 5, 0, Millis(0)).expect("add");
    let p = store.find("p").expect("a state");
    assert_eq!(p.get("n", Millis(0)), Ok(Some("1".into())));
    store.forget("p@2");
    store.forget("p@2");
    assert!(store.find("p@2").is_none());
    assert_eq!(store.policy("p@2").get("n", Millis(0)), Ok(None));
}
