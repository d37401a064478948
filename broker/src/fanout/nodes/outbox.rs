//! What waits for the way to other nodes: one queue, so that what one sender sends is in order at every receiver, and
//! each receiver's part of it numbered, so that it notices what is missing.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{NodeId, wire};
use crate::fanout::message::Message;
use crate::telemetry::metrics::{Undelivered, metrics};

/// Nodes that are gone and might come back, whose numbers are remembered. A restarted one has another name.
const MAX_GONE: usize = 1024;

/// Marks after the last event. One is enough unless it is lost as well.
const MARKS: u8 = 3;

pub(crate) struct Outbox {
    id: NodeId,
    queue: Mutex<Queue>,
    woken: Notify,
    max: (usize, usize),
}

#[derive(Default)]
struct Queue {
    /// By the node's place among the peers; `None`: the place is free.
    lanes: Vec<Option<Lane>>,
    gone: HashMap<NodeId, u64>,
    parcels: VecDeque<Parcel>,
    bytes: usize,
    is_awake: bool,
}

/// The way to one node.
struct Lane {
    node: NodeId,
    /// The number of the last event.
    sent: u64,
    /// Marks that are still to be sent.
    marks: u8,
    /// Whether it takes several frames in one message.
    is_bundled: bool,
}

/// A frame on its way to a node.
pub(crate) struct Parcel {
    pub node: NodeId,
    pub frame: Bytes,
    pub since: Instant,
    pub mark: Mark,
    /// Whether it may go with others in one message.
    pub is_bundled: bool,
}

/// Whether a frame is an event, whose loss is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Event,
    Mark,
}

impl Outbox {
    pub(super) fn new(id: NodeId, max_messages: usize, max_bytes: usize) -> Self {
        Self {
            id,
            queue: Mutex::default(),
            woken: Notify::new(),
            max: (max_messages, max_bytes),
        }
    }

    /// A node takes a place among the peers. `reads`: what it says it does.
    pub(crate) fn open(&self, place: usize, node: NodeId, reads: u8) {
        let mut queue = self.queue.lock();
        let sent = queue.gone.remove(&node).unwrap_or(0);
        if queue.lanes.len() <= place {
            queue.lanes.resize_with(place + 1, || None);
        }
        if let Some(lane) = queue.lanes.get_mut(place) {
            *lane = Some(Lane {
                node,
                sent,
                // One that comes back is told what it has missed, also if no event follows.
                marks: if sent > 0 { MARKS } else { 0 },
                is_bundled: reads >= wire::READS_BUNDLES,
            });
        }
    }

    /// A node is gone.
    pub(crate) fn close(&self, place: usize) {
        let mut queue = self.queue.lock();
        let Some(lane) = queue.lanes.get_mut(place).and_then(Option::take) else {
            return;
        };
        if queue.gone.len() < MAX_GONE {
            queue.gone.insert(lane.node, lane.sent);
        }
    }

    /// Puts an event on its way to the nodes in these places. True: somebody has to be woken for it.
    pub(in crate::fanout) fn push(
        &self,
        places: impl Iterator<Item = usize>,
        message: &Message,
    ) -> bool {
        let Some(mut frame) = wire::event(message) else {
            places.for_each(|_| metrics().cluster.undelivered(Undelivered::TooLarge, 1));
            return false;
        };
        let since = Instant::now();
        let mut queue = self.queue.lock();
        let queue = &mut *queue;
        let mut places = places.peekable();
        let mut pushed = false;
        while let Some(place) = places.next() {
            let Some(lane) = queue.lanes.get_mut(place).and_then(Option::as_mut) else {
                continue;
            };
            // Numbered before it is dropped: the receiver is to miss it.
            lane.sent += 1;
            lane.marks = MARKS;
            if queue.parcels.len() >= self.max.0 || queue.bytes + frame.len() > self.max.1 {
                metrics().cluster.undelivered(Undelivered::QueueFull, 1);
                continue;
            }
            wire::address(&mut frame, self.id, lane.sent);
            let bytes = match places.peek() {
                Some(_) => Bytes::copy_from_slice(&frame),
                None => std::mem::take(&mut frame).into(),
            };
            queue.bytes += bytes.len();
            queue.parcels.push_back(Parcel {
                node: lane.node,
                frame: bytes,
                since,
                mark: Mark::Event,
                is_bundled: lane.is_bundled,
            });
            pushed = true;
        }
        pushed && !queue.is_awake
    }

