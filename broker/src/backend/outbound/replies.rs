//! Who waits for an answer over NATS: one subscription for all, a place for each, and a deadline.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_nats::Message;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Awaited;
use super::answer::{self, Given};
use crate::config::Encoding;
use crate::telemetry::events::NatsFailed;
use crate::telemetry::trace::{self, Context, Kind, Opened};

/// No wait is longer, so that one that begins meanwhile with a nearer deadline is not late by more than that.
const TICK: Duration = Duration::from_millis(20);

pub(super) struct Replies {
    /// What comes below it is for a place here.
    inbox: String,
    waiting: Mutex<Waiting>,
    /// Somebody waits again.
    begun: Notify,
    /// No stream has taken an event.
    lacks_stream: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    places: HashMap<u64, Place>,
    /// By when, and which place.
    deadlines: BTreeSet<(Instant, u64)>,
}

/// What was published, and who waits for what comes of it.
pub(super) struct Expected {
    pub subject: String,
    pub encoding: Encoding,
    pub awaited: Awaited,
    /// Of its publication.
    pub trace: Option<Context>,
}

/// One who waits.
pub(super) struct Place {
    pub subject: String,
    pub encoding: Encoding,
    pub awaited: Awaited,
    /// Open until whoever waits has been told.
    pub span: Option<Box<Opened>>,
    deadline: Instant,
}

impl Replies {
    pub(super) fn new(inbox: String) -> Self {
        Self {
            inbox,
            waiting: Mutex::default(),
            begun: Notify::new(),
            lacks_stream: AtomicBool::new(false),
        }
    }

    /// Makes a place. How many there are is bounded by how many answers clients are owed.
    pub(super) fn expect(&self, expected: Expected, deadline: Instant) -> u64 {
        let Expected {
            subject,
            encoding,
            awaited,
            trace,
        } = expected;
        let what = match awaited {
            Awaited::Stored(..) => "store",
            Awaited::Reply(..) | Awaited::Nothing => "reply",
        };
        let span = trace::apart(trace.as_ref(), what, Kind::Client);
        let mut waiting = self.waiting.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.deadlines.insert((deadline, number));
        let place = Place {
            subject,
            encoding,
            awaited,
            span: span.map(Box::new),
            deadline,
        };
        waiting.places.insert(number, place);
        if waiting.places.len() == 1 {
            self.begun.notify_one();
        }
        number
    }

    /// Where answers for a place are sent.
    pub(super) fn subject(&self, place: u64) -> String {
        format!("{}.{place}", self.inbox)
    }

    /// Gives a place up.
    pub(super) fn forget(&self, place: u64) -> Awaited {
        let taken = self.waiting.lock().take(place);
        taken.map_or(Awaited::Nothing, |place| place.awaited)
    }

    /// Whether no stream took an event since this was last asked.
    pub(super) fn lacks_stream(&self) -> bool {
        self.lacks_stream.swap(false, Ordering::Relaxed)
    }

    /// Hands answers to those who wait, and ends waits. Ends with the connection's library.
    pub(super) async fn serve(self: Arc<Self>, client: async_nats::Client) {
        let subscribed = client.subscribe(format!("{}.*", self.inbox)).await;
        let mut answers = match subscribed {
            Ok(answers) => answers,
            Err(error) => {
                let reason = error.to_string();
                return NatsFailed { reason: &reason }.emit();
            }
        };
        loop {
            tokio::select! {
                message = answers.next() => match message {
                    Some(message) => self.take(message),
                    None => return,
                },
                () = self.tick() => {}
            }
            for place in self.overdue(Instant::now()) {
                answer::none(place);
            }
        }
    }

    /// A while, or for ever while nobody waits.
    async fn tick(&self) {
        loop {
            let first = self.waiting.lock().deadlines.first().map(|(at, _)| *at);
            match first {
                Some(at) => {
                    let at = at.min(Instant::now() + TICK);
                    return tokio::time::sleep_until(at.into()).await;
                }
                None => self.begun.notified().await,
            }
        }
    }

    fn take(&self, message: Message) {
        let number = message.subject.rsplit('.').next();
        let place = number
            .and_then(|number| number.parse().ok())
            .and_then(|number| self.waiting.lock().take(number));
        // A second answer, or a late one, is for nobody.
        if let Some(place) = place
            && answer::given(place, message) == Given::NoStream
        {
            self.lacks_stream.store(true, Ordering::Relaxed);
        }
    }

    fn overdue(&self, now: Instant) -> Vec<Place> {
        let mut waiting = self.waiting.lock();
        let mut overdue = Vec::new();
        while let Some((at, number)) = waiting.deadlines.first().copied()
            && at <= now
        {
            overdue.extend(waiting.take(number));
        }
        overdue
    }
}

impl Waiting {
    fn take(&mut self, number: u64) -> Option<Place> {
        let place = self.places.remove(&number)?;
        self.deadlines.remove(&(place.deadline, number));
        Some(place)
    }
}
