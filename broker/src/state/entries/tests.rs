use std::collections::HashMap;

use super::*;

const ROOM: Limits = Limits {
    keys: 1000,
    bytes: 1 << 20,
};

fn entries(limits: Limits) -> Entries {
    Entries::new(limits, foldhash::quality::RandomState::default())
}

/// One shard: what goes first is exact.
fn one_shard(limits: Limits) -> Entries {
    Entries::with_shards(1, limits, foldhash::quality::RandomState::default())
}

fn text(entries: &Entries, key: &str, now: u64) -> Option<String> {
    let value = entries.get(key, now).expect("a key")?;
    Some(String::from_utf8(value.to_vec()).expect("text"))
}

/// What the totals should be.
fn counted(entries: &Entries) -> (usize, usize) {
    let shards = || entries.shards.iter().map(|shard| shard.lock());
    (
        shards().map(|shard| shard.len()).sum(),
        shards().map(|shard| shard.bytes()).sum(),
    )
}

#[test]
fn a_counter_counts_and_reads_as_text() {
    let entries = entries(ROOM);
    assert_eq!(text(&entries, "n", 0), None);
    assert_eq!(entries.add("n", 2, 0, 0, 0), Ok(2));
    assert_eq!(entries.add("n", -5, 0, 0, 0), Ok(-3));
    assert_eq!(text(&entries, "n", 0).as_deref(), Some("-3"));
    assert_eq!(entries.delete("n"), Ok(()));
    assert_eq!(entries.delete("n"), Ok(()));
    assert_eq!(entries.add("n", 0, 0, 0, 0), Ok(0));
}

#[test]
fn a_counter_that_would_overflow_stays() {
    let entries = entries(ROOM);
    assert_eq!(entries.add("n", i64::MAX, 0, 0, 0), Ok(i64::MAX));
    assert_eq!(entries.add("n", 1, 0, 0, 0), Err(StoreError::Overflow));
    assert_eq!(entries.add("n", -1, 0, 0, 0), Ok(i64::MAX - 1));
    assert_eq!(entries.add("m", i64::MIN, 0, 0, 0), Ok(i64::MIN));
    assert_eq!(entries.add("m", -1, 0, 0, 0), Err(StoreError::Overflow));
}

#[test]
fn a_value_is_no_counter_unless_it_is_a_number() {
    let entries = entries(ROOM);
    entries.set("v", b"ten", 0, 0, 0).expect("set");
    assert_eq!(entries.add("v", 1, 0, 0, 0), Err(StoreError::NotACounter));
    assert_eq!(text(&entries, "v", 0).as_deref(), Some("ten"));
    entries.set("v", b"", 0, 0, 0).expect("set");
    assert_eq!(entries.add("v", 1, 0, 0, 0), Err(StoreError::NotACounter));
    entries.set("v", b"10", 0, 0, 0).expect("set");
    assert_eq!(entries.add("v", 1, 0, 0, 0), Ok(11));
    // Read, reckon, swap: what was a counter still is one.
    assert_eq!(
        entries.compare_and_swap("v", Some(b"11"), b"22", 0, 0, 0),
        Ok(true)
    );
    assert_eq!(entries.add("v", 1, 0, 0, 0), Ok(23));
    assert_eq!(counted(&entries), (entries.keys(), entries.bytes()));
}

