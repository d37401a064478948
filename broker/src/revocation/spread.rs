//! How nodes come to know the same: a new word is asked of all, and what one has missed it asks for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use super::{Entry, Revocations};
use crate::admin::Told;
use crate::cluster::Cluster;
use crate::fanout::nodes::NodeId;
use crate::moment::unix_millis;
use crate::telemetry::events::{RevocationsLearned, RevocationsLost};
use crate::telemetry::metrics::metrics;

/// What nodes say and ask under these names.
const NEW: &str = "revoke";
const ALL: &str = "revocations";

/// How often a node says what it knows, and forgets what is over.
const TELL: Duration = Duration::from_secs(1);

/// A node whose answer has changed nothing is asked again after this, or when either knows something else.
const AGAIN: Duration = Duration::from_secs(30);

/// Nodes of which it is kept when they were asked last.
const MAX_ASKED: usize = 1024;

/// What is known of what others know.
#[derive(Default)]
pub(super) struct Spread {
    /// The last that knew something else, and its number.
    differs: Mutex<Option<(NodeId, u64)>>,
    /// With which number of theirs and of this node's they were asked, and when.
    asked: Mutex<HashMap<NodeId, (u64, u64, Instant)>>,
}

/// What a node knows, in a number.
#[derive(Debug, Serialize, Deserialize)]
struct Digest {
    digest: u64,
}

/// How many sockets a node has ended.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Ended {
    sockets: u64,
}

impl Revocations {
    /// Tells these others from now on, and hears them.
    pub(crate) fn are_among(self: &Arc<Self>, cluster: &Arc<Cluster>, patience: Duration) {
        let it = self.clone();
        cluster.answer(NEW, move |_, entry: Entry| {
            let it = it.clone();
            Box::pin(async move {
                let sockets = it.learn(vec![entry]).await.sockets;
                Ended { sockets }
            })
        });
        let it = self.clone();
        cluster.answer(ALL, move |_, ()| {
            Box::pin(std::future::ready(it.table().all(unix_millis())))
        });
        let it = self.clone();
        cluster.hear(ALL, move |from, theirs: Digest| {
            if theirs.digest != it.table().digest() {
                *it.spread.differs.lock() = Some((from, theirs.digest));
            }
        });
        // Said once, at start.
        let _ = self.cluster.set((cluster.clone(), patience));
    }

    /// Asks the other nodes for what they know, before there are clients.
    pub(crate) async fn catch_up(&self) {
        self.ask(None).await;
    }

    /// Forgets what is over, and sees to it that all nodes know the same. Never ends.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(TELL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.table().forget(unix_millis());
            let known = i64::try_from(self.table().len()).unwrap_or(i64::MAX);
            metrics().sessions.revocations.set(known);
            let Some((cluster, _)) = self.cluster.get() else {
                continue;
            };
            if cluster.others().is_empty() {
                continue;
            }
            let digest = self.table().digest();
            cluster.tell(ALL, &Digest { digest });
            let differs = self.spread.differs.lock().take();
            if let Some((node, theirs)) = differs.filter(|it| self.is_worth(*it)) {
                let ours = self.table().digest();
                if self.ask(Some(node)).await {
                    self.spread.note(node, (theirs, ours, Instant::now()));
                }
            }
        }
    }

    fn is_worth(&self, (node, theirs): (NodeId, u64)) -> bool {
        let ours = self.table().digest();
        let asked = self.spread.asked.lock();
        theirs != ours
            && asked
                .get(&node)
                .is_none_or(|(t, o, at)| (*t, *o) != (theirs, ours) || at.elapsed() >= AGAIN)
    }

    /// Asks a node, or all, for what they know. True: somebody answered.
    async fn ask(&self, of: Option<NodeId>) -> bool {
        let Some((cluster, patience)) = self.cluster.get() else {
            return false;
        };
        let answers: Vec<Vec<Entry>> = match of {
            Some(node) => {
                let answer = cluster.ask(node, ALL, &(), *patience).await;
                answer.into_iter().collect()
            }
            None => {
                let survey = cluster.survey(ALL, &(), *patience).await;
                survey.answers.into_iter().map(|(_, it)| it).collect()
            }
        };
        let is_answered = !answers.is_empty();
        let learned = self.learn(answers.concat()).await;
        if learned.entries > 0 {
            RevocationsLearned {
                entries: learned.entries,
                sockets: learned.sockets,
            }
            .emit();
        }
        is_answered
    }

    /// Takes what another node says, and ends whom it keeps out.
    async fn learn(&self, entries: Vec<Entry>) -> Learned {
        let now_ms = unix_millis();
        let mut lost = 0;
        let mut new = Vec::new();
        for entry in entries {
            match self.table().take(entry.clone(), now_ms) {
                Ok(true) => new.push(entry),
                Ok(false) => {}
                Err(_) => lost += 1,
            }
        }
        if lost > 0 {
            RevocationsLost { entries: lost }.emit();
        }
        Learned {
            entries: new.len(),
            sockets: self.end(new.into()).await,
        }
    }

    /// Has all other nodes know a new word.
    pub(super) async fn tell(&self, entry: &Entry) -> Told {
        let mut told = Told {
            entry: entry.clone(),
            sockets: 0,
            is_heard: None,
            silent: Vec::new(),
        };
        let Some((cluster, patience)) = self.cluster.get() else {
            return told;
        };
        told.is_heard = Some(cluster.is_heard());
        let survey = cluster.survey::<Ended>(NEW, entry, *patience).await;
        told.sockets = survey.answers.iter().map(|(_, it)| it.sockets).sum();
        told.silent = survey.silent.iter().map(ToString::to_string).collect();
        told
    }
}

/// What was new of it.
struct Learned {
    entries: usize,
    sockets: u64,
}

impl Spread {
    fn note(&self, node: NodeId, asked: (u64, u64, Instant)) {
        let mut all = self.asked.lock();
        if all.len() >= MAX_ASKED {
            all.clear();
        }
        all.insert(node, asked);
    }
}
