//! Coalescing windows: of the events of one socket that share a key, the newest is delivered when the window ends.
//!
//! Knows windows and times, not what an event is. Time comes in as an argument.

use std::collections::HashMap;
use std::time::Instant;

use crate::event::Coalescing;

/// Windows of one socket, and bytes that may wait in them. What finds no room does not wait.
const MAX_WINDOWS: usize = 64;
const MAX_BYTES: usize = 1 << 20;

/// The windows of one socket.
pub(super) struct Coalescer<T> {
    /// By policy and key.
    windows: HashMap<(u64, String), Window<T>>,
    bytes: usize,
}

struct Window<T> {
    ends: Instant,
    length: std::time::Duration,
    waiting: Option<Waiting<T>>,
}

struct Waiting<T> {
    /// In the order in which they came.
    order: u64,
    bytes: usize,
    event: T,
}

/// What becomes of an event that a policy coalesces, and of the one that it finds waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offered<T> {
    /// The event, if it does not wait.
    pub due: Option<T>,
    /// What never will be due.
    pub superseded: Option<T>,
}

impl<T> Coalescer<T> {
    pub(super) fn new() -> Self {
        Self {
            windows: HashMap::new(),
            bytes: 0,
        }
    }

    /// `order` grows from one event of the socket to the next.
    pub(super) fn offer(
        &mut self,
        policy: u64,
        coalescing: Coalescing,
        order: u64,
        bytes: usize,
        event: T,
        now: Instant,
    ) -> Offered<T> {
        let key = (policy, coalescing.key);
        if let Some(window) = self.windows.get_mut(&key)
            // One that is over, but whose event has not been fetched yet, is not over.
            && (window.ends > now || window.waiting.is_some())
        {
            let before = window.waiting.take();
            self.bytes -= before.as_ref().map_or(0, |waiting| waiting.bytes);
            if self.bytes + bytes > MAX_BYTES {
                self.windows.remove(&key);
                return Offered {
                    due: Some(event),
                    superseded: before.map(|waiting| waiting.event),
                };
            }
            self.bytes += bytes;
            window.length = coalescing.window;
            window.waiting = Some(Waiting {
                order,
                bytes,
                event,
            });
            return Offered {
                due: None,
                superseded: before.map(|waiting| waiting.event),
            };
        }
        if self.windows.len() >= MAX_WINDOWS {
            self.windows
                .retain(|_, window| window.ends > now || window.waiting.is_some());
        }
        let is_full = self.windows.len() >= MAX_WINDOWS || self.bytes + bytes > MAX_BYTES;
        if is_full {
            return Offered {
                due: Some(event),
                superseded: None,
            };
        }
        let mut window = Window {
            ends: now + coalescing.window,
            length: coalescing.window,
            waiting: None,
        };
        let due = if coalescing.leading {
            Some(event)
        } else {
            self.bytes += bytes;
            window.waiting = Some(Waiting {
                order,
                bytes,
                event,
            });
            None
        };
        self.windows.insert(key, window);
        Offered {
            due,
            superseded: None,
        }
    }

    /// What is due, in the order in which it came. A new window begins with each, so that what keeps coming is
    /// delivered once a window.
    pub(super) fn due(&mut self, now: Instant) -> Vec<T> {
        let mut due = Vec::new();
        for window in self.windows.values_mut() {
            if window.ends <= now
                && let Some(waiting) = window.waiting.take()
            {
                window.ends = now + window.length;
                due.push(waiting);
            }
        }
        self.hand_out(due)
    }