    /// Tells each node which number was the last, if it has not been told often enough.
    pub(crate) fn mark(&self) {
        let mut queue = self.queue.lock();
        let queue = &mut *queue;
        for lane in queue
            .lanes
            .iter_mut()
            .flatten()
            .filter(|lane| lane.marks > 0)
        {
            lane.marks -= 1;
            let mut frame = wire::mark();
            wire::address(&mut frame, self.id, lane.sent);
            queue.bytes += frame.len();
            queue.parcels.push_back(Parcel {
                node: lane.node,
                frame: frame.into(),
                since: Instant::now(),
                mark: Mark::Mark,
                is_bundled: lane.is_bundled,
            });
        }
        queue.is_awake = true;
        self.woken.notify_one();
    }

    pub(in crate::fanout) fn wake(&self) {
        let was_awake = std::mem::replace(&mut self.queue.lock().is_awake, true);
        if !was_awake {
            self.woken.notify_one();
        }
    }

    /// Everything that waits. Ends when there is something.
    pub(crate) async fn take(&self) -> VecDeque<Parcel> {
        loop {
            {
                let mut queue = self.queue.lock();
                if !queue.parcels.is_empty() {
                    queue.bytes = 0;
                    return std::mem::take(&mut queue.parcels);
                }
                queue.is_awake = false;
            }
            self.woken.notified().await;
        }
    }

    /// Messages and bytes that wait.
    pub(in crate::fanout) fn depth(&self) -> (usize, usize) {
        let queue = self.queue.lock();
        (queue.parcels.len(), queue.bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.lock().parcels.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{Content, READS};
    use super::*;
    use crate::event::Event;

    fn message() -> Message {
        let event = Event {
            name: "e".into(),
            args: "[1]".into(),
            attachments: std::sync::Arc::new([]),
            volatile: false,
        };
        Message::from_node("/".into(), None, Vec::new(), event)
    }

    async fn taken(outbox: &Outbox) -> Vec<(u64, u64, bool)> {
        let parcels = outbox.take().await;
        let shown = parcels.iter().map(|parcel| {
            let frame = wire::read(&parcel.frame).unwrap();
            assert_eq!(frame.from, NodeId(1));
            (
                parcel.node.0,
                frame.number,
                matches!(frame.content, Content::Mark),
            )
        });
        shown.collect()
    }

    #[tokio::test]
    async fn each_receiver_has_numbers_of_its_own() {
        let outbox = Outbox::new(NodeId(1), 100, 10_000);
        outbox.open(0, NodeId(10), READS);
        outbox.open(1, NodeId(11), READS);
        assert!(outbox.push([0, 1].into_iter(), &message()));
        assert!(outbox.push([1].into_iter(), &message()));
        // Nobody is there.
        assert!(!outbox.push([5].into_iter(), &message()));
        outbox.mark();
        let all = [
            (10, 1, false),
            (11, 1, false),
            (11, 2, false),
            (10, 1, true),
            (11, 2, true),
        ];
        assert_eq!(taken(&outbox).await, all);
        // One that was thought gone and is not goes on where it was.
        outbox.close(1);
        outbox.open(1, NodeId(11), READS);
        outbox.push([1].into_iter(), &message());
        assert_eq!(taken(&outbox).await, [(11, 3, false)]);
        // It is told what it has missed, though nothing follows.
        outbox.close(1);
        outbox.open(1, NodeId(11), READS);
        outbox.mark();
        let told = taken(&outbox).await;
        assert!(told.contains(&(11, 3, true)), "{told:?}");
    }

    #[tokio::test]
    async fn what_finds_no_room_is_missed_by_its_number() {
        let outbox = Outbox::new(NodeId(1), 2, 10_000);
        outbox.open(0, NodeId(10), READS);
        for _ in 0..4 {
            outbox.push([0].into_iter(), &message());
        }
        assert_eq!(taken(&outbox).await.len(), 2);
        outbox.push([0].into_iter(), &message());
        assert_eq!(taken(&outbox).await, [(10, 5, false)]);
    }

    #[tokio::test]
    async fn nodes_that_were_sent_nothing_get_no_marks() {
        let outbox = Outbox::new(NodeId(1), 2, 10_000);
        outbox.open(0, NodeId(10), READS);
        outbox.mark();
        assert!(outbox.is_empty());
    }
}
