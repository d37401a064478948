//! Questions to all nodes, or to one, and who answers them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, mpsc};

use super::Cluster;
use super::letter::Body;
use super::link::To;
use crate::fanout::nodes::NodeId;

/// Bytes of a part of an answer: far below what a NATS server takes by default.
const PART: usize = 512 << 10;

/// Parts of one answer. Whoever answers bounds what they say long before.
const MAX_PARTS: u32 = 256;

/// Questions of others that are being answered at once; more have to wait for that.
const MAX_ANSWERING: usize = 64;

/// A question that is not answered by then is not waited for any more by anybody.
/// Clients have a minute to answer what one asks them.
const LONGEST: Duration = Duration::from_secs(65);

/// What came of a question.
#[derive(Debug)]
pub(crate) struct Survey<A> {
    /// Of each node that answered.
    pub answers: Vec<(NodeId, A)>,
    /// Those that did not, or could not.
    pub silent: Vec<NodeId>,
}

type Answer = Box<dyn Fn(NodeId, Bytes) -> Option<BoxFuture<'static, Vec<u8>>> + Send + Sync>;
type Hear = Box<dyn Fn(NodeId, Bytes) + Send + Sync>;

/// Who answers, and who listens.
pub(super) struct Topics {
    answer: RwLock<HashMap<&'static str, Arc<Answer>>>,
    hear: RwLock<HashMap<&'static str, Arc<Hear>>>,
    answering: Arc<Semaphore>,
}

/// By question, who takes the answers of the nodes. `None`: a node has none.
type Waiting = Arc<Mutex<HashMap<u64, mpsc::Sender<(NodeId, Option<Bytes>)>>>>;

/// Answers that are waited for.
#[derive(Default)]
pub(super) struct Answers {
    next: AtomicU64,
    waiting: Waiting,
    parts: Mutex<HashMap<(NodeId, u64), BTreeMap<u32, Bytes>>>,
}

/// Answers to one question.
pub(super) struct Expected {
    id: u64,
    asked: Vec<NodeId>,
    coming: mpsc::Receiver<(NodeId, Option<Bytes>)>,
    waiting: Waiting,
}

// === impl Topics ===

impl Default for Topics {
    fn default() -> Self {
        Self {
            answer: RwLock::default(),
            hear: RwLock::default(),
            answering: Arc::new(Semaphore::new(MAX_ANSWERING)),
        }
    }
}

impl Cluster {
    /// Who answers surveys of a topic, on the control runtime.
    pub(crate) fn answer<Q: DeserializeOwned, A: Serialize + 'static>(
        &self,
        topic: &'static str,
        handler: impl Fn(NodeId, Q) -> BoxFuture<'static, A> + Send + Sync + 'static,
    ) {
        let answer = move |from, question: Bytes| {
            let question = rmp_serde::from_slice(&question).ok()?;
            let answer = handler(from, question);
            let answer: BoxFuture<'static, Vec<u8>> =
                Box::pin(async move { rmp_serde::to_vec_named(&answer.await).unwrap_or_default() });
            Some(answer)
        };
        let answer: Answer = Box::new(answer);
        self.topics.answer.write().insert(topic, Arc::new(answer));
    }

    /// Who hears the news of a topic. Called where letters are read, so it does not take long.
    pub(crate) fn hear<N: DeserializeOwned>(
        &self,
        topic: &'static str,
        handler: impl Fn(NodeId, N) + Send + Sync + 'static,
    ) {
        let hear: Hear = Box::new(move |from, news| {
            if let Ok(news) = rmp_serde::from_slice(&news) {
                handler(from, news);
            }
        });
        self.topics.hear.write().insert(topic, Arc::new(hear));
    }

    pub(super) fn heard_news(&self, from: NodeId, topic: &str, news: Bytes) {
        let hear = self.topics.hear.read().get(topic).cloned();
        if let Some(hear) = hear {
            hear(from, news);
        }
    }

    /// Answers in a task of its own.
    pub(super) fn asked(self: &Arc<Self>, from: NodeId, id: u64, topic: &str, question: Bytes) {
        let answer = self.topics.answer.read().get(topic).cloned();
        let answer = answer.and_then(|answer| answer(from, question));
        let nothing = Body::Answer {
            id,
            part: 0,
            parts: 0,
            answer: Bytes::new(),
        };
        let (Some(answer), Ok(permit)) =
            (answer, self.topics.answering.clone().try_acquire_owned())
        else {
            // Who asks need not wait.
            return self.post(To::Node(from), nothing);
        };
        let cluster = self.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let answer = match tokio::time::timeout(LONGEST, answer).await {
                Ok(answer) if answer.len() <= PART * MAX_PARTS as usize => Bytes::from(answer),
                _ => return cluster.post(To::Node(from), nothing),
            };
            let parts = answer.len().div_ceil(PART).max(1);
            for part in 0..parts {
                let end = answer.len().min((part + 1) * PART);
                cluster.post(
                    To::Node(from),
                    Body::Answer {
                        id,
                        // There are a few hundred at the most.
                        part: u32::try_from(part).unwrap_or(u32::MAX),
                        parts: u32::try_from(parts).unwrap_or(u32::MAX),
                        answer: answer.slice(part * PART..end),
                    },
                );
            }
        });
    }
}