    /// All that waits.
    pub(super) fn all(&mut self) -> Vec<T> {
        let windows = std::mem::take(&mut self.windows);
        let waiting = windows.into_values().filter_map(|it| it.waiting).collect();
        self.hand_out(waiting)
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Instant> {
        let waiting = self.windows.values().filter(|it| it.waiting.is_some());
        waiting.map(|window| window.ends).min()
    }

    fn hand_out(&mut self, mut waiting: Vec<Waiting<T>>) -> Vec<T> {
        waiting.sort_by_key(|waiting| waiting.order);
        self.bytes -= waiting.iter().map(|it| it.bytes).sum::<usize>();
        waiting.into_iter().map(|it| it.event).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Socket {
        coalescer: Coalescer<u64>,
        start: Instant,
        order: u64,
    }

    impl Socket {
        fn new() -> Self {
            Self {
                coalescer: Coalescer::new(),
                start: Instant::now(),
                order: 0,
            }
        }

        /// Events are their own order.
        fn offer(&mut self, key: &str, leading: bool, bytes: usize, ms: u64) -> Offered<u64> {
            self.order += 1;
            let coalescing = Coalescing {
                key: key.to_owned(),
                window: Duration::from_millis(100),
                leading,
            };
            let now = self.at(ms);
            let order = self.order;
            self.coalescer
                .offer(7, coalescing, order, bytes, order, now)
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn due(&mut self, ms: u64) -> Vec<u64> {
            let now = self.at(ms);
            self.coalescer.due(now)
        }
    }

    fn waits(superseded: Option<u64>) -> Offered<u64> {
        Offered {
            due: None,
            superseded,
        }
    }

    fn due(event: u64) -> Offered<u64> {
        Offered {
            due: Some(event),
            superseded: None,
        }
    }

    #[test]
    fn the_first_goes_at_once_and_the_last_at_the_end() {
        let mut socket = Socket::new();
        assert_eq!(socket.offer("k", true, 1, 0), due(1));
        assert_eq!(socket.coalescer.next(), None);
        assert_eq!(socket.offer("k", true, 1, 10), waits(None));
        assert_eq!(socket.offer("k", true, 1, 20), waits(Some(2)));
        assert_eq!(socket.coalescer.next(), Some(socket.at(100)));
        assert_eq!(socket.due(99), Vec::<u64>::new());
        assert_eq!(socket.due(100), [3]);
        // What keeps coming is delivered once a window.
        assert_eq!(socket.offer("k", true, 1, 150), waits(None));
        assert_eq!(socket.due(199), Vec::<u64>::new());
        assert_eq!(socket.due(200), [4]);
        // After a quiet window the next one goes at once again.
        assert_eq!(socket.offer("k", true, 1, 300), due(5));
    }

    #[test]
    fn without_leading_the_first_waits_too() {
        let mut socket = Socket::new();
        assert_eq!(socket.offer("k", false, 1, 0), waits(None));
        assert_eq!(socket.offer("k", false, 1, 50), waits(Some(1)));
        assert_eq!(socket.due(100), [2]);
    }

    #[test]
    fn keys_do_not_meet_and_what_is_due_together_comes_in_order() {
        let mut socket = Socket::new();
        for key in ["b", "a", "c"] {
            assert_eq!(socket.offer(key, false, 1, 0), waits(None));
        }
        assert_eq!(socket.offer("b", false, 1, 1), waits(Some(1)));
        assert_eq!(socket.due(500), [2, 3, 4]);
    }

    #[test]
    fn one_that_is_late_is_superseded_and_not_overtaken() {
        let mut socket = Socket::new();
        socket.offer("k", false, 1, 0);
        // The timer has not run yet.
        assert_eq!(socket.offer("k", true, 1, 500), waits(Some(1)));
        assert_eq!(socket.due(500), [2]);
    }

    #[test]
    fn what_finds_no_room_does_not_wait() {
        let mut socket = Socket::new();
        for key in 0..MAX_WINDOWS {
            assert_eq!(socket.offer(&key.to_string(), false, 1, 0), waits(None));
        }
        let full = socket.offer("one more", false, 1, 0);
        assert_eq!(full, due(65));
        assert_eq!(socket.due(100).len(), MAX_WINDOWS);
        // Windows that are over make room.
        assert_eq!(socket.offer("one more", false, 1, 300), waits(None));
        assert_eq!(socket.offer("large", false, MAX_BYTES, 300), due(67));
        assert_eq!(socket.coalescer.all(), [66]);
        assert_eq!(socket.coalescer.bytes, 0);
    }

    #[test]
    fn a_window_that_is_given_up_for_its_size_delivers_only_the_newest() {
        let mut socket = Socket::new();
        socket.offer("k", false, 10, 0);
        let offered = socket.offer("k", false, MAX_BYTES + 1, 1);
        assert_eq!((offered.due, offered.superseded), (Some(2), Some(1)));
        assert_eq!(socket.coalescer.all(), Vec::<u64>::new());
        assert_eq!(socket.coalescer.bytes, 0);
    }
}
