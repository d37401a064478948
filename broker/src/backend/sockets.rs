//! Sockets, rooms and namespaces, as back ends and operators see and move them. Everything is looked at and done by the
//! sockets' own reactors, and what one answer holds is bounded.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, oneshot};

use super::others::Others;
use super::present::MAX_ASKING;
use crate::cluster::Cluster;
use crate::event::hidden;
use crate::fanout::{Home, Member, Selection};
use crate::session::Broker;
use crate::telemetry::metrics::{DropReason, metrics};

/// What of the sockets somebody wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SocketFilter {
    /// `None`: all.
    #[serde(default)]
    pub namespace: Option<String>,
    #[serde(default)]
    pub room: Option<String>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub id: Option<String>,
    pub limit: usize,
}

/// A socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SocketInfo {
    pub id: String,
    pub namespace: String,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    #[serde(default)]
    pub rooms: Vec<String>,
    #[serde(default)]
    pub address: String,
    #[serde(default)]
    pub transport: String,
    #[serde(default)]
    pub since: String,
    pub node: String,
}

/// What of the rooms of a namespace somebody wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomFilter {
    pub namespace: String,
    #[serde(default)]
    pub prefix: String,
    pub limit: usize,
}

/// A room, or the part of it that one node has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomInfo {
    pub name: String,
    pub sockets: u64,
    #[serde(default)]
    pub nodes: BTreeMap<String, u64>,
}

/// A namespace, or the part of it that one node has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamespaceCensus {
    pub path: String,
    pub connections: u64,
    #[serde(default)]
    pub nodes: BTreeMap<String, NodeCensus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeCensus {
    pub connections: u64,
    pub rooms: u64,
}

/// A list that may have been cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed<T> {
    pub items: Vec<T>,
    pub truncated: bool,
    /// Nodes that have not answered: what they have is not in it.
    #[serde(default)]
    pub silent: Vec<String>,
}

/// Sockets, and what is to be done with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Steer {
    pub whom: Whom,
    pub what: Steering,
}

/// Sockets of a namespace: all, or those that are named in one of the ways.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Whom {
    pub namespace: String,
    #[serde(default)]
    pub rooms: Vec<String>,
    #[serde(default)]
    pub users: Vec<String>,
    #[serde(default)]
    pub except: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Steering {
    Join(Vec<String>),
    Leave(Vec<String>),
    Disconnect {
        /// With everything else that the client has on its connection.
        close: bool,
    },
}

/// How many sockets it was done with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Steered {
    pub sockets: u64,
    /// Joins that were not done, because the socket is in as many rooms as it may be.
    #[serde(default)]
    pub refused: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SteerError {
    #[error("no such namespace is served")]
    UnknownNamespace,
    #[error("this node is shutting down")]
    Draining,
}