// === impl Answers ===

impl Answers {
    /// Begins to wait for the answers to a new question.
    pub(super) fn expect(&self, asked: Vec<NodeId>) -> (u64, Expected) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        // As many answers as nodes were asked, and parts are put together before.
        let (tell, coming) = mpsc::channel(asked.len().max(1));
        self.waiting.lock().insert(id, tell);
        let expected = Expected {
            id,
            asked,
            coming,
            waiting: self.waiting.clone(),
        };
        (id, expected)
    }

    /// A part of an answer has come.
    pub(super) fn answered(&self, from: NodeId, id: u64, part: (u32, u32), answer: Bytes) {
        let Some(tell) = self.waiting.lock().get(&id).cloned() else {
            self.parts.lock().retain(|(_, its), _| *its != id);
            return;
        };
        let (part, parts) = part;
        if parts == 0 || parts > MAX_PARTS || part >= parts {
            let _ = tell.try_send((from, None));
            return;
        }
        if parts == 1 {
            let _ = tell.try_send((from, Some(answer)));
            return;
        }
        let mut all = self.parts.lock();
        let its = all.entry((from, id)).or_default();
        its.insert(part, answer);
        if its.len() == parts as usize {
            let whole = all.remove(&(from, id)).unwrap_or_default();
            let whole: Vec<u8> = whole.into_values().flatten().collect();
            let _ = tell.try_send((from, Some(whole.into())));
        }
    }

    /// Parts of answers that nobody waits for any more.
    pub(super) fn forget(&self) {
        let waiting = self.waiting.lock();
        self.parts
            .lock()
            .retain(|(_, id), _| waiting.contains_key(id));
    }
}

// === impl Expected ===

impl Expected {
    pub(super) async fn collect<A: DeserializeOwned>(mut self, patience: Duration) -> Survey<A> {
        let mut survey = Survey {
            answers: Vec::new(),
            silent: std::mem::take(&mut self.asked),
        };
        let until = tokio::time::Instant::now() + patience;
        let mut unable = Vec::new();
        while !survey.silent.is_empty() {
            let Ok(Some((from, answer))) = tokio::time::timeout_at(until, self.coming.recv()).await
            else {
                break;
            };
            let Some(place) = survey.silent.iter().position(|node| *node == from) else {
                continue;
            };
            survey.silent.swap_remove(place);
            match answer.and_then(|answer| rmp_serde::from_slice(&answer).ok()) {
                Some(answer) => survey.answers.push((from, answer)),
                None => unable.push(from),
            }
        }
        survey.silent.append(&mut unable);
        survey.silent.sort_unstable();
        survey.answers.sort_by_key(|(node, _)| *node);
        survey
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.id);
    }
}
