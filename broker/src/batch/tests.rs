use std::time::{Duration, Instant};

use super::open::{Limits, Open};
use super::*;

const LIMITS: Limits = Limits {
    open: 3,
    bytes: 100,
    of_one: 50,
};

/// Words; those that begin with `!` leave without others.
#[derive(Default)]
struct Words(Vec<&'static str>);

impl Load for Words {
    type Item = &'static str;

    fn weight(item: &&'static str) -> usize {
        item.len()
    }

    fn goes_with(&self, item: &&'static str) -> bool {
        !item.starts_with('!')
    }

    fn add(&mut self, item: &'static str) {
        self.0.push(item);
    }
}

/// What left, and the time.
struct Told {
    open: Open<char, Words>,
    left: Vec<String>,
    start: Instant,
}

impl Told {
    fn new() -> Self {
        Self {
            open: Open::new(LIMITS),
            left: Vec::new(),
            start: Instant::now(),
        }
    }

    fn out(left: &mut Vec<String>) -> impl FnMut(&char, Words, BatchEnd) {
        |key, words, end| left.push(format!("{key} {} {}", words.0.join(","), end.as_str()))
    }

    fn add(&mut self, key: char, word: &'static str, at: u64, window: u64, max: usize) -> bool {
        let batch = Batch {
            window: Duration::from_millis(window),
            max,
        };
        let now = self.start + Duration::from_millis(at);
        self.open
            .add(key, word, batch, now, &mut Self::out(&mut self.left))
    }

    /// When to look again.
    fn due(&mut self, at: u64) -> Option<u128> {
        let now = self.start + Duration::from_millis(at);
        let next = self.open.due(now, &mut Self::out(&mut self.left));
        next.map(|next| (next - self.start).as_millis())
    }

    fn left(&mut self) -> Vec<String> {
        std::mem::take(&mut self.left)
    }
}

#[test]
fn a_window_begins_with_its_first_event() {
    let mut told = Told::new();
    assert_eq!(told.due(0), None);
    assert!(told.add('a', "1", 0, 100, 9));
    assert!(!told.add('a', "2", 60, 100, 9));
    assert!(!told.add('b', "3", 70, 100, 9));
    assert!(told.add('c', "4", 71, 1, 9), "it is due earlier");
    assert_eq!(told.due(71), Some(72));
    assert_eq!(told.due(99), Some(100));
    assert_eq!(told.left(), ["c 4 window"]);
    assert_eq!(told.due(100), Some(170));
    assert_eq!(told.left(), ["a 1,2 window"]);
    assert!(!told.add('a', "5", 101, 100, 9));
    assert_eq!(told.due(500), None);
    assert_eq!(told.left(), ["b 3 window", "a 5 window"]);
    assert!(told.add('a', "6", 501, 100, 9));
}

#[test]
fn enough_of_them_leave_at_once() {
    let mut told = Told::new();
    for word in ["1", "2", "3", "4"] {
        told.add('a', word, 0, 100, 3);
    }
    assert_eq!(told.left(), ["a 1,2,3 full"]);
    // Of the first batch nothing is left that could end the second one early.
    assert_eq!(told.due(99), Some(100));
    assert_eq!(told.due(100), None);
    assert_eq!(told.left(), ["a 4 window"]);
    told.add('a', "5", 200, 100, 1);
    assert_eq!(told.left(), ["a 5 full"]);
}

#[test]
fn what_does_not_go_together_leaves_in_order() {
    let mut told = Told::new();
    told.add('a', "1", 0, 100, 9);
    told.add('a', "!2", 0, 100, 9);
    told.add('a', "3", 0, 100, 9);
    const LARGE: &str = "larger than everything that there may be in one batch together";
    told.add('a', LARGE, 0, 100, 9);
    told.add('a', "4", 0, 100, 9);
    told.due(100);
    let large = format!("a {LARGE} full");
    assert_eq!(
        told.left(),
        ["a 1 full", "a !2,3 full", &large, "a 4 window"]
    );
}

#[test]
fn what_there_is_no_room_for_leaves_at_once() {
    let mut told = Told::new();
    for key in ['a', 'b', 'c', 'd'] {
        told.add(key, "1", 0, 100, 9);
    }
    assert_eq!(told.left(), ["d 1 crowded"]);
    const FORTY: &str = "----------------------------------------";
    told.add('a', FORTY, 0, 100, 9);
    told.add('b', FORTY, 0, 100, 9);
    assert_eq!(told.left(), Vec::<String>::new());
    told.add('c', FORTY, 0, 100, 9);
    assert_eq!(told.left(), [format!("c 1,{FORTY} crowded")]);
    told.due(100);
    assert_eq!(told.left().len(), 2);
    told.add('c', FORTY, 200, 100, 9);
    assert!(told.left().is_empty(), "what has left makes room");
}

#[test]
fn from_the_end_on_nothing_is_gathered() {
    let mut told = Told::new();
    told.add('b', "1", 0, 100, 9);
    told.add('a', "2", 1, 100, 9);
    told.open.flush(&mut Told::out(&mut told.left));
    assert_eq!(told.left(), ["b 1 flushed", "a 2 flushed"]);
    told.add('a', "3", 2, 100, 9);
    told.open.close(&mut Told::out(&mut told.left));
    told.add('a', "4", 3, 100, 9);
    assert_eq!(told.left(), ["a 3 flushed", "a 4 flushed"]);
    assert_eq!(told.due(1000), None);
}
