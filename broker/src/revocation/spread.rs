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
        self.others.are(cluster.clone(), patience);
        let it = self.clone();
        self.others.answer(NEW, move |entry: Entry| {
            let it = it.clone();
            Box::pin(async move {
                let sockets = it.learn(vec![entry]).await.sockets;
                Ended { sockets }
            })
        });
        let it = self.clone();
        self.others.answer(ALL, move |()| {
            Box::pin(std::future::ready(it.table().all(unix_millis())))
        });
        let it = self.clone();
        self.others.hear(ALL, move |from, theirs: Digest| {
            if theirs.digest != it.table().digest() {
                *it.spread.differs.lock() = Some((from, theirs.digest));
            }
        });
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
            if !self.others.any() {
                continue;
            }
            let digest = self.table().digest();
            self.others.tell(ALL, || Some(Digest { digest }));
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
        let others = &self.others;
        let answers: Vec<Vec<Entry>> = match of {
            Some(node) => Vec::from_iter(others.ask_one(node, ALL, &()).await),
            None => others.ask(ALL, &(), Duration::ZERO).await.answers,
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
        let is_heard = self.others.hear_this_node();
        let heard = self.others.ask::<Ended>(NEW, entry, Duration::ZERO).await;
        Told {
            entry: entry.clone(),
            sockets: heard.answers.iter().map(|it| it.sockets).sum(),
            is_heard,
            silent: heard.silent,
        }
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
