//! A node's part in a roll-out: it loads what it is told to, goes back, and follows what is wanted when it starts, when
//! it comes back, and when it is told that something has changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::vault::Vault;
use super::wanted::{Release, Wanted};
use super::{LOAD, LOOK, Load, OnNode, UNDO, Undo};
use crate::cluster::Cluster;
use crate::nats::Nats;
use crate::plugin::{Artifact, Command, Control};
use crate::telemetry::events::RollOutFollowed;

/// Between two looks at what is wanted where something failed.
const AGAIN: Duration = Duration::from_secs(2);

/// Between two looks where nothing has: words between nodes may be lost.
const SOMETIMES: Duration = Duration::from_secs(30);

/// Policies whose last release is remembered.
const MAX_UNDO: usize = 1024;

/// A node's generation and digest of a policy that serves.
type Serving = Box<dyn Fn(&str) -> Option<(u64, String)> + Send + Sync>;

/// A node's answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Loaded {
    #[serde(default)]
    generation: Option<u64>,
    #[serde(default)]
    version: Option<String>,
    /// Why not.
    #[serde(default)]
    reason: Option<String>,
}

/// How to go back from a release.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Before {
    id: String,
    /// `None`: there was nothing.
    generation: Option<u64>,
}

/// What this node has of what is wanted.
pub(crate) struct Part {
    node: String,
    vault: Arc<Vault>,
    control: Control,
    serving: Serving,
    /// By policy, what served before the last release was loaded.
    before: Mutex<HashMap<String, Before>>,
    /// By policy, the revision that has been followed. What is done by hand after that holds until the next.
    followed: Mutex<HashMap<String, u64>>,
    failing: Mutex<Vec<(String, String)>>,
    look: Notify,
    /// Whether it has been looked once, with whatever success: the servers may have no JetStream.
    has_looked: AtomicBool,
}

impl Part {
    pub(super) fn new(
        node: String,
        vault: Arc<Vault>,
        control: Control,
        serving: Serving,
    ) -> Arc<Self> {
        Arc::new(Self {
            node,
            vault,
            control,
            serving,
            before: Mutex::default(),
            followed: Mutex::default(),
            failing: Mutex::default(),
            look: Notify::new(),
            has_looked: AtomicBool::new(false),
        })
    }

    pub(super) fn listen(self: &Arc<Self>, cluster: &Cluster) {
        let part = Arc::clone(self);
        cluster.answer(LOAD, move |_, load: Load| {
            let part = Arc::clone(&part);
            Box::pin(async move { part.load(&load, None).await })
        });
        let part = Arc::clone(self);
        cluster.answer(UNDO, move |_, undo: Undo| {
            let part = Arc::clone(&part);
            Box::pin(async move { part.undo(&undo).await })
        });
        let part = Arc::clone(self);
        cluster.hear(LOOK, move |_, _: String| part.look.notify_one());
    }

    pub(super) fn failing(&self) -> Vec<(String, String)> {
        self.failing.lock().clone()
    }

    /// Whether it is known what is wanted, or that it cannot be known.
    pub(super) fn has_looked(&self) -> bool {
        self.has_looked.load(Ordering::Relaxed)
    }

    /// What is wanted has changed.
    pub(super) fn look(&self) {
        self.look.notify_one();
    }

    /// This revision has been followed, by other means.
    pub(super) fn is_done(&self, policy: &str, revision: u64) {
        self.followed.lock().insert(policy.to_owned(), revision);
    }

    /// Serves a release from now on, and remembers how to go back.
    pub(super) async fn load(&self, load: &Load, module: Option<Bytes>) -> Loaded {
        let Load { policy, release } = load;
        let bytes = match module {
            Some(module) => module,
            None => match self.vault.get(&release.digest).await {
                Ok(bytes) => bytes,
                Err(error) => return Loaded::failed(error.to_string()),
            },
        };
        let serves = (self.serving)(policy);
        let command = Command::Upload {
            policy: policy.clone(),
            artifact: Artifact {
                bytes,
                signature: Ok(release.signature.as_deref().map(Arc::from)),
            },
        };
        match self.control.ask(command).await {
            Ok(done) => {
                if done.changed {
                    self.remember(policy, release, serves.map(|(generation, _)| generation));
                }
                let policy = done.policy;
                Loaded {
                    generation: policy.as_ref().map(|policy| policy.generation),
                    version: policy.map(|policy| policy.version),
                    reason: None,
                }
            }
            Err(error) => Loaded::failed(error.to_string()),
        }
    }

