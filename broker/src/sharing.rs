//! Carries what nodes share of the state of policies: what [`Gossip`] says to the other nodes, and what they say to it.
//! Runs on the control runtime. Nothing on an event's path waits for it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::config;
use crate::fanout::nodes::NodeId;
use crate::nats::Nats;
use crate::state::{Chunk, From, Gossip, Heard, Millis, News, Partition, Seen, Store, Terms};
use crate::telemetry::events::{StateCaughtUp, StateForgotten, StateMissed};
use crate::telemetry::metrics::metrics;

/// What nodes tell each other, and ask each other, under this name.
const TOPIC: &str = "state";

/// How far the nodes' knowledge of each other lags behind.
const TELL: Duration = Duration::from_millis(100);

/// A node that has heard of no other for so long is alone, and has all there is.
const ALONE: Duration = Duration::from_secs(10);

/// A question is answered by one node, which has it in memory.
const PATIENCE: Duration = Duration::from_secs(2);

/// Nodes that are asked before a node goes on with what it has.
const ASKED: usize = 3;

/// Parts of an answer: as many as the largest state there may be takes.
const CHUNKS: usize = 16_384;

/// Between two times that a node asks for what it has missed.
const BETWEEN: Duration = Duration::from_secs(2);

/// The node's part in it.
pub(crate) struct Sharing {
    cluster: Arc<Cluster>,
    nats: Arc<Nats>,
    gossip: Gossip,
    /// A node that was not heard completely.
    missed: Mutex<Option<NodeId>>,
}

impl Sharing {
    /// Begins to listen, and to tell until the process ends.
    pub(crate) fn start(
        config: &config::Cluster,
        cluster: Arc<Cluster>,
        nats: Arc<Nats>,
        store: Arc<Store>,
    ) -> Arc<Self> {
        let terms = Terms {
            partition: match config.partition {
                config::Partition::Divide => Partition::Divide,
                config::Partition::Full => Partition::Full,
            },
            missing: config.missing_timeout,
        };
        let sharing = Arc::new(Self {
            gossip: Gossip::new(&cluster.id().to_string(), store, terms),
            cluster,
            nats,
            missed: Mutex::default(),
        });
        sharing.look();
        sharing.listen();
        tokio::spawn(Arc::clone(&sharing).talk());
        sharing
    }

    /// Tells the others that this node's part is theirs from now on.
    pub(crate) fn leave(&self) {
        self.tell_news();
        self.cluster.tell(TOPIC, &self.gossip.farewell());
    }

    fn listen(self: &Arc<Self>) {
        let listener = Arc::clone(self);
        self.cluster.hear(TOPIC, move |from, news: News| {
            let node = from.to_string();
            metrics().sharing.heard.inc();
            let Heard { missed } = listener.gossip.hear(&node, news, Millis::now());
            if missed > 0 {
                StateMissed {
                    node: &node,
                    messages: missed,
                }
                .emit();
                *listener.missed.lock() = Some(from);
            }
        });
        let asked = Arc::clone(self);
        self.cluster.answer(TOPIC, move |_, question: From| {
            // An earlier version asks everyone, and means one.
            let chunk = match question.of == asked.cluster.id().to_string() {
                true => asked.gossip.chunk(&question, Millis::now()),
                false => Chunk::default(),
            };
            Box::pin(std::future::ready(chunk))
        });
    }

    async fn talk(self: Arc<Self>) {
        let mut tick = tokio::time::interval(TELL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut connections = 0;
        let mut alone_since = None;
        let mut asked_at = None;
        loop {
            tick.tick().await;
            let others = self.look();
            let state = self.nats.state();
            if !self.is_connected() {
                self.gossip.settle(false);
                alone_since = None;
                continue;
            }
            if state.connections != connections {
                connections = state.connections;
                self.gossip.settle(false);
                alone_since = None;
            }
            if others == 0 {
                let since = *alone_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= ALONE {
                    self.gossip.settle(true);
                    // Whoever comes asks for all of it.
                    drop(self.gossip.news(Millis::now()));
                }
                continue;
            }
            alone_since = None;
            if !self.gossip.is_settled() {
                self.catch_up().await;
                self.gossip.settle(true);
            }
            self.tell_news();
            let may_ask = asked_at.is_none_or(|at: Instant| at.elapsed() >= BETWEEN);
            let missed = may_ask.then(|| self.missed.lock().take()).flatten();
            if let Some(node) = missed {
                asked_at = Some(Instant::now());
                self.take_over(node, false).await;
            }
        }
    }

    /// Takes note of who is there, and says how many others.
    fn look(&self) -> usize {
        let others = self.cluster.others().len();
        let seen = Seen {
            live: u32::try_from(others + 1).unwrap_or(u32::MAX),
            is_connected: self.is_connected(),
        };
        self.gossip.look(seen, Millis::now());
        others
    }

    /// A connection may be up and carry nothing.
    fn is_connected(&self) -> bool {
        self.nats.state().is_connected && self.cluster.is_heard()
    }

    fn tell_news(&self) {
        for news in self.gossip.news(Millis::now()) {
            metrics().sharing.told.inc();
            self.cluster.tell(TOPIC, &news);
        }
        let changes = self.gossip.forgotten();
        if changes > 0 {
            StateForgotten { changes }.emit();
        }
    }

    /// Asks those who have been there for longest for everything, until one has answered that has missed nothing.
    async fn catch_up(&self) {
        let mut others = self.cluster.others();
        others.sort_by_key(|other| other.vitals.started);
        for other in others.iter().take(ASKED) {
            if self.take_over(other.id, true).await {
                return;
            }
        }
    }

    /// Asks a node for everything; says whether it has answered to the end and missed nothing itself.
    async fn take_over(&self, node: NodeId, counts: bool) -> bool {
        let name = node.to_string();
        let mut entries = 0;
        let mut question = Some(From {
            of: name.clone(),
            ..From::default()
        });
        let mut is_settled = true;
        for _ in 0..CHUNKS {
            let Some(asked) = question.take() else {
                break;
            };
            let answer = self.cluster.ask::<Chunk>(node, TOPIC, &asked, PATIENCE);
            let Some(chunk) = answer.await else {
                return false;
            };
            is_settled &= chunk.is_settled;
            entries += chunk.entries.len();
            question = self.gossip.take_over(&asked, chunk, counts, Millis::now());
        }
        StateCaughtUp {
            node: &name,
            entries,
        }
        .emit();
        is_settled
    }
}
