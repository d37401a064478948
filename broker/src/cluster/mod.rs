//! Other nodes: who they are, what they have members of, and the way to them.
//!
//! A node sends the events for another one's sockets to it alone, and only what it has members for: each tells all
//! others which rooms it has members of (`fanout::nodes::interest`), and they acknowledge it. `members` keeps what is
//! known of the others, `control` is the conversation of the nodes, in `letter`s, `events` sends and takes the events
//! (`joining` puts together what comes in parts), `survey` asks all nodes, or one, a question, and `others` is how other rooms do so. All of it runs beside the events' path; what an event meets is the directory and the outbox of
//! `crate::fanout`. The network is a `link`.

mod control;
mod events;
mod joining;
mod letter;
mod link;
mod members;
mod nats;
mod others;
mod sending;
mod survey;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, mpsc};

use crate::config;
use crate::fanout::Fanout;
use crate::fanout::nodes::{NodeId, Nodes};
use crate::telemetry::metrics::metrics;
pub(crate) use letter::Vitals;
use letter::{Beat, Body, Letter};
use link::{Link, To};
use members::Members;
pub(crate) use others::Others;
pub(crate) use survey::Survey;
use survey::{Answers, Expected, Topics};

/// Letters that wait for the way to other nodes. They are small, and what does not fit is noticed by those who wait
/// for it: acknowledgements, answers and signs of life all come again or have a deadline.
const MAX_LETTERS: usize = 4096;

/// A connection that takes nothing for so long is none.
const SEND: Duration = Duration::from_secs(2);

pub(crate) struct Cluster {
    id: NodeId,
    config: config::Cluster,
    link: Arc<dyn Link>,
    fanout: Arc<Fanout>,
    nodes: Arc<Nodes>,
    members: Mutex<Members>,
    /// What this node says about itself.
    vitals: Box<dyn Fn() -> Vitals + Send + Sync>,
    letters: mpsc::Sender<(To, Bytes)>,
    topics: Topics,
    answers: Answers,
    /// When this node last heard itself.
    echo: Mutex<Instant>,
    changed: Notify,
    /// Who is told of a node that dies.
    mourner: OnceLock<Box<dyn Fn(NodeId) + Send + Sync>>,
    is_leaving: AtomicBool,
}

/// Another node, as operators see it.
#[derive(Debug, Clone)]
pub(crate) struct NodeStatus {
    pub id: NodeId,
    /// How long ago it gave a sign of life.
    pub heard: Duration,
    pub vitals: Vitals,
}

impl Cluster {
    /// Begins to look for other nodes, and goes on as long as the process lives. `vitals` is asked at each sign of life.
    pub(crate) fn start(
        id: NodeId,
        config: &config::Cluster,
        link: impl Link,
        fanout: Arc<Fanout>,
        nodes: Arc<Nodes>,
        vitals: impl Fn() -> Vitals + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (letters, outgoing) = mpsc::channel(MAX_LETTERS);
        let cluster = Arc::new(Self {
            id,
            config: config.clone(),
            link: Arc::new(link),
            fanout,
            nodes,
            members: Mutex::default(),
            vitals: Box::new(vitals),
            letters,
            topics: Topics::default(),
            answers: Answers::default(),
            echo: Mutex::new(Instant::now()),
            changed: Notify::new(),
            mourner: OnceLock::new(),
            is_leaving: AtomicBool::new(false),
        });
        metrics().cluster.nodes.set(1);
        tokio::spawn(control::send(cluster.clone(), outgoing));
        tokio::spawn(control::tell_rooms(cluster.clone()));
        tokio::spawn(control::beat(cluster.clone()));
        tokio::spawn(sending::send(cluster.clone()));
        tokio::spawn(control::take(cluster.clone()));
        cluster
    }

    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    /// Every other live node.
    pub(crate) fn others(&self) -> Vec<NodeStatus> {
        let now = Instant::now();
        let members = self.members.lock();
        let status = |(id, other): (NodeId, &members::Other)| NodeStatus {
            id,
            heard: now.duration_since(other.heard),
            vitals: other.vitals.clone(),
        };
        members.each().map(status).collect()
    }

