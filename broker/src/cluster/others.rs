//! The other nodes of the cluster as a room that speaks to them knows them: who they are, and how long they are waited
//! for. A node that is alone has none, and asks nobody.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Cluster;
use crate::fanout::nodes::NodeId;

#[derive(Default)]
pub(crate) struct Others(OnceLock<(Arc<Cluster>, Duration)>);

/// What they said, and the names of those that said nothing in time.
pub(crate) struct Heard<A> {
    pub answers: Vec<A>,
    pub silent: Vec<String>,
}

impl Others {
    pub(crate) fn are(&self, cluster: Arc<Cluster>, patience: Duration) {
        // Said once, at start.
        let _ = self.0.set((cluster, patience));
    }

    /// Asks all of them. `longer`: what they need to answer at all.
    pub(crate) async fn ask<A: DeserializeOwned>(
        &self,
        topic: &'static str,
        question: &(impl Serialize + Sync),
        longer: Duration,
    ) -> Heard<A> {
        let Some((cluster, patience)) = self.0.get() else {
            return Heard {
                answers: Vec::new(),
                silent: Vec::new(),
            };
        };
        let survey = cluster.survey(topic, question, *patience + longer).await;
        Heard {
            answers: survey.answers.into_iter().map(|(_, it)| it).collect(),
            silent: survey.silent.iter().map(ToString::to_string).collect(),
        }
    }

    /// Asks one of them. `None`: it is not there, or has not answered in time.
    pub(crate) async fn ask_one<A: DeserializeOwned>(
        &self,
        node: NodeId,
        topic: &'static str,
        question: &(impl Serialize + Sync),
    ) -> Option<A> {
        let (cluster, patience) = self.0.get()?;
        cluster.ask(node, topic, question, *patience).await
    }

    /// Answers them, once it is known who they are.
    pub(crate) fn answer<Q: DeserializeOwned, A: Serialize + 'static>(
        &self,
        topic: &'static str,
        answer: impl Fn(Q) -> BoxFuture<'static, A> + Send + Sync + 'static,
    ) {
        if let Some((cluster, _)) = self.0.get() {
            cluster.answer(topic, move |_, question| answer(question));
        }
    }

    /// Tells them something, if there are any; it may be lost. `None`: there is nothing to tell.
    pub(crate) fn tell<N: Serialize>(&self, topic: &'static str, news: impl FnOnce() -> Option<N>) {
        if let Some((cluster, _)) = self.0.get()
            && let Some(news) = news()
        {
            cluster.tell(topic, &news);
        }
    }

    /// Hears what they tell, and which of them, once it is known who they are.
    pub(crate) fn hear<N: DeserializeOwned>(
        &self,
        topic: &'static str,
        hear: impl Fn(NodeId, N) + Send + Sync + 'static,
    ) {
        if let Some((cluster, _)) = self.0.get() {
            cluster.hear(topic, hear);
        }
    }

    /// Whether any of them lives.
    pub(crate) fn any(&self) -> bool {
        let cluster = self.0.get();
        cluster.is_some_and(|(cluster, _)| !cluster.others().is_empty())
    }

    /// Whether what this node sends comes back; `None`: there is nobody to send anything to.
    pub(crate) fn hear_this_node(&self) -> Option<bool> {
        self.0.get().map(|(cluster, _)| cluster.is_heard())
    }

    pub(crate) fn patience(&self) -> Duration {
        self.0
            .get()
            .map_or(Duration::ZERO, |(_, patience)| *patience)
    }
}