#[test]
fn keys_and_values_have_their_limits() {
    let entries = entries(ROOM);
    let (long, longer) = ("k".repeat(MAX_KEY), "k".repeat(MAX_KEY + 1));
    let (large, larger) = (vec![0; MAX_VALUE], vec![0; MAX_VALUE + 1]);
    assert_eq!(entries.add("", 1, 0, 0, 0), Err(StoreError::EmptyKey));
    assert_eq!(entries.set("", b"", 0, 0, 0), Err(StoreError::EmptyKey));
    let too_long = StoreError::KeyTooLong(257);
    assert_eq!(entries.add(&longer, 1, 0, 0, 0), Err(too_long));
    assert_eq!(entries.set(&longer, b"", 0, 0, 0), Err(too_long));
    assert_eq!(
        entries.compare_and_swap(&longer, None, b"", 0, 0, 0),
        Err(too_long)
    );
    let too_large = StoreError::ValueTooLarge(65_537);
    assert_eq!(entries.set("k", &larger, 0, 0, 0), Err(too_large));
    assert_eq!(
        entries.compare_and_swap("k", None, &larger, 0, 0, 0),
        Err(too_large)
    );
    assert_eq!(entries.set(&long, &large, 0, 0, 0), Ok(()));
    assert_eq!(entries.get(&long, 0), Ok(Some(large.into())));
    assert_eq!(entries.get("", 0), Err(StoreError::EmptyKey));
    assert_eq!(entries.get(&longer, 0), Err(too_long));
    assert_eq!(entries.delete(&longer), Err(too_long));
    assert_eq!(entries.keys(), 1);
    assert_eq!(
        too_long.to_string(),
        "a key has at most 256 bytes, and this one has 257"
    );
}

#[test]
fn a_swap_takes_hold_only_if_nothing_has_changed() {
    let entries = entries(ROOM);
    let swap = |old: Option<&[u8]>, new: &str, now| {
        entries
            .compare_and_swap("k", old, new.as_bytes(), 100, 0, now)
            .expect("within the limits")
    };
    assert!(!swap(Some(b"a"), "b", 0));
    assert!(swap(None, "a", 0));
    assert!(!swap(None, "b", 0));
    assert!(!swap(Some(b"b"), "c", 0));
    assert!(swap(Some(b"a"), "b", 60));
    // The time to live began anew at 60, and not with the swap that failed.
    assert!(!swap(Some(b"a"), "c", 100));
    assert_eq!(text(&entries, "k", 159).as_deref(), Some("b"));
    assert_eq!(text(&entries, "k", 160), None);
    // What has expired is not there to compare with.
    assert!(!swap(Some(b"b"), "c", 160));
    assert!(swap(None, "c", 160));
}

#[test]
fn a_counter_ends_when_its_beginning_says() {
    let entries = entries(ROOM);
    assert_eq!(entries.add("n", 1, 100, 0, 0), Ok(1));
    assert_eq!(entries.add("n", 1, 1000, 0, 99), Ok(2));
    assert_eq!(entries.add("n", 1, 100, 0, 100), Ok(1));
    // Without an end, none comes later.
    assert_eq!(entries.add("m", 1, 0, 0, 0), Ok(1));
    assert_eq!(entries.add("m", 1, 10, 0, 0), Ok(2));
    assert_eq!(entries.add("m", 1, 10, 0, u64::MAX - 1), Ok(3));
    // A value that becomes a counter keeps its end.
    entries.set("v", b"7", 50, 0, 0).expect("set");
    assert_eq!(entries.add("v", 1, 0, 0, 49), Ok(8));
    assert_eq!(text(&entries, "v", 50), None);
}

