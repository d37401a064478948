//! What happens to sockets, as it happens, for operators who look: the status page's live view and the Admin UI.
//!
//! While nobody looks it costs whoever is on an event's path one load of a flag. What is seen is shared pointers, which
//! go through a bounded queue (`lossy`) to each who looks; what does not fit is dropped and counted. Lines for people are made
//! where they are read (`line`). Imports `event`, what `fanout` tells listeners, the rules of what is taken out (`redact`)
//! and `telemetry`.

mod happening;
mod line;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::event::{Client, Event, hidden};
use crate::fanout::Listener;
use crate::lossy::{self, Receiver, Sender};
use crate::telemetry::metrics::metrics;
pub(crate) use happening::{Happening, Introduction, What};
pub(crate) use line::Lines;

/// What waits for one who looks: somebody who reads slowly costs this and no more.
const QUEUED: usize = 2048;
const QUEUED_BYTES: usize = 8 << 20;

/// How many may look at a time: what happens is compared with what each wants to see.
const MAX_FOLLOWERS: usize = 16;

/// Whom somebody looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Everyone,
    Socket(String),
    User(String),
    /// Whoever is in it when something happens, and who comes and goes.
    Room(String),
}

/// What somebody wants to see.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub subject: Subject,
    /// `None`: all of them.
    pub namespace: Option<String>,
    /// One whose events are not told: whoever shows there what is told would be shown what he shows.
    pub beside: Option<String>,
}

/// As many look as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crowded;

/// What sessions and the fan-out tell what happens to sockets.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// Looked at for every event.
    is_on: AtomicBool,
    followers: ArcSwap<Vec<Arc<Follower>>>,
    /// Held while somebody begins or ends to look.
    changing: Mutex<()>,
}

/// Somebody who looks, as those who tell know him.
#[derive(Debug)]
struct Follower {
    wanted: Wanted,
    queue: Sender<Arc<Happening>>,
}

/// What happens from now on, until it is dropped.
pub(crate) struct Following {
    feed: Arc<Feed>,
    follower: Arc<Follower>,
    seen: Receiver<Arc<Happening>>,
}

/// What something that happens is about, by which it is known who wants to see it.
#[derive(Debug, Clone, Copy)]
enum About<'a> {
    Socket,
    Room(&'a str),
    Event,
}

/// An event of a client of which it is not known yet what it came to.
#[must_use = "it is told when it has come to something"]
pub(crate) struct Draft(Option<Box<(Vec<Arc<Follower>>, Happening)>>);

// === impl Feed ===

impl Feed {
    pub(crate) fn follow(self: &Arc<Self>, wanted: Wanted) -> Result<Following, Crowded> {
        let (queue, seen) = lossy::queue(QUEUED, QUEUED_BYTES);
        let follower = Arc::new(Follower { wanted, queue });
        let _changing = self.changing.lock();
        let mut followers = Vec::clone(&self.followers.load());
        if followers.len() >= MAX_FOLLOWERS {
            return Err(Crowded);
        }
        followers.push(follower.clone());
        self.set(followers);
        metrics().operators.watchers.inc();
        Ok(Following {
            feed: self.clone(),
            follower,
            seen,
        })
    }

    fn set(&self, followers: Vec<Arc<Follower>>) {
        let is_on = !followers.is_empty();
        self.followers.store(Arc::new(followers));
        self.is_on.store(is_on, Ordering::Release);
    }

    /// Whether anybody looks.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// A socket is in its namespace.
    pub(crate) fn connected(&self, client: &Client, transport: &'static str) {
        self.tell(client, About::Socket, || {
            What::Connected(Introduction::of(client, transport))
        });
    }

    pub(crate) fn disconnected(&self, client: &Client, reason: &str) {
        self.tell(client, About::Socket, || What::Disconnected(reason.into()));
    }

    pub(crate) fn joined(&self, client: &Client, room: &str) {
        if !hidden::is(room) {
            self.tell(client, About::Room(room), || What::Joined(room.into()));
        }
    }

    pub(crate) fn left(&self, client: &Client, room: &str) {
        if !hidden::is(room) {
            self.tell(client, About::Room(room), || What::Left(room.into()));
        }
    }

    /// A client has sent an event.
    pub(crate) fn received(&self, client: &Client, event: &Event, wants_ack: bool) -> Draft {
        if !self.is_on() {
            return Draft(None);
        }
        let followers = self.followers_of(client, About::Event);
        if followers.is_empty() {
            return Draft(None);
        }
        let what = What::Received {
            event: event.clone(),
            wants_ack,
            outcome: "",
        };
        Draft(Some(Box::new((followers, Happening::new(client, what)))))
    }

    /// `what` is asked for only if somebody wants to see it: most who look do so at one of many sockets.
    fn tell(&self, client: &Client, about: About<'_>, what: impl FnOnce() -> What) {
        if !self.is_on() {
            return;
        }
        let followers = self.followers_of(client, about);
        if !followers.is_empty() {
            hand_over(&followers, Happening::new(client, what()));
        }
    }

    fn followers_of(&self, client: &Client, about: About<'_>) -> Vec<Arc<Follower>> {
        let followers = self.followers.load();
        let wanted = followers.iter().filter(|it| it.wanted.is(client, about));
        wanted.cloned().collect()
    }
}

fn hand_over(followers: &[Arc<Follower>], happening: Happening) {
    let happening = Arc::new(happening);
    for follower in followers {
        if !follower.queue.send(happening.clone()) {
            metrics().operators.dropped.inc();
        }
    }
}

impl Listener for Feed {
    fn listens(&self) -> bool {
        self.is_on()
    }

    fn sent(&self, client: &Client, event: &Event) {
        self.tell(client, About::Event, || What::Sent(event.clone()));
    }
}

// === impl Wanted ===

impl Wanted {
    fn is(&self, client: &Client, about: About<'_>) -> bool {
        let in_namespace = |it: &String| **it == *client.namespace;
        let is_event = matches!(about, About::Event);
        if is_event && self.beside.as_ref().is_some_and(in_namespace)
            || self.namespace.as_ref().is_some_and(|it| !in_namespace(it))
        {
            return false;
        }
        match &self.subject {
            Subject::Everyone => true,
            Subject::Socket(id) => **id == *client.peer.name,
            Subject::User(user) => client.identity.read().user.as_deref() == Some(user),
            Subject::Room(room) => match about {
                About::Room(it) => *it == **room,
                About::Socket | About::Event => client.rooms.lock().contains(room.as_str()),
            },
        }
    }
}

// === impl Following ===

impl Following {
    /// What happens next.
    pub(crate) async fn next(&mut self) -> Option<Arc<Happening>> {
        self.seen.next().await
    }

    /// How much there was no room for since this was asked last.
    pub(crate) fn dropped(&self) -> u64 {
        self.seen.take_dropped()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _changing = self.feed.changing.lock();
        let followers = self.feed.followers.load();
        let others = followers
            .iter()
            .filter(|it| !Arc::ptr_eq(it, &self.follower));
        self.feed.set(others.cloned().collect());
        metrics().operators.watchers.dec();
    }
}

// === impl Draft ===

impl Draft {
    /// Nobody looks.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Tells it. What it comes to later is not told again.
    pub(crate) fn came_to(&mut self, came_to: &'static str) {
        if let Some(draft) = self.0.take() {
            let (followers, mut happening) = *draft;
            if let What::Received { outcome, .. } = &mut happening.what {
                *outcome = came_to;
            }
            hand_over(&followers, happening);
        }
    }
}
