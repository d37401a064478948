//! Recording what clients do, in the format that `replay` plays.
//!
//! Sessions hand what they see to a [`Recorder`], which costs them one load of a flag while nobody records. What is
//! seen goes through a bounded queue (`lossy`) to whoever asked for the recording: there, `recording` ends it in time,
//! `write` makes lines of it, without what nobody should read (`redact`). Events go to those who only look
//! as well: their `feed`. Imports that, `event` and `glob`.

mod recording;
mod seen;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::event::{Client, Event};
use crate::feed::Feed;
use crate::glob::Glob;
use crate::lossy::{self, Sender};
use crate::plugin::DisconnectReason;
use crate::redact::Redact;
use crate::telemetry::events::RecordingBegan;
use crate::telemetry::metrics::{Hook, metrics};
pub(crate) use recording::Recording;
pub(crate) use seen::Draft;
use seen::{Did, Seen};

/// What waits to be written: a client that reads slowly costs this and no more.
const QUEUED: usize = 4096;
const QUEUED_BYTES: usize = 16 << 20;

/// What is to be recorded, and how much of it.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub time: Duration,
    pub lines: usize,
    pub bytes: usize,
    /// `None`: all of them.
    pub namespace: Option<String>,
    /// Globs over the names of events; none: all events. They are about no other hook.
    pub events: Vec<Glob>,
    /// None: all of them.
    pub hooks: Vec<Hook>,
    pub redact: Redact,
    /// Headers of the handshake, by their names in lower case.
    pub headers: Vec<String>,
    /// What clients authenticate with.
    pub auth: bool,
}

/// There is a recording already: two would have to share the queue's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// What sessions tell what they see.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// Looked at for every event.
    is_on: AtomicBool,
    running: ArcSwapOption<Running>,
    /// Those who only look.
    pub feed: Arc<Feed>,
}

/// A recording, as sessions know it.
#[derive(Debug)]
struct Running {
    wanted: Wanted,
    queue: Sender<Seen>,
}

// === impl Recorder ===

impl Recorder {
    /// Begins a recording, which ends when its answer is dropped, if not before.
    pub(crate) fn begin(self: &Arc<Self>, wanted: Wanted) -> Result<Recording, Busy> {
        let (queue, seen) = lossy::queue(QUEUED, QUEUED_BYTES);
        let running = Arc::new(Running { wanted, queue });
        let taken = self
            .is_on
            .compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire);
        if taken.is_err() {
            return Err(Busy);
        }
        self.running.store(Some(running.clone()));
        RecordingBegan {
            time: running.wanted.time,
        }
        .emit();
        Ok(Recording::new(self.clone(), running, seen))
    }

    fn end(&self) {
        self.running.store(None);
        self.is_on.store(false, Ordering::Release);
    }

    /// A client wants to be let in.
    pub(crate) fn connect(&self, client: &Client, auth: Option<&str>) -> Draft {
        self.draft(client, Hook::Connect, |running| {
            let auth = auth.filter(|_| running.wanted.auth);
            Some(Did::Connect {
                auth: auth.map(Into::into),
            })
        })
    }

    /// A client sends an event.
    pub(crate) fn event(&self, client: &Client, event: &Event, wants_ack: bool) -> Draft {
        let told = self.feed.received(client, event, wants_ack);
        let draft = self.draft(client, Hook::Event, |running| {
            let globs = &running.wanted.events;
            let is_wanted = globs.is_empty() || globs.iter().any(|it| it.matches(&event.name));
            is_wanted.then(|| Did::Event {
                event: event.clone(),
                wants_ack,
            })
        });
        draft.and(told)
    }

    /// A client asks to join a room.
    pub(crate) fn subscribe(&self, client: &Client, room: &str) -> Draft {
        self.draft(client, Hook::Subscribe, |_| {
            Some(Did::Subscribe { room: room.into() })
        })
    }

    /// A client is gone.
    pub(crate) fn disconnect(&self, client: &Client, reason: DisconnectReason) {
        self.draft(client, Hook::Disconnect, |_| {
            Some(Did::Disconnect { reason })
        })
        .came_to("pass");
    }

    fn draft(
        &self,
        client: &Client,
        hook: Hook,
        did: impl FnOnce(&Running) -> Option<Did>,
    ) -> Draft {
        if !self.is_on.load(Ordering::Relaxed) {
            return Draft::none();
        }
        let Some(running) = self.running.load_full() else {
            return Draft::none();
        };
        let wanted = &running.wanted;
        let is_wanted = wanted.hooks.is_empty() || wanted.hooks.contains(&hook);
        let of = wanted.namespace.as_deref();
        if !is_wanted || of.is_some_and(|namespace| *namespace != *client.namespace) {
            return Draft::none();
        }
        match did(&running) {
            Some(did) => Draft::new(running, client, did),
            None => Draft::none(),
        }
    }
}

// === impl Running ===

impl Running {
    /// What there is no room for is dropped: nobody's events wait for a recording.
    fn take(&self, seen: Seen) {
        if !self.queue.send(seen) {
            metrics().recording_dropped.inc();
        }
    }
}

#[cfg(test)]
mod tests;
