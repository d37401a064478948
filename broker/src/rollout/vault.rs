//! Where JetStream keeps what a cluster serves: modules by their digest in an object store, and what is wanted of them
//! in a key-value store, changed by compare-and-swap only.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::kv::{CreateErrorKind, UpdateErrorKind};
use async_nats::jetstream::object_store::{self, ObjectInfo, ObjectStore};
use async_nats::jetstream::{self, kv};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::wanted::Wanted;
use crate::nats::Nats;
use crate::nats::subject;
use crate::plugin::{Digest, MAX_MODULE};

/// For one question.
const PATIENCE: Duration = Duration::from_secs(5);

/// For a module on its way.
const LONG_PATIENCE: Duration = Duration::from_secs(15);

/// A module that nothing names is kept for so long after it was stored: whoever stores one names it a moment later, and
/// nodes may still be fetching what was named before.
const KEPT: Duration = Duration::from_secs(10 * 60);

/// Modules that are looked at when there may be some to delete.
const MAX_MODULES: usize = 4096;

/// Policies that a cluster may be told to serve.
const MAX_WANTED: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    #[error("JetStream did not answer in time")]
    TimedOut,
    #[error("JetStream: {0}")]
    Failed(String),
    #[error("somebody else has changed it meanwhile")]
    Conflict,
    #[error("{0} is not in the store any more")]
    NoModule(String),
    #[error("what is stored as {0} is something else")]
    OtherModule(String),
}

pub(super) struct Vault {
    nats: Arc<Nats>,
    modules: String,
    wanted: String,
}

impl Vault {
    pub(super) fn new(nats: Arc<Nats>, cluster: &str) -> Self {
        Self {
            nats,
            modules: format!("SLUICE_{cluster}_POLICIES"),
            wanted: format!("SLUICE_{cluster}_WANTED"),
        }
    }

    fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.nats.client().clone())
    }

    async fn objects(&self) -> Result<ObjectStore, VaultError> {
        let jetstream = self.jetstream();
        if let Ok(store) = jetstream.get_object_store(&self.modules).await {
            return Ok(store);
        }
        let config = object_store::Config {
            bucket: self.modules.clone(),
            description: Some("Modules of policies, by digest".to_owned()),
            num_replicas: self.nats.replicas,
            ..object_store::Config::default()
        };
        jetstream.create_object_store(config).await.map_err(failed)
    }

    async fn entries(&self) -> Result<kv::Store, VaultError> {
        let jetstream = self.jetstream();
        if let Ok(store) = jetstream.get_key_value(&self.wanted).await {
            return Ok(store);
        }
        let config = kv::Config {
            bucket: self.wanted.clone(),
            description: "Which modules all nodes serve".to_owned(),
            history: 5,
            num_replicas: self.nats.replicas,
            ..kv::Config::default()
        };
        jetstream.create_key_value(config).await.map_err(failed)
    }

    /// Stores a module, unless it is there, and new enough not to be deleted before it is named.
    pub(super) async fn put(&self, digest: &str, module: &Bytes) -> Result<(), VaultError> {
        within(LONG_PATIENCE, async {
            let objects = self.objects().await?;
            let there = objects.info(digest).await;
            let is_there = |info: &ObjectInfo| !info.deleted && info.size == module.len();
            if there.is_ok_and(|info| is_there(&info) && age(&info) < KEPT / 2) {
                return Ok(());
            }
            let put = objects.put(digest, &mut &module[..]).await;
            put.map(drop).map_err(failed)
        })
        .await
    }

    /// A module, checked to be what its digest says.
    pub(super) async fn get(&self, digest: &str) -> Result<Bytes, VaultError> {
        within(LONG_PATIENCE, async {
            let objects = self.objects().await?;
            let missing = |_| VaultError::NoModule(digest.to_owned());
            let object = objects.get(digest).await.map_err(missing)?;
            let mut bytes = Vec::new();
            let mut object = object.take(MAX_MODULE + 1);
            object.read_to_end(&mut bytes).await.map_err(failed)?;
            match Digest::of(&bytes).to_string() == digest {
                true => Ok(bytes.into()),
                false => Err(VaultError::OtherModule(digest.to_owned())),
            }
        })
        .await
    }

    /// What is wanted of a policy, and the revision of that; 0: it has never been said.
    pub(super) async fn wanted(&self, policy: &str) -> Result<(Wanted, u64), VaultError> {
        let key = key(policy)?;
        within(PATIENCE, async {
            let entries = self.entries().await?;
            match entries.entry(key).await.map_err(failed)? {
                Some(entry) if entry.operation == kv::Operation::Put => {
                    let wanted = serde_json::from_slice(&entry.value).map_err(failed)?;
                    Ok((wanted, entry.revision))
                }
                Some(entry) => Ok((Wanted::default(), entry.revision)),
                None => Ok((Wanted::default(), 0)),
            }
        })
        .await
    }

    /// Writes what is wanted, if nobody has since that revision. Says the new one.
    pub(super) async fn swap(&self, wanted: &Wanted, revision: u64) -> Result<u64, VaultError> {
        let key = key(&wanted.policy)?;
        let text: Bytes = serde_json::to_vec(wanted).map_err(failed)?.into();
        within(PATIENCE, async {
            let entries = self.entries().await?;
            if revision == 0 {
                return entries
                    .create(&key, text)
                    .await
                    .map_err(|error| match error.kind() {
                        CreateErrorKind::AlreadyExists => VaultError::Conflict,
                        _ => failed(error),
                    });
            }
            let updated = entries.update(&key, text, revision).await;
            updated.map_err(|error| match error.kind() {
                UpdateErrorKind::WrongLastRevision => VaultError::Conflict,
                _ => failed(error),
            })
        })
        .await
    }

    /// Everything that is wanted, by policy.
    pub(super) async fn all(&self) -> Result<Vec<(Wanted, u64)>, VaultError> {
        let keys = within(PATIENCE, async {
            let entries = self.entries().await?;
            let keys = entries.keys().await.map_err(failed)?;
            let keys: Vec<_> = keys.take(MAX_WANTED).collect().await;
            Ok(keys)
        })
        .await?;
        let mut all = Vec::new();
        for key in keys {
            let Some(policy) = key.ok().as_deref().and_then(subject::name) else {
                continue;
            };
            let (wanted, revision) = self.wanted(&policy).await?;
            all.push((wanted, revision));
        }
        all.sort_by(|(a, _), (b, _)| a.policy.cmp(&b.policy));
        Ok(all)
    }
}

