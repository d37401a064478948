//! A reactor's turns: how many connections may begin, come into a namespace and end in each.
//!
//! When a network comes back, thousands of clients end and begin at once. All of that is ready at the same moment, and
//! whoever else has an event would wait until it is done. So it is done a share at a time, in the order in which it came,
//! and in between everyone else has a turn. While there is little to do, nobody waits.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// What is done in one turn: about a millisecond.
const SHARE: usize = 16;

pub(super) struct Pace {
    turn: Mutex<Turn>,
    /// Something of a turn has been used.
    used: Notify,
}

struct Turn {
    /// Of this turn's share.
    left: usize,
    /// How many of those that waited have been let go on.
    granted: u64,
    /// Those that wait, the first with the number `granted`.
    waiting: VecDeque<Waker>,
}

/// Somebody's place among those that wait.
#[derive(Debug, Default)]
pub(super) enum Ticket {
    #[default]
    New,
    Waits(u64),
    /// Its turn has come.
    Good,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            turn: Mutex::new(Turn {
                left: SHARE,
                granted: 0,
                waiting: VecDeque::new(),
            }),
            used: Notify::new(),
        }
    }

    /// Ends when it is the caller's turn.
    pub(super) async fn turn(&self) {
        let mut ticket = Ticket::default();
        poll_fn(|cx| self.poll_turn(&mut ticket, cx)).await;
    }

    /// The same for who polls by hand.
    pub(super) fn poll_turn(&self, ticket: &mut Ticket, cx: &Context<'_>) -> Poll<()> {
        let mut turn = self.turn.lock();
        match *ticket {
            Ticket::New if turn.left > 0 => {
                if turn.left == SHARE {
                    self.used.notify_one();
                }
                turn.left -= 1;
                *ticket = Ticket::Good;
            }
            Ticket::New => {
                *ticket = Ticket::Waits(turn.granted + turn.waiting.len() as u64);
                turn.waiting.push_back(cx.waker().clone());
            }
            Ticket::Waits(number) => match turn.place(number) {
                Some(waker) => waker.clone_from(cx.waker()),
                None => *ticket = Ticket::Good,
            },
            Ticket::Good => {}
        }
        match ticket {
            Ticket::Good => Poll::Ready(()),
            Ticket::New | Ticket::Waits(_) => Poll::Pending,
        }
    }

    /// Begins turn after turn, each behind all tasks that were ready when the last one began. Never ends.
    pub(super) async fn run(&self) {
        loop {
            self.used.notified().await;
            loop {
                tokio::task::yield_now().await;
                if !self.begin() {
                    break;
                }
            }
        }
    }

    /// Begins a turn with those that wait. False: nobody did.
    fn begin(&self) -> bool {
        let mut turn = self.turn.lock();
        let first = turn.waiting.len().min(SHARE);
        turn.left = SHARE - first;
        turn.granted += first as u64;
        turn.waiting.drain(..first).for_each(Waker::wake);
        if turn.waiting.is_empty() {
            turn.waiting.shrink_to(SHARE);
        }
        first > 0
    }
}

impl Turn {
    /// Where a number waits; `None`: its turn has come.
    fn place(&mut self, number: u64) -> Option<&mut Waker> {
        let place = number.checked_sub(self.granted)?;
        self.waiting.get_mut(usize::try_from(place).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const FIRST: usize = 100;

    #[tokio::test]
    async fn everyone_has_a_turn_in_the_order_of_coming_and_not_all_at_once() {
        let pace = Arc::new(Pace::new());
        let done = Arc::new(AtomicUsize::new(0));
        let running = tokio::spawn({
            let pace = pace.clone();
            async move { pace.run().await }
        });
        let each = |number| {
            let (pace, done) = (pace.clone(), done.clone());
            tokio::spawn(async move {
                pace.turn().await;
                assert_eq!(done.fetch_add(1, Ordering::Relaxed), number);
            })
        };
        let tasks: Vec<_> = (0..FIRST).map(each).collect();
        let mut last = 0;
        while last < FIRST {
            tokio::task::yield_now().await;
            let now = done.load(Ordering::Relaxed);
            assert!(now - last <= 2 * SHARE, "{last} and then {now}");
            last = now;
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert!(!running.is_finished());
        running.abort();
    }

    #[tokio::test]
    async fn one_that_goes_away_holds_up_nobody() {
        let pace = Arc::new(Pace::new());
        for _ in 0..SHARE {
            pace.turn().await;
        }
        let gone = tokio::time::timeout(std::time::Duration::ZERO, pace.turn());
        assert!(gone.await.is_err());
        let served = pace.clone();
        let running = tokio::spawn(async move { served.run().await });
        for _ in 0..3 * SHARE {
            pace.turn().await;
        }
        running.abort();
    }
}
