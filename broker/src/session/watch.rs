//! Sessions that rest on something: found when that ends, and by its name.
//!
//! Each reactor has one ordered map and one task for all of its sockets, and what is due at the same moment is done a share
//! at a time. A socket that rests on nothing is in neither map.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Broker, Session};
use crate::moment::unix_millis;

/// What is done in one turn of the reactor's tasks.
const SHARE: usize = 16;

/// The clock that ends are read by may be set: it is looked at this often.
const LOOK: Duration = Duration::from_secs(10);

/// One for each reactor.
#[derive(Default)]
pub(crate) struct Watches(Vec<Watch>);

#[derive(Default)]
struct Watch {
    inner: Mutex<Inner>,
    /// Something is due earlier than what was due first.
    earlier: Notify,
}

#[derive(Default)]
struct Inner {
    /// By when it is due, in milliseconds since 1970, and by the socket's token.
    due: BTreeMap<(u64, u64), Weak<Session>>,
    /// By the name of what it rests on, and by the socket's token: very many may rest on the same.
    tokens: BTreeMap<(Arc<str>, u64), Weak<Session>>,
}

// === impl Watches ===

impl Watches {
    pub(crate) fn new(reactors: usize) -> Self {
        Self((0..reactors).map(|_| Watch::default()).collect())
    }

    /// Has a session looked after at a time, and at no other.
    pub(super) fn at(&self, session: &Arc<Session>, before: Option<u64>, at: u64) {
        let Some(watch) = self.0.get(session.home.number()) else {
            return;
        };
        let token = session.client.peer.token;
        let mut inner = watch.inner.lock();
        if let Some(before) = before {
            inner.due.remove(&(before, token));
        }
        inner.due.insert((at, token), Arc::downgrade(session));
        let is_first = inner.due.first_key_value().map(|(key, _)| *key) == Some((at, token));
        drop(inner);
        if is_first {
            watch.earlier.notify_one();
        }
    }

    /// It is due no more.
    pub(super) fn not_at(&self, session: &Session, before: u64) {
        if let Some(watch) = self.0.get(session.home.number()) {
            let key = (before, session.client.peer.token);
            watch.inner.lock().due.remove(&key);
        }
    }

    /// It rests on this.
    pub(super) fn holds(&self, session: &Arc<Session>, name: &Arc<str>) {
        if let Some(watch) = self.0.get(session.home.number()) {
            let key = (name.clone(), session.client.peer.token);
            let holder = Arc::downgrade(session);
            watch.inner.lock().tokens.insert(key, holder);
        }
    }

    pub(super) fn holds_not(&self, session: &Session, name: &Arc<str>) {
        if let Some(watch) = self.0.get(session.home.number()) {
            let key = (name.clone(), session.client.peer.token);
            watch.inner.lock().tokens.remove(&key);
        }
    }

    /// The sessions of a reactor that rest on what is called so.
    pub(crate) fn of(&self, reactor: usize, name: &str) -> Vec<Arc<Session>> {
        let Some(watch) = self.0.get(reactor) else {
            return Vec::new();
        };
        let inner = watch.inner.lock();
        let name = Arc::<str>::from(name);
        let holders = inner.tokens.range((name.clone(), 0)..=(name, u64::MAX));
        holders
            .filter_map(|(_, session)| session.upgrade())
            .collect()
    }

    /// How many are due, and how many rest on something that has a name.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        let inner = self.0.iter().map(|watch| watch.inner.lock());
        inner.fold((0, 0), |(due, tokens), inner| {
            (due + inner.due.len(), tokens + inner.tokens.len())
        })
    }
}

impl Watch {
    /// How long until the first is due; `None`: none is.
    fn wait(&self, now: u64) -> Option<Duration> {
        let inner = self.inner.lock();
        let ((first, _), _) = inner.due.first_key_value()?;
        Some(Duration::from_millis(first.saturating_sub(now)).min(LOOK))
    }

    /// Takes out some that are due.
    fn take(&self, now: u64) -> Vec<Weak<Session>> {
        let mut inner = self.inner.lock();
        let mut due = Vec::new();
        while due.len() < SHARE
            && let Some(first) = inner.due.first_entry()
            && first.key().0 <= now
        {
            due.push(first.remove());
        }
        due
    }
}

impl Broker {
    /// Looks after what is due on a reactor, on its thread. Never ends.
    pub(crate) async fn look_after(self: Arc<Self>, reactor: usize) {
        let Some(watch) = self.watches.0.get(reactor) else {
            return;
        };
        loop {
            match watch.wait(unix_millis()) {
                None => watch.earlier.notified().await,
                Some(wait) => _ = tokio::time::timeout(wait, watch.earlier.notified()).await,
            }
            loop {
                let due = watch.take(unix_millis());
                if due.is_empty() {
                    break;
                }
                for session in due.iter().filter_map(Weak::upgrade) {
                    session.is_due(unix_millis());
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broker, enter};
    use super::*;
    use crate::event::{Grant, Identity};
    use crate::pipeline::Pipelines;
    use crate::plugin::DisconnectReason;

    fn resting(expires_ms: Option<u64>, token: &str) -> Identity {
        let grant = Grant {
            expires_ms: expires_ms.into(),
            token: (!token.is_empty()).then(|| token.into()),
            ..Grant::default()
        };
        Identity {
            user: Some("a".into()),
            grant: Some(Box::new(grant)),
            ..Identity::default()
        }
    }

    #[tokio::test]
    async fn who_is_due_is_told_and_whoever_goes_is_forgotten() {
        let broker = broker(Pipelines::default());
        let looking = tokio::spawn(broker.clone().look_after(0));
        let now = unix_millis();
        let (stays, nothing) = enter(&broker, 1, Identity::default());
        assert_eq!(broker.watches.len(), (0, 0), "it rests on nothing");
        let later = enter(&broker, 2, resting(Some(now + 3_600_000), "t"));
        let (same, _) = enter(&broker, 3, resting(None, "t"));
        assert_eq!(broker.watches.len(), (1, 2));
        assert_eq!(broker.watches.of(0, "t").len(), 2);
        // Due before the one that is waited for.
        let (soon, told) = enter(&broker, 4, resting(Some(now + 30), ""));
        let is_told = async {
            while told.0.lock().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), is_told)
            .await
            .unwrap();
        assert!(unix_millis() >= now + 30);
        let told = told.take();
        assert!(
            told[0].starts_with(r#"error [{"code":"token_expired""#),
            "{told:?}"
        );
        assert!(nothing.take().is_empty() && later.1.take().is_empty());
        for session in [stays, later.0, same, soon] {
            session.close(DisconnectReason::Client, "gone");
        }
        assert_eq!(broker.watches.len(), (0, 0));
        looking.abort();
    }

    #[tokio::test]
    async fn who_comes_in_while_it_is_revoked_is_ended() {
        use crate::revocation::{Entry, Key, Of};
        let broker = broker(Pipelines::default());
        let entry = Entry {
            key: Key {
                of: Of::Token("t".to_owned()),
                namespace: None,
            },
            at_ms: 0,
            until_ms: u64::MAX,
            reason: None,
            is_lifted: false,
            said_ms: 0,
        };
        broker.revocations.take(entry, 1).unwrap();
        let (_session, told) = enter(&broker, 1, resting(None, "t"));
        let told = told.take();
        assert!(
            told[0].starts_with(r#"error [{"code":"revoked""#),
            "{told:?}"
        );
        let (_other, told) = enter(&broker, 2, resting(None, "u"));
        assert!(told.take().is_empty());
    }
}