#[test]
fn a_value_lives_from_its_last_set() {
    let entries = entries(ROOM);
    entries.set("v", b"a", 100, 0, 0).expect("set");
    entries.set("v", b"b", 100, 0, 50).expect("set");
    assert_eq!(text(&entries, "v", 149).as_deref(), Some("b"));
    entries.set("v", b"c", 0, 0, 149).expect("set");
    assert_eq!(text(&entries, "v", 1_000_000).as_deref(), Some("c"));
    entries.set("v", b"d", u64::MAX, 0, 5).expect("set");
    assert_eq!(text(&entries, "v", 1_000_000).as_deref(), Some("d"));
    entries.set("v", b"e", 1, 0, 10).expect("set");
    assert_eq!(text(&entries, "v", 11), None);
    assert_eq!((entries.keys(), entries.bytes()), (0, 0));
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let entries = one_shard(Limits { keys: 3, ..ROOM });
    for key in ["a", "b", "c"] {
        entries.set(key, b"", 0, 0, 0).expect("set");
    }
    // Reading is using, whichever way, and so is a write.
    assert!(text(&entries, "a", 0).is_some());
    entries.set("d", b"", 0, 0, 0).expect("set");
    assert_eq!(text(&entries, "b", 0), None);
    entries.add("n", 1, 0, 0, 0).expect("add");
    assert_eq!(text(&entries, "c", 0), None);
    assert_eq!(
        entries.compare_and_swap("a", Some(b"x"), b"", 0, 0, 0),
        Ok(false)
    );
    entries.set("e", b"", 0, 0, 0).expect("set");
    assert_eq!(text(&entries, "d", 0), None);
    assert_eq!(entries.add("n", 1, 0, 0, 0), Ok(2));
    assert!(text(&entries, "a", 0).is_some() && text(&entries, "e", 0).is_some());
    assert_eq!((entries.keys(), entries.evicted()), (3, 3));
}

#[test]
fn what_has_expired_goes_before_what_is_alive() {
    let entries = one_shard(Limits { keys: 4, ..ROOM });
    entries.set("oldest", b"", 0, 0, 0).expect("set");
    for key in ["a", "b", "c"] {
        entries.set(key, b"", 10, 0, 0).expect("set");
    }
    for (index, key) in ["d", "e", "f"].iter().enumerate() {
        entries.set(key, b"", 0, 0, 10).expect("set");
        assert!(entries.keys() <= 4, "{index}");
    }
    assert_eq!(entries.evicted(), 0);
    entries.set("g", b"", 0, 0, 10).expect("set");
    assert_eq!((entries.keys(), entries.evicted()), (4, 1));
    assert_eq!(text(&entries, "oldest", 10), None);
}

#[test]
fn bytes_are_bounded_as_keys_are() {
    let entries = entries(Limits {
        keys: usize::MAX,
        bytes: 4 << 20,
    });
    let value = vec![1; MAX_VALUE];
    let mut held = 0;
    for i in 0..200 {
        entries.set(&i.to_string(), &value, 0, 0, 0).expect("set");
        assert!(entries.bytes() <= 4 << 20, "{}", entries.bytes());
        held = held.max(entries.keys());
    }
    // All the room is for use, however the keys fall to the shards.
    assert_eq!(held, (4 << 20) / (MAX_VALUE + OVERHEAD + 3));
    assert_eq!(entries.evicted(), 200 - entries.keys() as u64);
    // A larger value of the same key needs room as well.
    for i in 0..10_000 {
        entries
            .set(&format!("small {i}"), b"", 0, 0, 0)
            .expect("set");
    }
    for i in 9_000..9_100 {
        entries
            .set(&format!("small {i}"), &value, 0, 0, 0)
            .expect("set");
        assert!(entries.bytes() <= 4 << 20, "{}", entries.bytes());
    }
    assert_eq!(counted(&entries), (entries.keys(), entries.bytes()));
}

#[test]
fn all_the_keys_there_may_be_are_held() {
    let limits = super::super::part::ENTRIES;
    let entries = entries(limits);
    for i in 0..limits.keys {
        entries.add(&format!("user:{i}"), 1, 0, 0, 0).expect("add");
    }
    assert_eq!((entries.keys(), entries.evicted()), (limits.keys, 0));
    entries.add("one more", 1, 0, 0, 0).expect("add");
    assert_eq!((entries.keys(), entries.evicted()), (limits.keys, 1));
    assert_eq!(entries.add("one more", 1, 0, 0, 0), Ok(2));
}

#[test]
fn what_has_expired_goes_as_new_comes() {
    let entries = entries(ROOM);
    for i in 0..50_000u64 {
        entries.add(&i.to_string(), 1, 100, 0, i).expect("add");
    }
    // About a hundred are alive at any time.
    assert!(entries.keys() < 500, "{}", entries.keys());
    assert_eq!(entries.evicted(), 0);
    entries.free_expired(1_000_000);
    assert_eq!((entries.keys(), entries.bytes()), (0, 0));
    assert!(entries.shards.iter().all(|shard| shard.lock().ends() == 0));
}

