//! What others hand in for the members of one shard: one queue, so that it is delivered in the order in which it came.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::message::Message;

/// More than a busy peer hands in while a reactor is at its connections: a thousand events a millisecond would have to
/// be left alone for four of them.
const MAX_MESSAGES: usize = 4096;

/// Their events are kept for as long as they wait. The largest events fill this before they fill the queue.
const MAX_BYTES: usize = 16 << 20;

pub(super) struct Inbox {
    queue: Mutex<Queue>,
    /// What has been taken out of the queue, and is delivered by whoever holds this: one at a time, so that nothing
    /// overtakes. At most as much again as the queue holds.
    out: Mutex<VecDeque<Arc<Message>>>,
    woken: Notify,
    max: (usize, usize),
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    /// The reactor has been woken, and looks again before it sleeps. Waking it costs a system call.
    is_awake: bool,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The reactor is awake, and finds it.
    Seen,
    /// The reactor has to be woken.
    Asleep,
    /// There is no room for it.
    Full,
}

/// The right to deliver.
pub(super) struct Out<'a> {
    inbox: &'a Inbox,
    messages: MutexGuard<'a, VecDeque<Arc<Message>>>,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self::bounded(MAX_MESSAGES, MAX_BYTES)
    }

    pub(super) fn bounded(messages: usize, bytes: usize) -> Self {
        Self {
            queue: Mutex::default(),
            out: Mutex::default(),
            woken: Notify::new(),
            max: (messages, bytes),
        }
    }

    /// One message always fits into an empty inbox.
    pub(super) fn push(&self, message: &Arc<Message>) -> Pushed {
        let size = message.size();
        let mut queue = self.queue.lock();
        let (max_messages, max_bytes) = self.max;
        let is_full = queue.messages.len() >= max_messages || queue.bytes + size > max_bytes;
        if is_full && !queue.messages.is_empty() {
            return Pushed::Full;
        }
        queue.messages.push_back(message.clone());
        queue.bytes += size;
        if queue.is_awake {
            Pushed::Seen
        } else {
            Pushed::Asleep
        }
    }

    pub(super) fn wake(&self) {
        let was_awake = std::mem::replace(&mut self.queue.lock().is_awake, true);
        if !was_awake {
            self.woken.notify_one();
        }
    }

    /// How much waits. What is being delivered is not asked about: whoever delivers would be waited for.
    pub(super) fn waiting(&self) -> usize {
        self.queue.lock().messages.len()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.out.lock().len() + self.queue.lock().messages.len()
    }

    /// Waits for whoever delivers, who never waits for anyone.
    pub(super) fn out(&self) -> Out<'_> {
        Out {
            inbox: self,
            messages: self.out.lock(),
        }
    }

    /// Ends when there is something again, once `rest` has been said.
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// False: there is something left. Said by the reactor only, which sleeps then.
    pub(super) fn rest(&self) -> bool {
        let out = self.out.lock();
        let mut queue = self.queue.lock();
        let is_empty = out.is_empty() && queue.messages.is_empty();
        queue.is_awake = !is_empty;
        is_empty
    }
}

impl Out<'_> {
    /// The oldest message.
    pub(super) fn next(&mut self) -> Option<Arc<Message>> {
        if self.messages.is_empty() {
            let mut queue = self.inbox.queue.lock();
            std::mem::swap(&mut queue.messages, &mut *self.messages);
            queue.bytes = 0;
        }
        self.messages.pop_front()
    }
}