// === Modules that nobody needs any more ===

impl Vault {
    /// Deletes modules that no entry names, in any of the revisions of it that are kept, and says which.
    pub(super) async fn tidy(&self) -> Result<Vec<String>, VaultError> {
        let objects = within(PATIENCE, self.objects()).await?;
        let stored = within(PATIENCE, async {
            let list = objects.list().await.map_err(failed)?;
            let list = list
                .take(MAX_MODULES)
                .filter_map(|info| async move { info.ok() });
            Ok(list.collect::<Vec<_>>().await)
        });
        // Before it is looked what is named: what is stored meanwhile is not on the list.
        let stored = stored.await?;
        let old = stored.iter().filter(|info| age(info) >= KEPT);
        let old: Vec<_> = old.map(|info| info.name.clone()).collect();
        if old.is_empty() {
            return Ok(Vec::new());
        }
        let named = self.named().await?;
        let mut deleted = Vec::new();
        for digest in old.into_iter().filter(|it| !named.contains(it)) {
            within(PATIENCE, async {
                objects.delete(&digest).await.map_err(failed)
            })
            .await?;
            deleted.push(digest);
        }
        Ok(deleted)
    }

    /// The digests that any revision of any entry names.
    async fn named(&self) -> Result<HashSet<String>, VaultError> {
        let mut named = HashSet::new();
        let entries = within(PATIENCE, self.entries()).await?;
        let keys = within(PATIENCE, async {
            let keys = entries.keys().await.map_err(failed)?;
            let keys = keys.take(MAX_WANTED + 1).collect::<Vec<_>>().await;
            keys.into_iter()
                .collect::<Result<Vec<_>, _>>()
                .map_err(failed)
        })
        .await?;
        if keys.len() > MAX_WANTED {
            return Err(failed("there are more policies than are looked at"));
        }
        for key in keys {
            let history = within(PATIENCE, async {
                let history = entries.history(&key).await.map_err(failed)?;
                let history = history.collect::<Vec<_>>().await;
                history
                    .into_iter()
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(failed)
            });
            for entry in history.await? {
                if entry.operation != kv::Operation::Put {
                    continue;
                }
                // What a later version has written may name modules that this one does not see.
                let wanted: Wanted = serde_json::from_slice(&entry.value).map_err(failed)?;
                named.extend(wanted.digests().map(str::to_owned));
            }
        }
        Ok(named)
    }
}

/// How long ago it was stored, by the clocks of the server and of this node.
fn age(info: &ObjectInfo) -> Duration {
    let seconds = info.modified.map(|at| at.unix_timestamp());
    let seconds = seconds
        .and_then(|it| u64::try_from(it).ok())
        .map(Duration::from_secs);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    // One without a time is new.
    seconds.map_or(Duration::ZERO, |at| {
        now.unwrap_or_default().saturating_sub(at)
    })
}

fn key(policy: &str) -> Result<String, VaultError> {
    subject::token(policy).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> VaultError {
    VaultError::Failed(error.to_string())
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, VaultError>>,
) -> Result<T, VaultError> {
    timeout(patience, work)
        .await
        .unwrap_or(Err(VaultError::TimedOut))
}
