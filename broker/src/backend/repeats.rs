//! What became of requests that may be sent again: whoever does not know whether his arrived repeats it by the same key,
//! is told what the first came to, and delivers nothing.
//!
//! Bounded by time, number and bytes; what is oldest goes first.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::emit::{Emit, Emitted};

/// How long a request is remembered.
const TIME: Duration = Duration::from_secs(120);
const MAX_KEYS: usize = 1 << 16;
/// Of what they came to: answers of clients may be many.
const MAX_BYTES: usize = 16 << 20;

#[derive(Default)]
pub(super) struct Repeats {
    inner: Mutex<Inner>,
    hasher: foldhash::quality::RandomState,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Arc<str>, Entry>,
    /// In the order in which they came.
    order: VecDeque<(Instant, Arc<str>, u64)>,
    bytes: usize,
    next: u64,
}

struct Entry {
    /// Tells it from another of the same key, later.
    number: u64,
    /// Of the request, so that a key that is used for another one is noticed.
    print: u64,
    size: usize,
    came_to: watch::Receiver<Option<Arc<Emitted>>>,
}

/// What is known of a request.
pub(super) enum Said {
    /// Nothing: whoever asks does it.
    First(First),
    Before(Emitted),
    /// Its key was another request's.
    Other,
}

/// The right to do it. Dropped, it has not been done.
pub(super) struct First {
    repeats: Arc<Repeats>,
    key: Arc<str>,
    number: u64,
    came_to: watch::Sender<Option<Arc<Emitted>>>,
}

impl Repeats {
    /// Waits for the first, where it is under way.
    pub(super) async fn said(self: &Arc<Self>, key: &Arc<str>, emit: &Emit) -> Said {
        let print = self.hasher.hash_one(emit);
        loop {
            let mut came_to = match self.look(key, print) {
                Ok(came_to) => came_to,
                Err(said) => return said,
            };
            // Dropped: it was not done after all.
            if let Ok(emitted) = came_to.wait_for(Option::is_some).await
                && let Some(emitted) = &*emitted
            {
                return Said::Before(Emitted::clone(emitted));
            }
        }
    }

    fn look(
        self: &Arc<Self>,
        key: &Arc<str>,
        print: u64,
    ) -> Result<watch::Receiver<Option<Arc<Emitted>>>, Said> {
        let now = Instant::now();
        let mut inner = self.inner.lock();
        inner.forget(now);
        match inner.entries.get(key) {
            Some(entry) if entry.print != print => return Err(Said::Other),
            Some(entry) => return Ok(entry.came_to.clone()),
            None => {}
        }
        let (came_to, told) = watch::channel(None);
        let number = inner.next;
        inner.next += 1;
        let entry = Entry {
            number,
            print,
            size: 0,
            came_to: told,
        };
        inner.entries.insert(key.clone(), entry);
        inner.order.push_back((now, key.clone(), number));
        Err(Said::First(First {
            repeats: self.clone(),
            key: key.clone(),
            number,
            came_to,
        }))
    }
}

impl Inner {
    /// What is too old, or too much.
    fn forget(&mut self, now: Instant) {
        while let Some((since, key, number)) = self.order.front() {
            let is_full = self.order.len() >= MAX_KEYS || self.bytes > MAX_BYTES;
            if !is_full && now.duration_since(*since) < TIME {
                break;
            }
            let (key, number) = (key.clone(), *number);
            self.remove(&key, number);
            self.order.pop_front();
        }
    }

    fn remove(&mut self, key: &str, number: u64) {
        if self.entries.get(key).is_some_and(|it| it.number == number)
            && let Some(entry) = self.entries.remove(key)
        {
            self.bytes -= entry.size;
        }
    }
}

// === impl First ===

impl First {
    pub(super) fn is(self, emitted: &Emitted) {
        let size = emitted.size();
        let mut inner = self.repeats.inner.lock();
        if let Some(entry) = inner.entries.get_mut(&self.key)
            && entry.number == self.number
        {
            entry.size = size;
            inner.bytes += size;
        }
        drop(inner);
        self.came_to.send_replace(Some(Arc::new(emitted.clone())));
    }
}

impl Drop for First {
    fn drop(&mut self) {
        if self.came_to.borrow().is_none() {
            self.repeats.inner.lock().remove(&self.key, self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Request, read};
    use super::*;

    fn emit(event: &str) -> Emit {
        match read(format!(r#"{{"event":"{event}"}}"#).as_bytes(), None) {
            Ok(Request::One(emit)) => emit,
            other => panic!("{other:?}"),
        }
    }

    fn emitted(deliveries: u64) -> Emitted {
        Emitted {
            deliveries,
            ..Emitted::default()
        }
    }

    async fn first(repeats: &Arc<Repeats>, key: &str, event: &str) -> First {
        match repeats.said(&key.into(), &emit(event)).await {
            Said::First(first) => first,
            Said::Before(_) | Said::Other => panic!("it is the first"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_stands_for_a_request_for_two_minutes() {
        let repeats = Arc::<Repeats>::default();
        first(&repeats, "k", "e").await.is(&emitted(5));
        let again = repeats.said(&"k".into(), &emit("e")).await;
        assert!(matches!(again, Said::Before(before) if before.deliveries == 5));
        let other = repeats.said(&"k".into(), &emit("f")).await;
        assert!(matches!(other, Said::Other));
        tokio::time::advance(TIME).await;
        first(&repeats, "k", "f").await.is(&emitted(0));
    }

    #[tokio::test]
    async fn whoever_repeats_it_waits_for_the_first() {
        let repeats = Arc::<Repeats>::default();
        let it = first(&repeats, "k", "e").await;
        let waits = tokio::spawn({
            let repeats = repeats.clone();
            async move { repeats.said(&"k".into(), &emit("e")).await }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        it.is(&emitted(1));
        assert!(matches!(waits.await.unwrap(), Said::Before(_)));
        // What has not been done is done by the next.
        let it = first(&repeats, "l", "e").await;
        let waits = tokio::spawn({
            let repeats = repeats.clone();
            async move { repeats.said(&"l".into(), &emit("e")).await }
        });
        tokio::task::yield_now().await;
        drop(it);
        assert!(matches!(waits.await.unwrap(), Said::First(_)));
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let repeats = Arc::<Repeats>::default();
        for key in 0..MAX_KEYS + 10 {
            first(&repeats, &key.to_string(), "e").await.is(&emitted(1));
        }
        assert!(repeats.inner.lock().entries.len() <= MAX_KEYS);
        drop(first(&repeats, "0", "e").await);
        repeats.inner.lock().bytes = MAX_BYTES + 1;
        let one = repeats.inner.lock().order.len();
        drop(first(&repeats, "new", "e").await);
        assert!(repeats.inner.lock().order.len() <= one);
    }
}
