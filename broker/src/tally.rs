//! Counters that all nodes count as one: entries of a JetStream key-value store, changed by compare-and-swap. For what is
//! rare, such as logins; a connection waits for it, and nothing else does.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::kv::{self, CreateErrorKind, UpdateErrorKind};
use bytes::Bytes;
use futures_util::future::BoxFuture;
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
    nats: Arc<Nats>,
    bucket: String,
    /// Whose sockets are those of the connection to NATS: reactors only wait.
    runtime: Handle,
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
        Self {
            nats,
            bucket: format!("SLUICE_{cluster}_COUNTERS"),
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
        let (nats, bucket) = (Arc::clone(&self.nats), self.bucket.clone());
        let names = subject::token(policy).and_then(|policy| {
            let key = subject::token(key)?;
            Ok(format!("{policy}.{key}"))
        });
        let work = self.runtime.spawn(async move {
            let key = names.map_err(|error| error.to_string())?;
            if !nats.state().is_connected {
                return Err("there is no connection to NATS".to_owned());
            }
            let counting = add(&nats, &bucket, &key, by, ttl_ms);
            match timeout(TALLY_PATIENCE, counting).await {
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

async fn add(nats: &Nats, bucket: &str, key: &str, by: i64, ttl_ms: u64) -> Result<i64, String> {
    let entries = entries(nats, bucket).await?;
    for _ in 0..ATTEMPTS {
        let entry = entries.entry(key).await.map_err(said)?;
        let (old, revision) = match entry {
            Some(entry) => (serde_json::from_slice(&entry.value).ok(), entry.revision),
            None => (None, 0),
        };
        let new = next(old, by, ttl_ms, unix_millis())?;
        if by == 0 {
            return Ok(new.count);
        }
        let text: Bytes = serde_json::to_vec(&new).map_err(said)?.into();
        if revision == 0 {
            match entries.create(key, text).await {
                Ok(_) => return Ok(new.count),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
                Err(error) => return Err(said(error)),
            }
        } else {
            match entries.update(key, text, revision).await {
                Ok(_) => return Ok(new.count),
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {}
                Err(error) => return Err(said(error)),
            }
        }
        // Another node was faster. Not all at once again.
        tokio::time::sleep(Duration::from_micros(rand::random_range(0..2000))).await;
    }
    Err("others change it all the time".to_owned())
}

/// What a counter is after an addition.
fn next(old: Option<Count>, by: i64, ttl_ms: u64, now_ms: u64) -> Result<Count, String> {
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

async fn entries(nats: &Nats, bucket: &str) -> Result<kv::Store, String> {
    let jetstream = jetstream::new(nats.client().clone());
    if let Ok(store) = jetstream.get_key_value(bucket).await {
        return Ok(store);
    }
    let config = kv::Config {
        bucket: bucket.to_owned(),
        description: "Counters of policies that all nodes count as one".to_owned(),
        history: 1,
        max_age: KEPT,
        num_replicas: nats.replicas,
        ..kv::Config::default()
    };
    jetstream.create_key_value(config).await.map_err(said)
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