#[test]
fn what_is_cleared_is_gone_and_counted() {
    let entries = entries(ROOM);
    for i in 0..100 {
        entries.set(&format!("a:{i}"), b"x", 0, 0, 0).expect("set");
        entries.add(&format!("b:{i}"), 1, 10, 0, 0).expect("add");
    }
    assert_eq!(entries.clear("a:1", 0), 11);
    assert_eq!(entries.keys(), 189);
    // What had expired is not counted as cleared.
    assert_eq!(entries.clear("", 10), 89);
    assert_eq!((entries.keys(), entries.bytes()), (0, 0));
    assert!(entries.shards.iter().all(|shard| shard.lock().ends() == 0));
}

/// Against a plain map, with a clock that goes on, and no limit that is reached.
#[test]
fn does_what_a_map_with_times_would() {
    let entries = entries(Limits {
        keys: usize::MAX,
        bytes: usize::MAX,
    });
    let mut model: HashMap<String, (String, u64)> = HashMap::new();
    let mut random = super::super::tests::Random(11);
    let mut now = 0;
    for _ in 0..50_000 {
        now += random.below(3);
        let key = random.below(50).to_string();
        let ttl = random.below(4) * 20;
        model.retain(|_, (_, ends_at)| *ends_at > now);
        let value = random.below(5).to_string();
        match random.below(5) {
            0 => {
                let sum = entries.add(&key, 1, ttl, 0, now).expect("a number");
                let held = model.entry(key).or_insert(("0".into(), end(ttl, now)));
                held.0 = (held.0.parse::<i64>().expect("a number") + 1).to_string();
                assert_eq!(held.0, sum.to_string());
            }
            1 => {
                entries
                    .set(&key, value.as_bytes(), ttl, 0, now)
                    .expect("small");
                model.insert(key, (value, end(ttl, now)));
            }
            2 => {
                let old = (random.below(2) == 0).then(|| random.below(5).to_string());
                let swapped = entries
                    .compare_and_swap(
                        &key,
                        old.as_ref().map(String::as_bytes),
                        value.as_bytes(),
                        ttl,
                        0,
                        now,
                    )
                    .expect("small");
                let same = model.get(&key).map(|(value, _)| value) == old.as_ref();
                assert_eq!(swapped, same);
                if swapped {
                    model.insert(key, (value, end(ttl, now)));
                }
            }
            3 if random.below(4) == 0 => {
                entries.delete(&key).expect("a key");
                model.remove(&key);
            }
            _ => assert_eq!(
                text(&entries, &key, now),
                model.get(&key).map(|(value, _)| value.clone())
            ),
        }
    }
    entries.free_expired(now);
    model.retain(|_, (_, ends_at)| *ends_at > now);
    assert_eq!(entries.keys(), model.len());
    assert_eq!(counted(&entries), (entries.keys(), entries.bytes()));
}

#[test]
fn threads_count_together_and_stay_within_bounds() {
    let entries = entries(Limits {
        keys: 1000,
        bytes: 1 << 20,
    });
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let entries = &entries;
            scope.spawn(move || {
                for i in 0..2000 {
                    entries.add("hot", 1, 0, 0, 0).expect("add");
                    let key = format!("{thread}:{i}");
                    entries.set(&key, b"value", i % 3, 0, i / 10).expect("set");
                }
            });
        }
    });
    // Used all the time, so never what was used longest ago.
    assert_eq!(entries.add("hot", 0, 0, 0, 1000), Ok(16_000));
    assert!(entries.keys() <= 1000, "{}", entries.keys());
    assert_eq!(counted(&entries), (entries.keys(), entries.bytes()));
}
