//! The part of this node, done by the sockets' own reactors.

use std::sync::Arc;

use super::*;
use crate::event::hidden;
use crate::fanout::{Home, Member, Selection};
use crate::moment::date;
use crate::telemetry::metrics::{DropReason, metrics};

impl Sockets {
    pub(super) async fn list_here(&self, filter: SocketFilter) -> Listed<SocketInfo> {
        let (limit, node) = (filter.limit, self.node.clone());
        let each = self.broker.fanout.each(move |home| {
            let found = find(home, &filter);
            found.iter().map(|it| about(it, &node)).collect::<Vec<_>>()
        });
        let mut sockets: Vec<_> = each.await.into_iter().flatten().flatten().collect();
        in_order(&mut sockets);
        Listed::cut(sockets, limit)
    }

    pub(super) async fn names_here(&self, filter: RoomFilter) -> Listed<Arc<str>> {
        let limit = filter.limit;
        let each = self.broker.fanout.each(move |home| {
            let after = filter.after.as_deref();
            home.rooms(&filter.namespace, &filter.prefix, after, limit + 1)
        });
        let mut names: Vec<_> = each.await.into_iter().flatten().flatten().collect();
        names.sort_unstable();
        names.dedup();
        Listed::cut(names, limit)
    }

    pub(super) async fn count_here(&self, count: Count) -> Counted {
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

    pub(super) fn namespaces_here(&self) -> Vec<NamespaceCensus> {
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

    pub(super) async fn steer_here(&self, steer: Steer) -> Steered {
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
    pub(in crate::backend) async fn known(&self, namespace: &str, rooms: &[String]) {
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
    let after = filter.after.as_ref();
    let age = after.map(|key| (key.since_ms, Arc::<str>::from(&*key.id)));
    home.first(
        namespace,
        room.map(String::as_str),
        after.map(|key| &*key.namespace).zip(age.as_ref()),
        filter.limit + 1,
        is_wanted,
    )
}

fn about(member: &Member, node: &str) -> SocketInfo {
    let (client, about) = (&member.client, member.outlet.about());
    let identity = client.identity.read();
    let rooms = client.rooms_seen();
    let grant = identity.grant.as_ref();
    let shown = client.peer.handshake.certificate();
    let token = grant.and_then(|it| it.token.as_deref());
    SocketInfo {
        id: client.peer.name.to_string(),
        namespace: client.namespace.to_string(),
        user: identity.user.as_deref().map(str::to_owned),
        attributes: identity.attributes.iter().cloned().collect(),
        rooms: rooms.iter().map(ToString::to_string).collect(),
        address: client.peer.address.to_string(),
        transport: about.transport.to_owned(),
        secure: client.peer.handshake.is_secure(),
        since: humantime::format_rfc3339_millis(about.since).to_string(),
        // A policy may say what is no date.
        expires: identity.expires_ms().and_then(date),
        token_id: token.map(str::to_owned),
        certificate: shown.map(|it| it.subject.clone()),
        node: node.to_owned(),
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