    /// Has a node that has died told of: not one that has left, whose sockets have ended before.
    pub(crate) fn when_gone(&self, tell: impl Fn(NodeId) + Send + Sync + 'static) {
        // Said once, at start.
        let _ = self.mourner.set(Box::new(tell));
    }

    /// Whether what is sent comes back: a connection may be up and carry nothing.
    pub(crate) fn is_heard(&self) -> bool {
        self.echo.lock().elapsed() < self.config.heartbeat * 3
    }

    /// Ends when this node knows who else is there and what they have, or after `patience`.
    pub(crate) async fn settled(&self, patience: Duration) {
        let settled = async {
            let before = Instant::now();
            while *self.echo.lock() < before {
                self.changed.notified().await;
            }
            // Others have been asked to say that they are there.
            tokio::time::sleep(SETTLING).await;
            while !self.members.lock().are_known() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(patience, settled).await;
    }

    /// Asks all other live nodes; ends when all have answered, or when `patience` is over.
    pub(crate) async fn survey<A: DeserializeOwned>(
        &self,
        topic: &'static str,
        question: &(impl Serialize + Sync),
        patience: Duration,
    ) -> Survey<A> {
        let others: Vec<_> = self.members.lock().ids().collect();
        let answers = self.question(To::All, others, topic, question);
        answers.collect(patience).await
    }

    /// Asks one other node. `None`: it is not there, or has not answered in time.
    pub(crate) async fn ask<A: DeserializeOwned>(
        &self,
        node: NodeId,
        topic: &'static str,
        question: &(impl Serialize + Sync),
        patience: Duration,
    ) -> Option<A> {
        let is_there = self.members.lock().ids().any(|it| it == node);
        if !is_there {
            return None;
        }
        let answer = self.question(To::Node(node), vec![node], topic, question);
        let Survey { mut answers, .. } = answer.collect(patience).await;
        answers.pop().map(|(_, answer)| answer)
    }

    fn question(
        &self,
        to: To,
        asked: Vec<NodeId>,
        topic: &'static str,
        question: &impl Serialize,
    ) -> Expected {
        let (id, answers) = self.answers.expect(asked);
        let question = rmp_serde::to_vec_named(question).unwrap_or_default();
        self.post(
            to,
            Body::Ask {
                id,
                topic: topic.to_owned(),
                question: question.into(),
            },
        );
        answers
    }

    /// Says something to all others; not acknowledged, may be lost.
    pub(crate) fn tell(&self, topic: &'static str, news: &impl Serialize) {
        let news = rmp_serde::to_vec_named(news).unwrap_or_default();
        self.post(
            To::All,
            Body::News {
                topic: topic.to_owned(),
                news: news.into(),
            },
        );
    }

    /// This node leaves: others are told once what waits for them is sent, or after `patience`.
    pub(crate) async fn leave(&self, patience: Duration) {
        let sent = async {
            while !self.nodes.outbox.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            self.nodes.outbox.mark();
            while !self.nodes.outbox.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // Its last word: a sign of life after it would bring the node back.
            self.is_leaving.store(true, Ordering::Release);
            self.post(To::All, Body::Bye);
            while self.letters.capacity() < MAX_LETTERS {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            self.link.flush().await;
        };
        let _ = tokio::time::timeout(patience, sent).await;
    }

    fn letter(&self, body: Body) -> Option<Bytes> {
        Letter {
            from: self.id,
            body,
        }
        .write()
    }

    /// Puts a letter on its way. What finds no room is counted and lost: whoever waits for it asks again.
    fn post(&self, to: To, body: Body) {
        if matches!(body, Body::Beat(_)) && self.is_leaving.load(Ordering::Acquire) {
            return;
        }
        let posted = self
            .letter(body)
            .map(|letter| self.letters.try_send((to, letter)));
        if !matches!(posted, Some(Ok(()))) {
            metrics().cluster.letters_lost.inc();
        }
    }

    /// `owed`: whoever is told is to say what it knows of this node's rooms.
    fn beat(&self, hello: bool, owed: bool) -> Body {
        Body::Beat(Box::new(Beat {
            hello,
            owed,
            wire: crate::fanout::nodes::READS,
            rooms_version: self.nodes.interest.version(),
            vitals: (self.vitals)(),
        }))
    }
}

/// How long after its own word has come back a node waits for others to say that they are there.
const SETTLING: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests;
