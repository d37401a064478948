//! Counters that all nodes count as one: entries of a JetStream key-value store, changed by compare-and-swap. For what is
//! rare, such as logins; a connection waits for it, and nothing else does.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::kv::{self, CreateErrorKind, UpdateErrorKind};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::moment::unix_millis;
use crate::nats::{Nats, subject};
use crate::plugin::{StrictCounters, TALLY_PATIENCE};

/// How often a change is tried again because another node was faster.
const ATTEMPTS: u32 = 64;

/// What nobody has changed for so long is forgotten.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The cluster's counters.
pub(crate) struct Counters {
    kept: Arc<Kept>,
    /// Whose sockets are those of the connection to NATS: reactors only wait.
    runtime: Handle,
}

/// Where they are kept.
struct Kept {
    nats: Arc<Nats>,
    bucket: String,
    /// As it was found, looked for anew where it failed, because it may have been deleted.
    store: Mutex<Option<kv::Store>>,
}

/// A counter as it is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    count: i64,
    /// Milliseconds since the Unix epoch; 0: without end.
    #[serde(default)]
    ends_ms: u64,
}

impl Counters {
    pub(crate) fn new(nats: Arc<Nats>, cluster: &str, runtime: Handle) -> Self {
        let kept = Kept {
            nats,
            bucket: format!("SLUICE_{cluster}_COUNTERS"),
            store: Mutex::default(),
        };
        Self {
            kept: Arc::new(kept),
            runtime,
        }
    }
}

impl StrictCounters for Counters {
    fn add(
        &self,
        policy: &str,
        key: &str,
        by: i64,
        ttl_ms: u64,
    ) -> BoxFuture<'static, Result<i64, String>> {
        let kept = Arc::clone(&self.kept);
        let names = subject::token(policy).and_then(|policy| {
            let key = subject::token(key)?;
            Ok(format!("{policy}.{key}"))
        });
        let work = self.runtime.spawn(async move {
            let key = names.map_err(|error| error.to_string())?;
            if !kept.nats.state().is_connected {
                return Err("there is no connection to NATS".to_owned());
            }
            match timeout(TALLY_PATIENCE, kept.add(&key, by, ttl_ms)).await {
                Ok(answer) => answer,
                Err(_) => Err("the cluster's store did not answer in time".to_owned()),
            }
        });
        Box::pin(async move {
            work.await
                .unwrap_or_else(|_| Err("the node is shutting down".to_owned()))
        })
    }
}

impl Kept {
    async fn add(&self, key: &str, by: i64, ttl_ms: u64) -> Result<i64, String> {
        let known = self.store.lock().clone();
        if let Some(store) = known {
            match self.add_to(store, key, by, ttl_ms).await {
                // Nothing has been written: it is looked for once more.
                Err(AddError::Unread(_)) => {}
                done => return done.map_err(said),
            }
        }
        let store = self.find().await?;
        self.add_to(store, key, by, ttl_ms).await.map_err(said)
    }

    /// Remembers the store as long as it answers.
    async fn add_to(
        &self,
        store: kv::Store,
        key: &str,
        by: i64,
        ttl_ms: u64,
    ) -> Result<i64, AddError> {
        let done = add(&store, key, by, ttl_ms).await;
        let answers = !matches!(done, Err(AddError::Unread(_) | AddError::Failed(_)));
        *self.store.lock() = answers.then_some(store);
        done
    }

    async fn find(&self) -> Result<kv::Store, String> {
        let jetstream = jetstream::new(self.nats.client().clone());
        if let Ok(store) = jetstream.get_key_value(&self.bucket).await {
            return Ok(store);
        }
        let config = kv::Config {
            bucket: self.bucket.clone(),
            description: "Counters of policies that all nodes count as one".to_owned(),
            history: 1,
            max_age: KEPT,
            num_replicas: self.nats.replicas,
            ..kv::Config::default()
        };
        jetstream.create_key_value(config).await.map_err(said)
    }
}

/// Why nothing was added.
#[derive(Debug, thiserror::Error)]
enum AddError {
    /// It could not even be read.
    #[error("{0}")]
    Unread(String),
    /// It may have been written, or not.
    #[error("{0}")]
    Failed(String),
    #[error("{0}")]
    Sum(&'static str),
    #[error("others change it all the time")]
    Contended,
}

fn failed(error: impl std::fmt::Display) -> AddError {
    AddError::Failed(error.to_string())
}

async fn add(entries: &kv::Store, key: &str, by: i64, ttl_ms: u64) -> Result<i64, AddError> {
    for attempt in 0..ATTEMPTS {
        let entry = entries.entry(key).await;
        let entry = entry.map_err(|error| match attempt {
            0 => AddError::Unread(error.to_string()),
            _ => failed(error),
        })?;
        let (old, revision) = match entry {
            Some(entry) => (serde_json::from_slice(&entry.value).ok(), entry.revision),
            None => (None, 0),
        };
        let new = next(old, by, ttl_ms, unix_millis()).map_err(AddError::Sum)?;
        if by == 0 {
            return Ok(new.count);
        }
        let text: Bytes = serde_json::to_vec(&new).map_err(failed)?.into();
        if revision == 0 {
            match entries.create(key, text).await {
                Ok(_) => return Ok(new.count),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        } else {
            match entries.update(key, text, revision).await {
                Ok(_) => return Ok(new.count),
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {}
                Err(error) => return Err(failed(error)),
            }
        }
        // Another node was faster. Not all at once again.
        tokio::time::sleep(Duration::from_micros(rand::random_range(0..2000))).await;
    }
    Err(AddError::Contended)
}

/// What a counter is after an addition.
fn next(old: Option<Count>, by: i64, ttl_ms: u64, now_ms: u64) -> Result<Count, &'static str> {
    let is_over = |old: &Count| old.ends_ms > 0 && old.ends_ms <= now_ms;
    let begun = || Count {
        count: 0,
        ends_ms: match ttl_ms {
            0 => 0,
            ttl => now_ms.saturating_add(ttl),
        },
    };
    let old = old.filter(|old| !is_over(old)).unwrap_or_else(begun);
    let count = old.count.checked_add(by);
    let count = count.ok_or("the sum is beyond what a counter can hold (64 bits, signed)")?;
    Ok(Count { count, ..old })
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_lives_as_long_as_it_was_given_first() {
        let first = next(None, 2, 100, 1000).unwrap();
        assert_eq!((first.count, first.ends_ms), (2, 1100));
        let second = next(Some(first), 3, 900, 1099).unwrap();
        assert_eq!((second.count, second.ends_ms), (5, 1100));
        let again = next(Some(second), 1, 0, 1100).unwrap();
        assert_eq!((again.count, again.ends_ms), (1, 0));
        assert_eq!(next(Some(again), -3, 5, u64::MAX).unwrap().count, -2);
        assert!(next(Some(again), i64::MAX, 0, 0).is_err());
    }
}
