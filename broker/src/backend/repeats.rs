//! What became of requests that may be sent again: whoever does not know whether his arrived repeats it by the same key,
//! is told what the first came to, and delivers nothing.
//!
//! Nodes of a cluster tell each other, because whoever repeats a request may come to another of them. Two that arrive at two
//! nodes at the same moment are both the first: to prevent that, every request would have to wait for the network.
//!
//! Bounded by time, number and bytes; what is oldest goes first.

use std::collections::{HashMap, VecDeque};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use siphasher::sip::SipHasher24;
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
    /// Of the request, so that a key that is used for another one is noticed. `None`: not known.
    print: Option<u64>,
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
    /// Of the request.
    pub(super) print: u64,
    came_to: watch::Sender<Option<Arc<Emitted>>>,
}

impl Repeats {
    /// Waits for the first, where it is under way.
    pub(super) async fn said(self: &Arc<Self>, key: &Arc<str>, emit: &Emit) -> Said {
        let print = print(emit);
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
            Some(entry) if entry.print.is_some_and(|its| its != print) => return Err(Said::Other),
            Some(entry) => return Ok(entry.came_to.clone()),
            None => {}
        }
        let (came_to, told) = watch::channel(None);
        let number = inner.add(now, key, Some(print), told);
        Err(Said::First(First {
            repeats: self.clone(),
            key: key.clone(),
            number,
            print,
            came_to,
        }))
    }

    /// Another node has done it.
    pub(super) fn heard(&self, key: &Arc<str>, print: Option<u64>, emitted: Emitted) {
        let now = Instant::now();
        let size = emitted.size();
        let (_, came_to) = watch::channel(Some(Arc::new(emitted)));
        let mut inner = self.inner.lock();
        inner.forget(now);
        // Both were the first.
        if inner.entries.contains_key(key) {
            return;
        }
        inner.add(now, key, print, came_to);
        inner.has_size(key, size);
    }
}

/// The same on every node of one build.
fn print(emit: &Emit) -> u64 {
    let mut hasher = SipHasher24::new();
    emit.hash(&mut hasher);
    hasher.finish()
}

impl Inner {
    fn add(
        &mut self,
        now: Instant,
        key: &Arc<str>,
        print: Option<u64>,
        came_to: watch::Receiver<Option<Arc<Emitted>>>,
    ) -> u64 {
        let number = self.next;
        self.next += 1;
        let entry = Entry {
            number,
            print,
            size: 0,
            came_to,
        };
        self.entries.insert(key.clone(), entry);
        self.order.push_back((now, key.clone(), number));
        number
    }

    fn has_size(&mut self, key: &str, size: usize) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.size = size;
            self.bytes += size;
        }
    }

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
        let entry = inner.entries.get(&self.key);
        if entry.is_some_and(|entry| entry.number == self.number) {
            inner.has_size(&self.key, size);
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
    async fn what_another_node_has_done_is_not_done_again() {
        let repeats = Arc::<Repeats>::default();
        let print = print(&emit("e"));
        repeats.heard(&"k".into(), Some(print), emitted(3));
        let again = repeats.said(&"k".into(), &emit("e")).await;
        assert!(matches!(again, Said::Before(before) if before.deliveries == 3));
        let other = repeats.said(&"k".into(), &emit("f")).await;
        assert!(matches!(other, Said::Other));
        // A node of another build cannot say which request it was.
        repeats.heard(&"l".into(), None, emitted(4));
        let again = repeats.said(&"l".into(), &emit("e")).await;
        assert!(matches!(again, Said::Before(before) if before.deliveries == 4));
        // It was done here as well.
        let first = first(&repeats, "m", "e").await;
        repeats.heard(&"m".into(), Some(print), emitted(5));
        first.is(&emitted(6));
        let again = repeats.said(&"m".into(), &emit("e")).await;
        assert!(matches!(again, Said::Before(before) if before.deliveries == 6));
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
