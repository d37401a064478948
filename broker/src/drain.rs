//! Emptying the node of its clients: at its end, or for a while at its operator's wish. Who may come in and what is told of
//! it are kept here; `edge` closes the connections, and `app` has it done.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::config;
use crate::session::Broker;
use crate::telemetry::events::{DrainEnded, DrainProgress, DrainUndone, Draining};

/// Between two records of how far it is.
const REPORT: Duration = Duration::from_secs(5);

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Time over which clients are closed.
    pub period: Duration,
    /// Whether the process ends when they are gone; otherwise it stays, without clients, until it is told to serve.
    pub exit: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    Draining,
    /// Nobody is left.
    Drained,
}

/// What there is to tell of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Status {
    pub phase: Phase,
    /// `None` while it serves.
    pub wanted: Option<Wanted>,
    pub started: Option<SystemTime>,
    /// Sockets when it began, those of them that are gone, and those that are not. While it serves, none.
    pub total: usize,
    pub closed: usize,
    pub left: usize,
}

/// It is as it is, and stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is on its way to its end")]
pub(crate) struct Ending;

pub(crate) struct Drain {
    broker: Arc<Broker>,
    /// Where nothing else is asked for.
    period: Mutex<Duration>,
    began: Mutex<Option<Began>>,
    wanted: watch::Sender<Option<Wanted>>,
}

/// A drain that is not over.
struct Began {
    at: SystemTime,
    since: Instant,
    total: usize,
    is_done: bool,
}

impl Drain {
    pub(crate) fn new(broker: Arc<Broker>, period: Duration) -> Self {
        Self {
            broker,
            period: Mutex::new(period),
            began: Mutex::new(None),
            wanted: watch::Sender::new(None),
        }
    }

    /// Nobody is let in from here on, and those who are in are closed over the period; `None`: the one configured. One
    /// that is under way goes on; it ends the process if either is to.
    ///
    /// # Errors
    /// The node is to stay, and is already on its way to its end.
    pub(crate) fn begin(&self, period: Option<Duration>, exit: bool) -> Result<Status, Ending> {
        let mut began = self.began.lock();
        let before = *self.wanted.borrow();
        match before {
            Some(before) if before.exit && !exit => return Err(Ending),
            Some(before) if before.exit == exit => {}
            _ => {
                let period = period.unwrap_or_else(|| self.configured());
                self.broker.draining.store(true, Ordering::Relaxed);
                self.broker.ending.store(exit, Ordering::Relaxed);
                let total = self.left();
                Draining {
                    connections: total,
                    period,
                    exit,
                }
                .emit();
                *began = Some(Began {
                    at: SystemTime::now(),
                    since: Instant::now(),
                    total,
                    is_done: false,
                });
                self.wanted.send_replace(Some(Wanted { period, exit }));
            }
        }
        drop(began);
        Ok(self.status())
    }

    /// Clients may come in again.
    ///
    /// # Errors
    /// The node is on its way to its end.
    pub(crate) fn undo(&self) -> Result<Status, Ending> {
        let mut began = self.began.lock();
        let before = *self.wanted.borrow();
        match before {
            Some(before) if before.exit => return Err(Ending),
            Some(_) => {
                *began = None;
                self.broker.draining.store(false, Ordering::Relaxed);
                self.wanted.send_replace(None);
                DrainUndone.emit();
            }
            None => {}
        }
        drop(began);
        Ok(self.status())
    }

    pub(crate) fn status(&self) -> Status {
        let began = self.began.lock();
        let wanted = *self.wanted.borrow();
        let left = began.as_ref().map_or(0, |_| self.left());
        // Whoever was on its way in when it began came in later.
        let total = began.as_ref().map_or(0, |it| it.total.max(left));
        Status {
            phase: match &*began {
                None => Phase::Serving,
                Some(began) if began.is_done => Phase::Drained,
                Some(_) => Phase::Draining,
            },
            wanted,
            started: began.as_ref().map(|it| it.at),
            total,
            closed: total.saturating_sub(left),
            left,
        }
    }

    /// Whether the process is about to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.wanted.borrow().is_some_and(|wanted| wanted.exit)
    }

    /// The period that a supervisor knows of.
    pub(crate) fn configured(&self) -> Duration {
        *self.period.lock()
    }

    /// Another period from the next drain on.
    pub(crate) fn reconfigure(&self, server: &config::Server) {
        *self.period.lock() = server.drain_period;
    }

    /// Over which clients are closed, or would be.
    pub(crate) fn wanted_period(&self) -> Duration {
        let wanted = *self.wanted.borrow();
        wanted.map_or_else(|| self.configured(), |it| it.period)
    }

    /// What is wanted, and every change of it.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Wanted>> {
        self.wanted.subscribe()
    }

    /// Does the work of it, tells how far it is as long as that takes, and that it is over.
    pub(crate) async fn told<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut every = tokio::time::interval(REPORT);
        // The first one comes at once, and its begin has been told.
        every.tick().await;
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                _ = every.tick() => {
                    let Status { closed, left, .. } = self.status();
                    DrainProgress { closed, left }.emit();
                }
            }
        };
        let Status { closed, left, .. } = self.status();
        let took = {
            let mut began = self.began.lock();
            if let Some(began) = began.as_mut() {
                began.is_done = true;
            }
            began.as_ref().map(|it| it.since.elapsed())
        };
        DrainEnded {
            closed,
            left,
            took: took.unwrap_or_default(),
        }
        .emit();
        done
    }

    fn left(&self) -> usize {
        self.broker.sessions.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests;
