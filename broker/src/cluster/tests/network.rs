//! A network within the process, that can be cut and that can lose things.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use crate::cluster::link::{Link, LinkError, Streams, To};
use crate::fanout::nodes::{NodeId, bundle};
use crate::nats::State;

/// Bytes of a message: what is larger goes in parts.
pub(super) const LARGEST: usize = 4096;

#[derive(Default)]
pub(super) struct Network {
    nodes: Mutex<HashMap<NodeId, Ends>>,
    /// What they send goes nowhere, and nothing reaches them.
    cut: Mutex<HashSet<NodeId>>,
    /// How many of the events for sockets are lost next, and what comes before the last of them.
    lose: Mutex<usize>,
    /// Of those that are carried, the one before which there are so many is lost.
    lose_after: Mutex<Option<usize>>,
    /// Events for sockets that were delivered.
    carried: Mutex<HashMap<NodeId, usize>>,
}

struct Ends {
    sockets: mpsc::UnboundedSender<Bytes>,
    control: mpsc::UnboundedSender<Bytes>,
}

/// One node's end of it.
pub(super) struct End {
    id: NodeId,
    network: Arc<Network>,
    state: watch::Sender<State>,
}

impl Network {
    pub(super) fn end(self: &Arc<Self>, id: NodeId) -> Arc<End> {
        let (state, _) = watch::channel(State {
            is_connected: true,
            connections: 1,
        });
        Arc::new(End {
            id,
            network: self.clone(),
            state,
        })
    }

    pub(super) fn cut(&self, id: NodeId) {
        self.cut.lock().insert(id);
    }

    pub(super) fn mend(&self, id: NodeId) {
        self.cut.lock().remove(&id);
    }

    pub(super) fn lose(&self, events: usize) {
        *self.lose.lock() = events;
    }

    /// One message for sockets is lost, after so many.
    pub(super) fn lose_after(&self, messages: usize) {
        *self.lose_after.lock() = Some(messages);
    }

    /// Events that the sockets of a node were sent.
    pub(super) fn carried(&self, id: NodeId) -> usize {
        self.carried.lock().get(&id).copied().unwrap_or(0)
    }

    fn carry(&self, from: NodeId, to: To, message: &Bytes) {
        let cut = self.cut.lock();
        if cut.contains(&from) {
            return;
        }
        for (id, ends) in &*self.nodes.lock() {
            let end = match to {
                To::Sockets(node) if node == *id => &ends.sockets,
                To::Node(node) if node == *id => &ends.control,
                To::All => &ends.control,
                _ => continue,
            };
            if cut.contains(id) {
                continue;
            }
            if matches!(to, To::Sockets(_)) {
                // Marks are carried at the network's convenience.
                let frames = bundle::unpack(message.clone()).flatten();
                let events = frames.filter(|frame| frame.get(1) == Some(&0)).count();
                let mut lose = self.lose.lock();
                if *lose > 0 {
                    *lose = lose.saturating_sub(events);
                    continue;
                }
                // Marks come when they come.
                if message.get(1) != Some(&1) {
                    let mut lose_after = self.lose_after.lock();
                    *lose_after = match *lose_after {
                        Some(0) => {
                            *lose_after = None;
                            continue;
                        }
                        left => left.map(|left| left - 1),
                    };
                }
                *self.carried.lock().entry(*id).or_default() += events;
            }
            let _ = end.send(message.clone());
        }
    }
}

impl End {
    /// The node notices that it has no connection, and then that it has one again.
    pub(super) fn connect(&self, is_connected: bool) {
        if is_connected {
            self.network.mend(self.id);
        } else {
            self.network.cut(self.id);
        }
        self.state.send_modify(|state| {
            state.is_connected = is_connected;
            state.connections += u64::from(is_connected);
        });
    }
}

impl Link for Arc<End> {
    fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    fn largest(&self) -> usize {
        LARGEST
    }

    fn send(&self, to: To, message: Bytes) -> BoxFuture<'_, Result<(), LinkError>> {
        assert!(message.len() <= LARGEST || !matches!(to, To::Sockets(_)));
        self.network.carry(self.id, to, &message);
        Box::pin(std::future::ready(Ok(())))
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn open(&self, id: NodeId) -> BoxFuture<'_, Result<Streams, LinkError>> {
        let stream = |mut messages: mpsc::UnboundedReceiver<Bytes>| {
            stream::poll_fn(move |context| messages.poll_recv(context)).boxed()
        };
        let (sockets, to_sockets) = mpsc::unbounded_channel();
        let (control, to_node) = mpsc::unbounded_channel();
        self.network
            .nodes
            .lock()
            .insert(id, Ends { sockets, control });
        Box::pin(std::future::ready(Ok(Streams {
            sockets: stream(to_sockets),
            control: stream(to_node),
        })))
    }
}