impl SteerError {
    /// For programs: one word a cause.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::UnknownNamespace => "unknown_namespace",
            Self::Draining => "draining",
        }
    }
}

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
        listed
            .items
            .sort_by(|a, b| (&a.namespace, &a.since, &a.id).cmp(&(&b.namespace, &b.since, &b.id)));
        listed.cut_to(limit)
    }

    /// Rooms of a namespace, over all nodes.
    pub(crate) async fn rooms(&self, filter: RoomFilter) -> Listed<RoomInfo> {
        // Twice around: a room's members are counted everywhere or not at all.
        let here = self.names_here(filter.clone());
        let elsewhere = self.others.ask("rooms", &filter, Duration::ZERO);
        let (mut names, elsewhere) = tokio::join!(here, elsewhere);
        elsewhere.answers.into_iter().for_each(|it| names.add(it));
        names.items.sort_unstable();
        names.items.dedup();
        let names = names.cut_to(filter.limit);
        let count = Count {
            namespace: filter.namespace,
            names: names.items,
        };
        let here = self.count_here(count.clone());
        let others = self.others.ask("count", &count, Duration::ZERO);
        let (here, others) = tokio::join!(here, others);
        let mut silent = elsewhere.silent;
        silent.extend(others.silent);
        silent.sort_unstable();
        silent.dedup();
        Listed {
            items: add_up(&count.names, others.answers.into_iter().chain([here])),
            truncated: names.truncated,
            silent,
        }
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
        if self.broker.draining.load(Ordering::Relaxed) {
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

    async fn list_here(&self, filter: SocketFilter) -> Listed<SocketInfo> {
        let (limit, node) = (filter.limit, self.node.clone());
        let each = self.broker.fanout.each(move |home| {
            let found = find(home, &filter);
            found.iter().map(|it| about(it, &node)).collect::<Vec<_>>()
        });
        Listed::cut(each.await.into_iter().flatten().flatten().collect(), limit)
    }

    async fn names_here(&self, filter: RoomFilter) -> Listed<Arc<str>> {
        let limit = filter.limit;
        let each = self
            .broker
            .fanout
            .each(move |home| home.rooms(&filter.namespace, &filter.prefix, limit + 1));
        let mut names: Vec<_> = each.await.into_iter().flatten().flatten().collect();
        names.sort_unstable();
        names.dedup();
        Listed::cut(names, limit)
    }

    async fn count_here(&self, count: Count) -> Counted {
        let mut counts = vec![0; count.names.len()];
        let each = self.broker.fanout.each({
            let count = Arc::new(count);
            move |home| home.count(&count.namespace, &count.names)
        });
        for of_reactor in each.await.into_iter().flatten() {
            for (sum, count) in counts.iter_mut().zip(of_reactor) {
                *sum += count as u64;
            }
        }
        Counted {
            node: self.node.to_string(),
            counts,
        }
    }

    fn namespaces_here(&self) -> Vec<NamespaceCensus> {
        let census = self.broker.fanout.census().into_iter();
        let each = census.map(|census| {
            let connections = census.sockets as u64;
            let its = NodeCensus {
                connections,
                rooms: census.rooms as u64,
            };
            NamespaceCensus {
                path: census.namespace.to_string(),
                connections,
                nodes: [(self.node.to_string(), its)].into(),
            }
        });
        each.collect()
    }

    async fn steer_here(&self, steer: Steer) -> Steered {
        let namespace = steer.whom.namespace.clone();
        let (selection, what) = (Arc::new(steer.whom.selection()), Arc::new(steer.what));
        let done = what.clone();
        let broker = self.broker.clone();
        let each = self.broker.fanout.each(move |home| {
            let members = home.select(&selection);
            let refused = members.iter().map(|it| what.apply(&broker, home, it));
            let refused = refused.sum::<u64>();
            (members.len() as u64, refused)
        });
        let mut steered = Steered::default();
        for (sockets, refused) in each.await.into_iter().flatten() {
            steered.sockets += sockets;
            steered.refused += refused;
        }
        if let Steering::Join(rooms) = &*done
            && steered.sockets > 0
        {
            self.known(&namespace, rooms).await;
        }
        steered
    }

    /// Ends when what is sent to these rooms from any node arrives, as the ack of a client's join promises.
    pub(super) async fn known(&self, namespace: &str, rooms: &[String]) {
        let fanout = &self.broker.fanout;
        if fanout.is_alone() {
            return;
        }
        let each = rooms.iter().map(|room| {
            let (told, known) = oneshot::channel();
            let tell = Box::new(|| _ = told.send(()));
            fanout.when_known(namespace, room, tell);
            known
        });
        let known = futures_util::future::join_all(each);
        let _ = tokio::time::timeout(self.others.patience(), known).await;
    }
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

fn find(home: &Home, filter: &SocketFilter) -> Vec<Member> {
    let of_user = filter.user.as_deref().map(hidden::of_user);
    // Whatever leads to the fewest.
    let room = [&filter.id, &filter.room, &of_user];
    let room = room.into_iter().flatten().next();
    let is_wanted = |member: &Member| {
        let client = &member.client;
        let is_it = |id: &String| **id == *client.peer.name;
        let is_in = |room: &String| is_it(room) || client.rooms.lock().contains(room.as_str());
        let is_his = |user: &String| client.identity.read().user.as_deref() == Some(user);
        filter.id.as_ref().is_none_or(is_it)
            && filter.room.as_ref().is_none_or(is_in)
            && filter.user.as_ref().is_none_or(is_his)
    };
    let namespace = filter.namespace.as_deref();
    home.find(
        namespace,
        room.map(String::as_str),
        filter.limit + 1,
        is_wanted,
    )
}

fn about(member: &Member, node: &str) -> SocketInfo {
    let (client, about) = (&member.client, member.outlet.about());
    let identity = client.identity.read();
    let rooms = client.rooms_seen();
    SocketInfo {
        id: client.peer.name.to_string(),
        namespace: client.namespace.to_string(),
        user: identity.user.as_deref().map(str::to_owned),
        attributes: identity.attributes.iter().cloned().collect(),
        rooms: rooms.iter().map(ToString::to_string).collect(),
        address: client.peer.address.to_string(),
        transport: about.transport.to_owned(),
        since: humantime::format_rfc3339_millis(about.since).to_string(),
        node: node.to_owned(),
    }
}

impl<T> Listed<T> {
    pub(super) fn cut(mut items: Vec<T>, limit: usize) -> Self {
        let truncated = items.len() > limit;
        items.truncate(limit);
        Self {
            items,
            truncated,
            silent: Vec::new(),
        }
    }
}

impl<T> Listed<T> {
    pub(super) fn add(&mut self, other: Self) {
        self.items.extend(other.items);
        self.truncated |= other.truncated;
        self.silent.extend(other.silent);
    }

    pub(super) fn cut_to(mut self, limit: usize) -> Self {
        self.truncated |= self.items.len() > limit;
        self.items.truncate(limit);
        self
    }
}

impl Whom {
    fn selection(self) -> Selection {
        let users = self.users.iter().map(|user| hidden::of_user(user));
        let rooms: Vec<_> = self.rooms.into_iter().chain(users).collect();
        Selection {
            namespace: self.namespace,
            rooms: (!rooms.is_empty()).then_some(rooms),
            except: self.except,
        }
    }
}

impl Steering {
    /// How many of its joins could not be done.
    fn apply(&self, broker: &Broker, home: &Home, member: &Member) -> u64 {
        let mut refused = 0;
        match self {
            Self::Join(rooms) => {
                for room in rooms {
                    if broker.join(home, &member.client, room).is_err() {
                        metrics().dropped(DropReason::TooManyRooms);
                        refused += 1;
                    }
                }
            }
            Self::Leave(rooms) => {
                for room in rooms {
                    broker.leave(home, &member.client, room);
                }
            }
            Self::Disconnect { close } => member.outlet.dismiss(*close),
        }
        refused
    }
}
