//! An event whose recipients are asked to answer it, and what they have answered.
//!
//! What a client makes the node keep is bounded: answers of one event by their number, which is that of its recipients,
//! and all answers that are kept by their bytes.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Outlet;
use crate::event::{Attachments, Event, SocketName};
use crate::telemetry::metrics::metrics;

/// Bytes of the answers that are kept at a time, of all events.
const MAX_BYTES: usize = 64 << 20;

/// What one answer takes up beside its arguments.
const OVERHEAD: usize = size_of::<Answer>() + 32;

/// What all that is asked shares.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    next: AtomicI64,
    bytes: AtomicUsize,
}

/// Whoever asked holds it; when it is dropped, nothing is waited for any more.
pub(crate) struct Asked {
    /// Clients answer by it. One for all recipients, so that they share what is sent.
    pub id: i64,
    asking: Arc<Asking>,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    answers: Vec<Answer>,
    bytes: usize,
    /// Recipients that may still answer.
    open: usize,
    /// Those that have not, and will not.
    missing: usize,
}

/// What one client answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub socket: Arc<str>,
    /// The text of a JSON array, checked.
    pub args: Box<str>,
    pub attachments: Attachments,
}

/// One client's part in it: dropped, it has not answered.
pub(crate) struct Question {
    asked: Weak<Asked>,
    socket: SocketName,
    is_open: bool,
    /// The broker's own: called with the text of the array that the client answers with.
    then: Option<Then>,
}

type Then = Box<dyn FnOnce(&str) + Send>;

// === impl Asked ===

impl Asked {
    pub(crate) fn new(asking: &Arc<Asking>) -> Arc<Self> {
        Arc::new(Self {
            id: asking.next.fetch_add(1, Ordering::Relaxed),
            asking: asking.clone(),
            inner: Mutex::default(),
            changed: Notify::new(),
        })
    }

    pub(crate) fn question(self: &Arc<Self>, socket: &SocketName) -> Question {
        self.inner.lock().open += 1;
        metrics().traffic.answers_waiting.inc();
        Question {
            asked: Arc::downgrade(self),
            socket: *socket,
            is_open: true,
            then: None,
        }
    }

    /// Ends when nobody is left who may answer. Asked before that, it says so at once.
    pub(crate) async fn complete(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.inner.lock().open == 0 {
                return;
            }
            changed.await;
        }
    }

    /// The answers so far, and how many are missing.
    pub(crate) fn take(&self) -> (Vec<Answer>, usize) {
        let mut inner = self.inner.lock();
        let answers = std::mem::take(&mut inner.answers);
        self.give_back(&mut inner);
        (answers, inner.missing + inner.open)
    }

    fn give_back(&self, inner: &mut Inner) {
        let bytes = std::mem::take(&mut inner.bytes);
        self.asking.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn close(&self, answer: Option<Answer>) {
        let answer = answer.map(|answer| (answer.size(), answer));
        let kept = answer.filter(|(size, _)| self.asking.is_kept(*size));
        let mut inner = self.inner.lock();
        match kept {
            Some((size, answer)) => {
                inner.bytes += size;
                inner.answers.push(answer);
            }
            None => inner.missing += 1,
        }
        inner.open = inner.open.saturating_sub(1);
        metrics().traffic.answers_waiting.dec();
        if inner.open == 0 {
            self.changed.notify_waiters();
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut inner = std::mem::take(self.inner.get_mut());
        // Whoever answers now finds nobody.
        let open = i64::try_from(inner.open).unwrap_or(i64::MAX);
        metrics().traffic.answers_waiting.dec_by(open);
        self.give_back(&mut inner);
    }
}

impl Asking {
    /// Asks one client, and calls back on its reactor if it answers. It does so within the life of its socket, or never.
    pub(crate) fn ask_one(
        &self,
        outlet: &dyn Outlet,
        event: &Event,
        then: impl FnOnce(&str) + Send + 'static,
    ) {
        let frame = outlet.encode_asking(event, self.next.fetch_add(1, Ordering::Relaxed));
        let question = Question {
            asked: Weak::new(),
            socket: "".into(),
            is_open: false,
            then: Some(Box::new(then)),
        };
        outlet.ask(&frame, question);
    }

    fn is_kept(&self, size: usize) -> bool {
        let more = |bytes: usize| bytes.checked_add(size).filter(|all| *all <= MAX_BYTES);
        self.bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }
}

impl Answer {
    fn size(&self) -> usize {
        let attachments = self.attachments.iter().map(bytes::Bytes::len);
        OVERHEAD + self.args.len() + attachments.sum::<usize>()
    }
}

// === impl Question ===

impl Question {
    pub(crate) fn answer(mut self, args: &str, attachments: Attachments) {
        self.is_open = false;
        if let Some(then) = self.then.take() {
            return then(args);
        }
        if let Some(asked) = self.asked.upgrade() {
            asked.close(Some(Answer {
                socket: Arc::from(&*self.socket),
                args: args.into(),
                attachments,
            }));
        }
    }

    /// Nobody waits for it any more.
    pub(crate) fn is_stale(&self) -> bool {
        self.then.is_none() && self.asked.strong_count() == 0
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if self.is_open
            && let Some(asked) = self.asked.upgrade()
        {
            asked.close(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn none() -> Attachments {
        Arc::new([])
    }

    #[test]
    fn it_is_complete_when_all_have_answered_or_gone() {
        let asking = Arc::<Asking>::default();
        let asked = Asked::new(&asking);
        let [a, b] = ["a", "b"].map(|name| asked.question(&name.into()));
        assert!(asked.complete().now_or_never().is_none());
        a.answer("[1]", none());
        assert!(asked.complete().now_or_never().is_none());
        drop(b);
        assert!(asked.complete().now_or_never().is_some());
        assert!(asking.bytes.load(Ordering::Relaxed) > 0);
        let (answers, missing) = asked.take();
        assert_eq!((answers.len(), missing), (1, 1));
        assert_eq!((&*answers[0].socket, &*answers[0].args), ("a", "[1]"));
        assert_eq!(asking.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_comes_too_late_or_is_too_much_is_not_kept() {
        let asking = Arc::<Asking>::default();
        let asked = Asked::new(&asking);
        let [a, b, c] = ["a", "b", "c"].map(|name| asked.question(&name.into()));
        let attachments: Attachments = [bytes::Bytes::from(vec![0; MAX_BYTES])].into();
        a.answer("[]", attachments);
        b.answer("[]", none());
        let (answers, missing) = asked.take();
        assert_eq!((answers.len(), missing), (1, 2));
        assert!(!c.is_stale());
        drop(asked);
        assert!(c.is_stale());
        c.answer("[]", none());
        assert_eq!(asking.bytes.load(Ordering::Relaxed), 0);
    }
}
