//! The other nodes of the cluster, and how long they are waited for. A node that is alone has none.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;

#[derive(Default)]
pub(super) struct Others(OnceLock<(Arc<Cluster>, Duration)>);

/// What they said, and the names of those that said nothing in time.
pub(super) struct Heard<A> {
    pub answers: Vec<A>,
    pub silent: Vec<String>,
}

impl Others {
    pub(super) fn are(&self, cluster: Arc<Cluster>, patience: Duration) {
        // Said once, at start.
        let _ = self.0.set((cluster, patience));
    }

    /// Asks all of them. `longer`: what they need to answer at all.
    pub(super) async fn ask<A: DeserializeOwned>(
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

    /// Answers them, once it is known who they are.
    pub(super) fn answer<Q: DeserializeOwned, A: Serialize + 'static>(
        &self,
        topic: &'static str,
        answer: impl Fn(Q) -> BoxFuture<'static, A> + Send + Sync + 'static,
    ) {
        if let Some((cluster, _)) = self.0.get() {
            cluster.answer(topic, move |_, question| answer(question));
        }
    }

    /// Tells them something, if there are any; it may be lost. `None`: there is nothing to tell.
    pub(super) fn tell<N: Serialize>(&self, topic: &'static str, news: impl FnOnce() -> Option<N>) {
        if let Some((cluster, _)) = self.0.get()
            && let Some(news) = news()
        {
            cluster.tell(topic, &news);
        }
    }

    /// Hears what they tell, once it is known who they are.
    pub(super) fn hear<N: DeserializeOwned>(
        &self,
        topic: &'static str,
        hear: impl Fn(N) + Send + Sync + 'static,
    ) {
        if let Some((cluster, _)) = self.0.get() {
            cluster.hear(topic, move |_, news| hear(news));
        }
    }

    pub(super) fn patience(&self) -> Duration {
        self.0
            .get()
            .map_or(Duration::ZERO, |(_, patience)| *patience)
    }
}
