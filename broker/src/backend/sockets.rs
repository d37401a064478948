//! Sockets, rooms and namespaces, as back ends and operators see and move them. Everything is looked at and done by the
//! sockets' own reactors, and what one answer holds is bounded.

mod here;
mod what;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, oneshot};

use super::present::MAX_ASKING;
use crate::cluster::{Cluster, Others};
use crate::session::Broker;
pub(crate) use what::*;

/// Of this node.
pub(crate) struct Sockets {
    pub(super) broker: Arc<Broker>,
    node: Arc<str>,
    pub(super) others: Others,
    pub(super) asking: Semaphore,
}

/// Rooms of a namespace that are to be counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Count {
    namespace: String,
    names: Vec<Arc<str>>,
}

/// How many sockets a node has of each.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Counted {
    node: String,
    counts: Vec<u64>,
}

impl Sockets {
    pub(crate) fn new(broker: Arc<Broker>, node: &str) -> Self {
        Self {
            broker,
            node: node.into(),
            others: Others::default(),
            asking: Semaphore::new(MAX_ASKING),
        }
    }

    /// Asks these others from now on, and answers them.
    pub(crate) fn are_among(self: &Arc<Self>, cluster: Arc<Cluster>, patience: Duration) {
        let it = self.clone();
        cluster.when_gone(move |node| it.broker.tell_gone(&node.to_string()));
        self.others.are(cluster, patience);
        let it = self.clone();
        self.others.answer("sockets", move |filter| {
            let it = it.clone();
            Box::pin(async move { it.list_here(filter).await })
        });
        let it = self.clone();
        self.others.answer("present", move |question| {
            let it = it.clone();
            Box::pin(async move { it.present_here(question).await })
        });
        let it = self.clone();
        self.others.answer("rooms", move |filter| {
            let it = it.clone();
            Box::pin(async move { it.names_here(filter).await })
        });
        let it = self.clone();
        self.others.answer("count", move |count| {
            let it = it.clone();
            Box::pin(async move { it.count_here(count).await })
        });
        let it = self.clone();
        self.others.answer("namespaces", move |()| {
            let it = it.clone();
            Box::pin(async move { it.namespaces_here() })
        });
        let it = self.clone();
        self.others.answer("steer", move |steer| {
            let it = it.clone();
            Box::pin(async move { it.steer_here(steer).await })
        });
    }

    /// Sockets of all nodes, or of one.
    pub(crate) async fn list(
        &self,
        filter: SocketFilter,
        node: Option<String>,
    ) -> Listed<SocketInfo> {
        let limit = filter.limit;
        let mut listed = Listed::cut(Vec::new(), limit);
        if node.as_ref().is_none_or(|node| **node == *self.node) {
            listed.add(self.list_here(filter.clone()).await);
        }
        if node.as_ref().is_none_or(|node| **node != *self.node) {
            let elsewhere = self.others.ask("sockets", &filter, Duration::ZERO).await;
            elsewhere.answers.into_iter().for_each(|it| listed.add(it));
            listed.silent.extend(elsewhere.silent);
        }
        if let Some(node) = node {
            listed.items.retain(|socket| socket.node == node);
            listed.silent.retain(|silent| *silent == node);
        }
        in_order(&mut listed.items);
        listed.cut_to(limit)
    }

    /// Rooms of a namespace, over all nodes.
    pub(crate) async fn rooms(&self, mut filter: RoomFilter) -> Listed<RoomInfo> {
        loop {
            let (page, last) = self.page_of_rooms(&filter).await;
            // All of them have become empty meanwhile: there is still something behind them.
            match last {
                Some(last) if page.items.is_empty() && page.truncated => filter.after = Some(last),
                _ => return page,
            }
        }
    }

    /// And the name that it ends with.
    async fn page_of_rooms(&self, filter: &RoomFilter) -> (Listed<RoomInfo>, Option<String>) {
        // Twice around: a room's members are counted everywhere or not at all.
        let here = self.names_here(filter.clone());
        let elsewhere = self.others.ask("rooms", filter, Duration::ZERO);
        let (mut names, elsewhere) = tokio::join!(here, elsewhere);
        elsewhere.answers.into_iter().for_each(|it| names.add(it));
        names.items.sort_unstable();
        names.items.dedup();
        let names = names.cut_to(filter.limit);
        let last = names.items.last().map(ToString::to_string);
        let count = Count {
            namespace: filter.namespace.clone(),
            names: names.items,
        };
        let here = self.count_here(count.clone());
        let others = self.others.ask("count", &count, Duration::ZERO);
        let (here, others) = tokio::join!(here, others);
        let mut silent = elsewhere.silent;
        silent.extend(others.silent);
        silent.sort_unstable();
        silent.dedup();
        let page = Listed {
            items: add_up(&count.names, others.answers.into_iter().chain([here])),
            truncated: names.truncated,
            silent,
        };
        (page, last)
    }

    /// Namespaces that have sockets, over all nodes.
    pub(crate) async fn namespaces(&self) -> Listed<NamespaceCensus> {
        let others = self
            .others
            .ask::<Vec<NamespaceCensus>>("namespaces", &(), Duration::ZERO);
        let others = others.await;
        let mut all = BTreeMap::<String, NamespaceCensus>::new();
        let each = others
            .answers
            .into_iter()
            .flatten()
            .chain(self.namespaces_here());
        for its in each {
            match all.entry(its.path.clone()) {
                Entry::Vacant(entry) => _ = entry.insert(its),
                Entry::Occupied(mut entry) => {
                    let sum = entry.get_mut();
                    sum.connections += its.connections;
                    sum.nodes.extend(its.nodes);
                }
            }
        }
        Listed {
            items: all.into_values().collect(),
            truncated: false,
            silent: others.silent,
        }
    }

    /// Has sockets do something, on all nodes.
    pub(crate) async fn steer(&self, steer: Steer) -> Result<Steered, SteerError> {
        if self.broker.ending.load(Ordering::Relaxed) {
            return Err(SteerError::Draining);
        }
        let namespace = &steer.whom.namespace;
        if self.broker.pipelines.load().at(namespace).is_none() {
            return Err(SteerError::UnknownNamespace);
        }
        // They wait for each other's word on joins.
        let longer = self.others.patience();
        let elsewhere = self.others.ask::<Steered>("steer", &steer, longer);
        let (mut steered, elsewhere) = tokio::join!(self.steer_here(steer.clone()), elsewhere);
        for its in elsewhere.answers {
            steered.sockets += its.sockets;
            steered.refused += its.refused;
        }
        steered.silent = elsewhere.silent;
        Ok(steered)
    }
}

/// The order of lists, which is that of [`SocketKey`]: times that are written alike are in order as texts.
fn in_order(sockets: &mut [SocketInfo]) {
    sockets.sort_by(|a, b| (&a.namespace, &a.since, &a.id).cmp(&(&b.namespace, &b.since, &b.id)));
}

/// What all nodes have of these rooms.
fn add_up(names: &[Arc<str>], counted: impl Iterator<Item = Counted>) -> Vec<RoomInfo> {
    let empty = |name: &Arc<str>| RoomInfo {
        name: name.to_string(),
        sockets: 0,
        nodes: BTreeMap::new(),
    };
    let mut rooms: Vec<_> = names.iter().map(empty).collect();
    for Counted { node, counts } in counted {
        for (room, sockets) in rooms.iter_mut().zip(counts) {
            if sockets > 0 {
                room.sockets += sockets;
                room.nodes.insert(node.clone(), sockets);
            }
        }
    }
    // It may have become empty meanwhile.
    rooms.retain(|room| room.sockets > 0);
    rooms
}