    fn remember(&self, policy: &str, release: &Release, generation: Option<u64>) {
        let mut before = self.before.lock();
        if before.len() >= MAX_UNDO {
            before.clear();
        }
        let id = release.id.clone();
        before.insert(policy.to_owned(), Before { id, generation });
    }

    /// Goes back to what served before a release; says why it could not. Where the release never served, there is
    /// nothing to do.
    pub(super) async fn undo(&self, undo: &Undo) -> Option<String> {
        let before = {
            let mut before = self.before.lock();
            match before.get(&undo.policy) {
                Some(it) if it.id == undo.id => before.remove(&undo.policy)?,
                _ => return None,
            }
        };
        let policy = undo.policy.clone();
        let command = match before.generation {
            Some(generation) => Command::RollBack {
                policy,
                generation: Some(generation),
            },
            None => Command::Withdraw { policy },
        };
        let error = self.control.ask(command).await.err()?;
        Some(error.to_string())
    }

    /// Follows what is wanted until the process ends.
    pub(super) async fn follow(self: Arc<Self>, nats: Arc<Nats>) {
        let mut state = nats.watch();
        loop {
            let is_connected = state.borrow_and_update().is_connected;
            if is_connected {
                self.follow_all().await;
                self.has_looked.store(true, Ordering::Relaxed);
            }
            let pause = match self.failing.lock().is_empty() {
                true => SOMETIMES,
                false => AGAIN,
            };
            tokio::select! {
                () = self.look.notified() => {}
                changed = state.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(pause), if is_connected => {}
            }
        }
    }

    async fn follow_all(&self) {
        let Ok(all) = self.vault.all().await else {
            // It is looked at again soon, and readiness says so if there is no connection.
            return;
        };
        let mut failing = Vec::new();
        for (wanted, revision) in all {
            if let Err(reason) = self.follow_one(&wanted, revision).await {
                let is_news = !self
                    .failing()
                    .iter()
                    .any(|(name, _)| *name == wanted.policy);
                if is_news {
                    self.said(&wanted, Some(&reason));
                }
                failing.push((wanted.policy, reason));
            }
        }
        *self.failing.lock() = failing;
    }

    async fn follow_one(&self, wanted: &Wanted, revision: u64) -> Result<(), String> {
        // What is being rolled out is asked for by the node that does it.
        let Some(release) = wanted.current.as_ref().filter(|_| wanted.pending.is_none()) else {
            return Ok(());
        };
        let followed = self.followed.lock().get(&wanted.policy).copied();
        if followed.is_some_and(|followed| followed >= revision) {
            return Ok(());
        }
        let serves = (self.serving)(&wanted.policy);
        if serves.is_none_or(|(_, digest)| digest != release.digest) {
            let load = Load {
                policy: wanted.policy.clone(),
                release: release.clone(),
            };
            if let Some(reason) = self.load(&load, None).await.reason {
                return Err(reason);
            }
            self.said(wanted, None);
        }
        self.is_done(&wanted.policy, revision);
        Ok(())
    }

    fn said(&self, wanted: &Wanted, reason: Option<&str>) {
        let digest = wanted.current.as_ref().map(|release| &*release.digest);
        RollOutFollowed {
            policy: &wanted.policy,
            digest: digest.unwrap_or_default(),
            node: &self.node,
            reason,
        }
        .emit();
    }
}

// === impl Loaded ===

impl Loaded {
    pub(super) fn failed(reason: String) -> Self {
        Self {
            reason: Some(reason),
            ..Self::default()
        }
    }

    pub(super) fn on(self, node: String) -> OnNode {
        OnNode {
            node,
            ok: self.reason.is_none(),
            generation: self.generation,
            version: self.version,
            reason: self.reason,
        }
    }
}
