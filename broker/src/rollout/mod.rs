//! Rolling a policy out to all nodes: the module is stored where all can fetch it, every node verifies, loads and
//! reports, and it stays everywhere or nowhere. A node that comes later, or comes back, gets what is wanted by then.
//!
//! `vault` is where it is stored, `wanted` what is, `node` a node's part in it. Nothing here is on an event's path.

mod node;
mod vault;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::{RollOutRefusal, Rollouts};
use crate::cluster::Cluster;
use crate::moment::unix_millis;
use crate::nats::Nats;
use crate::plugin::{Control, Digest};
use crate::telemetry::events::{RollOutEnded, RollOutTidied};
use node::Loaded;
pub(crate) use node::Part;
use vault::{Vault, VaultError};
use wanted::{Release, Wanted};

/// What nodes ask each other under these names.
const LOAD: &str = "rollout.load";
const UNDO: &str = "rollout.undo";
const LOOK: &str = "rollout.look";

/// Every node has to have fetched and loaded a module by then. Less than an operator's request may take.
const LOADING: Duration = Duration::from_secs(25);

/// Going back needs no fetching.
const UNDOING: Duration = Duration::from_secs(15);

/// A release that is to be loaded now.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Load {
    policy: String,
    release: Release,
}

/// A release that is not to be served after all.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Undo {
    policy: String,
    id: String,
}

/// What became of a policy on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OnNode {
    pub node: String,
    /// Whether it serves what was asked for.
    pub ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of it everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "RollOutReport")]
pub(crate) struct Report {
    pub policy: String,
    pub digest: String,
    /// Of what is wanted.
    pub revision: u64,
    pub nodes: Vec<OnNode>,
}

/// What the cluster is to serve of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ClusterPolicy")]
pub(crate) struct Shown {
    pub revision: u64,
    #[serde(flatten)]
    pub wanted: Wanted,
}

/// The cluster's modules.
pub(crate) struct Rollout {
    cluster: Arc<Cluster>,
    vault: Arc<Vault>,
    part: Arc<Part>,
}

impl Rollout {
    /// Begins to follow what is wanted, until the process ends.
    pub(crate) fn start(
        name: &str,
        cluster: Arc<Cluster>,
        nats: Arc<Nats>,
        control: Control,
        serving: impl Fn(&str) -> Option<(u64, String)> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let vault = Arc::new(Vault::new(Arc::clone(&nats), name));
        let part = Part::new(
            cluster.id().to_string(),
            Arc::clone(&vault),
            control,
            Box::new(serving),
        );
        part.listen(&cluster);
        tokio::spawn(Arc::clone(&part).follow(nats));
        Arc::new(Self {
            cluster,
            vault,
            part,
        })
    }

    /// Why this node does not serve all that is wanted, by policy.
    pub(crate) fn failing(&self) -> Vec<(String, String)> {
        self.part.failing()
    }

    /// Whether this node knows what is wanted. Until then it serves what its files ask for.
    pub(crate) fn has_looked(&self) -> bool {
        self.part.has_looked()
    }

    async fn push(
        &self,
        policy: &str,
        module: Bytes,
        signature: Option<String>,
        by: Option<String>,
    ) -> Result<Report, RollOutRefusal> {
        let digest = Digest::of(&module).to_string();
        let (before, revision) = self.vault.wanted(policy).await?;
        if let Some(other) = before.under_way(unix_millis()) {
            return Err(RollOutRefusal::Conflict(format!(
                "{} is being rolled out by node {}",
                other.digest, other.node
            )));
        }
        self.vault.put(&digest, &module).await?;
        let release = Release {
            id: format!("{:016x}", rand::random::<u64>()),
            digest: digest.clone(),
            signature,
            by,
            node: self.cluster.id().to_string(),
            at_ms: unix_millis(),
        };
        let begun = before.begun(policy, &release);
        let revision = self.vault.swap(&begun, revision).await?;
        let nodes = self.load_everywhere(policy, &release, module).await;
        let mut report = Report {
            policy: policy.to_owned(),
            digest,
            revision,
            nodes,
        };
        if report.nodes.iter().all(|node| node.ok) {
            match self.vault.swap(&begun.completed(), revision).await {
                Ok(revision) => {
                    report.revision = revision;
                    self.part.is_done(policy, revision);
                    self.cluster.tell(LOOK, &policy);
                    return Ok(report);
                }
                Err(error) => {
                    let why = Loaded::failed(format!("it could not be written down: {error}"));
                    report.nodes.push(why.on(self.cluster.id().to_string()));
                }
            }
        }
        self.undo_everywhere(policy, &release, &mut report).await;
        // Where this fails too, the attempt is over after a while.
        if let Ok(revision) = self.vault.swap(&begun.given_up(), revision).await {
            report.revision = revision;
            self.part.is_done(policy, revision);
        }
        Err(RollOutRefusal::Incomplete(report))
    }

