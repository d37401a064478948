//! Users and tokens that are kept out: at once, on every node, until their revocation ends.
//!
//! `table` is what is revoked. Here is what makes it true: sockets that are there are ended by their own reactors, and
//! nodes tell each other. A revocation is asked of all other nodes, so that whoever revokes knows which did not answer;
//! and all nodes say every second what they know, in a number, so that one that comes later, or was cut off, asks the
//! others for what it has missed.

mod spread;
mod table;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::admin::{Revoking, Told};
use crate::cluster::Others;
use crate::event::hidden;
use crate::fanout::{Ending, Home};
use crate::moment::unix_millis;
use crate::session::{Broker, revoked};
use crate::telemetry::events::{RevocationLifted, Revoked};
use spread::Spread;
pub(crate) use table::{Entry, Full, Key, Of, Table};

/// Entries that a reactor goes through in one turn.
const SHARE: usize = 64;

/// What somebody wants revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revoke {
    pub key: Key,
    pub until_ms: u64,
    pub reason: Option<String>,
}

pub(crate) struct Revocations {
    broker: Arc<Broker>,
    others: Others,
    spread: Spread,
}

impl Revocations {
    pub(crate) fn new(broker: Arc<Broker>) -> Arc<Self> {
        Arc::new(Self {
            broker,
            others: Others::default(),
            spread: Spread::default(),
        })
    }

    fn table(&self) -> &Table {
        &self.broker.revocations
    }

    async fn make(&self, wanted: Revoke) -> Result<Told, Full> {
        let now_ms = unix_millis();
        let entry = Entry {
            said_ms: self.after(&wanted.key, now_ms),
            key: wanted.key,
            at_ms: now_ms,
            until_ms: wanted.until_ms,
            reason: wanted.reason,
            is_lifted: false,
        };
        // Known before anybody is ended, so that nobody comes back, and whoever is about to come in is ended then.
        self.table().take(entry.clone(), now_ms)?;
        let (here, mut told) = tokio::join!(self.end([entry.clone()].into()), self.tell(&entry));
        told.sockets += here;
        let (kind, name) = entry.key.of.parts();
        Revoked {
            kind,
            name,
            namespace: entry.key.namespace.as_deref(),
            until_ms: entry.until_ms,
            reason: entry.reason.as_deref(),
            sockets: told.sockets,
            silent: told.silent.len(),
        }
        .emit();
        Ok(told)
    }

    /// `None`: it is not revoked.
    async fn take_back(&self, key: Key) -> Option<Told> {
        let now_ms = unix_millis();
        let entry = self.table().get(&key, now_ms);
        let mut entry = entry.filter(|it| !it.is_lifted)?;
        entry.is_lifted = true;
        entry.said_ms = self.after(&key, now_ms);
        // It is there already, so there is room.
        let _ = self.table().take(entry.clone(), now_ms);
        let told = self.tell(&entry).await;
        let (kind, name) = key.of.parts();
        RevocationLifted {
            kind,
            name,
            namespace: key.namespace.as_deref(),
        }
        .emit();
        Some(told)
    }

    /// Now, and after whatever has been said about it.
    fn after(&self, key: &Key, now_ms: u64) -> u64 {
        let before = self.table().get(key, now_ms);
        before.map_or(now_ms, |it| now_ms.max(it.said_ms + 1))
    }

    /// Ends the sockets of this node that these keep out, and says how many.
    async fn end(&self, entries: Arc<[Entry]>) -> u64 {
        let mut ended = 0;
        for share in (0..entries.len()).step_by(SHARE) {
            let (broker, entries) = (self.broker.clone(), entries.clone());
            let each = self.broker.fanout.each(move |home| {
                let entries = entries.iter().skip(share).take(SHARE);
                let ended = entries.map(|entry| end_here(&broker, home, entry));
                ended.sum::<u64>()
            });
            ended += each.await.into_iter().flatten().sum::<u64>();
        }
        ended
    }
}

/// Of one reactor, on its thread.
fn end_here(broker: &Broker, home: &Home, entry: &Entry) -> u64 {
    if entry.is_lifted {
        return 0;
    }
    match &entry.key.of {
        Of::User(user) => {
            let (room, now_ms) = (hidden::of_user(user), unix_millis());
            let namespace = entry.key.namespace.as_deref();
            let found = home.find(namespace, Some(&room), usize::MAX, |member| {
                entry.bars(&member.client, now_ms)
            });
            for member in &found {
                broker.end(&member.client, &*member.outlet, &revoked(), Ending::Revoked);
            }
            found.len() as u64
        }
        Of::Token(id) => {
            let sessions = broker.watches.of(home.number(), id);
            let ended = sessions.iter().filter(|session| session.end_if_revoked());
            ended.count() as u64
        }
    }
}

impl Of {
    /// What it is, and which.
    pub(crate) fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::User(name) => ("user", name),
            Self::Token(name) => ("token", name),
        }
    }
}

impl Revoking for Revocations {
    fn revoke(self: Arc<Self>, wanted: Revoke) -> BoxFuture<'static, Result<Told, Full>> {
        Box::pin(async move { self.make(wanted).await })
    }

    fn lift(self: Arc<Self>, key: Key) -> BoxFuture<'static, Option<Told>> {
        Box::pin(async move { self.take_back(key).await })
    }

    fn list(&self) -> Vec<Entry> {
        let mut entries = self.table().all(unix_millis());
        entries.retain(|it| !it.is_lifted);
        entries.sort_by(|a, b| (b.at_ms, &b.key).cmp(&(a.at_ms, &a.key)));
        entries
    }
}
