//! What policies remember: shown of this node, dropped on all.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::admin::Cleared;
use crate::cluster::{Cluster, Others};
use crate::state::{Filter, Millis, Store};
use crate::telemetry::events::StateCleared;

/// What nodes ask each other under this name.
const CLEAR: &str = "state.clear";

/// Whose state is to be dropped, and how much of it.
#[derive(Debug, Serialize, Deserialize)]
struct Clear {
    policy: String,
    prefix: String,
    subject: Option<String>,
}

/// How much a node has dropped.
#[derive(Debug, Serialize, Deserialize)]
struct Dropped {
    /// `None`: it knows no such policy.
    removed: Option<u64>,
}

/// What policies remember here and elsewhere.
pub(super) struct State {
    store: Arc<Store>,
    others: Others,
}

impl State {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            others: Others::default(),
        }
    }

    /// Asks these others from now on, and answers them.
    pub(super) fn is_among(&self, cluster: Arc<Cluster>, patience: Duration) {
        self.others.are(cluster, patience);
        let store = self.store.clone();
        self.others.answer(CLEAR, move |clear: Clear| {
            let removed = clear_here(&store, &clear);
            Box::pin(std::future::ready(Dropped { removed }))
        });
    }

    /// `None`: no node that answered knows the policy.
    pub(super) async fn clear(&self, policy: &str, filter: &Filter) -> Option<Cleared> {
        let clear = Clear {
            policy: policy.to_owned(),
            prefix: filter.prefix.clone(),
            subject: filter.subject.as_ref().map(ToString::to_string),
        };
        let elsewhere = self.others.ask::<Dropped>(CLEAR, &clear, Duration::ZERO);
        let elsewhere = elsewhere.await;
        // Last, because until then others may have told of what they still had.
        let here = clear_here(&self.store, &clear);
        let answers = elsewhere.answers.iter().map(|it| it.removed);
        let removed = answers.chain([here]).flatten().reduce(|a, b| a + b)?;
        Some(Cleared {
            removed,
            silent: elsewhere.silent,
        })
    }
}

fn clear_here(store: &Store, clear: &Clear) -> Option<u64> {
    let subject = clear.subject.as_ref().map(|it| it.parse()).transpose();
    let filter = Filter {
        prefix: clear.prefix.clone(),
        // A subject that this version does not know is nobody's.
        subject: subject.ok()?,
    };
    let removed = store.find(&clear.policy)?.clear(&filter, Millis::now());
    StateCleared {
        policy: &clear.policy,
        prefix: &filter.prefix,
        subject: filter.subject.as_ref(),
        removed,
    }
    .emit();
    Some(removed as u64)
}