    async fn load_everywhere(&self, policy: &str, release: &Release, module: Bytes) -> Vec<OnNode> {
        let load = Load {
            policy: policy.to_owned(),
            release: release.clone(),
        };
        let others = self.cluster.survey::<Loaded>(LOAD, &load, LOADING);
        let own = self.part.load(&load, Some(module));
        let (survey, own) = tokio::join!(others, own);
        let mut nodes = vec![own.on(self.cluster.id().to_string())];
        for (node, loaded) in survey.answers {
            nodes.push(loaded.on(node.to_string()));
        }
        for node in survey.silent {
            let why = format!("there was no answer within {} s", LOADING.as_secs());
            nodes.push(Loaded::failed(why).on(node.to_string()));
        }
        nodes
    }

    /// Has every node go back that has loaded it, and notes where that failed.
    async fn undo_everywhere(&self, policy: &str, release: &Release, report: &mut Report) {
        let undo = Undo {
            policy: policy.to_owned(),
            id: release.id.clone(),
        };
        let others = self.cluster.survey::<Option<String>>(UNDO, &undo, UNDOING);
        let own = self.part.undo(&undo);
        let (survey, own) = tokio::join!(others, own);
        let id = self.cluster.id().to_string();
        let mut undone = vec![(id, own)];
        let answers = survey.answers.into_iter();
        undone.extend(answers.map(|(node, failure)| (node.to_string(), failure)));
        for (name, failure) in undone {
            let Some(on) = report.nodes.iter_mut().find(|it| it.node == name) else {
                continue;
            };
            if on.ok {
                on.ok = false;
                on.generation = None;
                on.reason = Some(match failure {
                    None => "it loaded, and went back because others did not".to_owned(),
                    Some(why) => format!("it loaded, and could not go back: {why}"),
                });
            }
        }
    }

    async fn withdraw(&self, policy: &str) -> Result<u64, RollOutRefusal> {
        let (before, revision) = self.vault.wanted(policy).await?;
        if let Some(other) = before.under_way(unix_millis()) {
            return Err(RollOutRefusal::Conflict(format!(
                "{} is being rolled out by node {}",
                other.digest, other.node
            )));
        }
        if before.current.is_none() {
            return Err(RollOutRefusal::Unknown(policy.to_owned()));
        }
        let revision = self.vault.swap(&before.withdrawn(), revision).await?;
        self.part.is_done(policy, revision);
        // Whoever could not load it need not try any more.
        self.part.look();
        self.cluster.tell(LOOK, &policy);
        Ok(revision)
    }

    /// Deletes modules that nobody needs any more. What fails is tried again after the next roll-out.
    async fn tidy(&self) {
        let tidied = self.vault.tidy().await;
        let reason = tidied.as_ref().err().map(ToString::to_string);
        RollOutTidied {
            deleted: tidied.as_deref().unwrap_or_default(),
            reason: reason.as_deref(),
        }
        .emit();
    }

    async fn list(&self) -> Result<Vec<Shown>, RollOutRefusal> {
        let all = self.vault.all().await?;
        let shown = |(wanted, revision)| Shown { revision, wanted };
        Ok(all.into_iter().map(shown).collect())
    }
}

impl Rollouts for Rollout {
    fn push(
        self: Arc<Self>,
        policy: String,
        module: Bytes,
        signature: Option<String>,
        by: Option<String>,
    ) -> BoxFuture<'static, Result<Report, RollOutRefusal>> {
        let work = tokio::spawn(async move {
            let done = Self::push(&self, &policy, module, signature, by.clone()).await;
            RollOutEnded {
                policy: &policy,
                by: by.as_deref(),
                refusal: done.as_ref().err().map(ToString::to_string).as_deref(),
            }
            .emit();
            if done.is_ok() {
                tokio::spawn(async move { self.tidy().await });
            }
            done
        });
        Box::pin(async move {
            let ended = |_| RollOutRefusal::Unavailable("the node is shutting down".to_owned());
            work.await.unwrap_or_else(|error| Err(ended(error)))
        })
    }

    fn withdraw(&self, policy: String) -> BoxFuture<'_, Result<u64, RollOutRefusal>> {
        Box::pin(async move { Self::withdraw(self, &policy).await })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Shown>, RollOutRefusal>> {
        Box::pin(Self::list(self))
    }
}

impl From<VaultError> for RollOutRefusal {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Conflict => {
                Self::Conflict("another module is being rolled out at this moment".to_owned())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
