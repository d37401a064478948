//! What is done with sockets from outside: by their own reactors, on their own threads, one thing after the other.

use std::sync::Arc;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::asked::Asked;
use super::{Fanout, Home, Member, PATIENCE};
use crate::event::Event;

/// What is asked of a reactor and not done yet. Back ends and operators wait for what they ask.
const MAX_ORDERS: usize = 256;

type Order = Box<dyn FnOnce(&Home) + Send>;

/// Where a shard is told what to do.
pub(super) struct Orders {
    given: mpsc::Sender<Order>,
    /// Taken by the reactor when it begins to serve.
    taken: Mutex<Option<mpsc::Receiver<Order>>>,
}

/// Whom somebody means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub namespace: String,
    /// Members of any of these; `None`: everyone.
    pub rooms: Option<Vec<String>>,
    /// Who is in one of these is not meant.
    pub except: Vec<String>,
}

// === impl Orders ===

impl Orders {
    pub(super) fn new() -> Self {
        let (given, taken) = mpsc::channel(MAX_ORDERS);
        Self {
            given,
            taken: Mutex::new(Some(taken)),
        }
    }

    /// Does what comes, for as long as it is polled. Never ends.
    pub(super) async fn serve(&self, home: &Home) {
        let taken = self.taken.lock().take();
        if let Some(mut orders) = taken {
            while let Some(order) = orders.recv().await {
                // What was handed in before comes first.
                home.deliver_waiting();
                order(home);
                tokio::task::yield_now().await;
            }
        }
        std::future::pending().await
    }
}

impl Fanout {
    /// Has every reactor do something with its own sockets. `None` in place of one that did not in time, and still may.
    pub(crate) async fn each<T: Send + 'static>(
        &self,
        order: impl Fn(&Home) -> T + Clone + Send + 'static,
    ) -> Vec<Option<T>> {
        let each = self.shards.iter().map(|shard| {
            let order = order.clone();
            async move {
                let (answer, answered) = oneshot::channel();
                let order: Order = Box::new(move |home| {
                    // Whoever no longer waits has had enough of waiting.
                    let _ = answer.send(order(home));
                });
                let done = async {
                    shard.orders.given.send(order).await.ok()?;
                    answered.await.ok()
                };
                tokio::time::timeout(PATIENCE, done).await.ok()?
            }
        });
        join_all(each).await
    }
}

impl Home {
    /// Those of its sockets that are meant.
    pub(crate) fn select(&self, selection: &Selection) -> Vec<Member> {
        self.0.select(selection)
    }

    /// At most so many of its sockets that are wanted: of a namespace and a room, or of all.
    pub(crate) fn find(
        &self,
        namespace: Option<&str>,
        room: Option<&str>,
        most: usize,
        is_wanted: impl Fn(&Member) -> bool,
    ) -> Vec<Member> {
        self.0.find(namespace, room, most, is_wanted)
    }

    /// How many members it has of each of these rooms.
    pub(crate) fn count(&self, namespace: &str, rooms: &[Arc<str>]) -> Vec<usize> {
        self.0.count(namespace, rooms)
    }

    /// Asks those that are meant, and says how many they are.
    pub(crate) fn ask(&self, selection: &Selection, event: &Event, asked: &Arc<Asked>) -> usize {
        let members = self.select(selection);
        let mut frame = None;
        for Member { client, outlet } in &members {
            let frame = frame.get_or_insert_with(|| outlet.encode_asking(event, asked.id));
            outlet.ask(frame, asked.question(&client.peer.name));
        }
        crate::telemetry::metrics::metrics()
            .deliveries
            .inc_by(members.len() as u64);
        members.len()
    }
}
