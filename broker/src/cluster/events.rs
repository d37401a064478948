//! Events that come from other nodes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};

use super::joining::{Joining, Next};
use super::{Cluster, SEND};
use crate::config;
use crate::fanout::Message;
use crate::fanout::nodes::parts::{self, Part};
use crate::fanout::nodes::{self, Content, NodeId, bundle};
use crate::telemetry::events::{EventsMissing, NodeUnreadable};
use crate::telemetry::metrics::metrics;

/// Nodes whose numbers are remembered: more than live and have lived of late.
const MAX_SENDERS: usize = 4096;

/// Beyond, what is handed in together takes no more messages.
const BATCH: usize = 256;

/// Hands what comes to the sockets that are here. Does nothing else: what is not taken in time is dropped by the
/// connection.
pub(super) async fn take(cluster: Arc<Cluster>, mut events: BoxStream<'static, Bytes>) {
    let mut incoming = Incoming::new(&cluster.config);
    while let Some(first) = incoming.next(&mut events).await {
        // What has come with it is being taken from the connection in another task.
        tokio::task::yield_now().await;
        let mut messages = Vec::new();
        incoming.read_all(first, &mut messages);
        while messages.len() < BATCH
            && let Some(Some(bytes)) = events.next().now_or_never()
        {
            incoming.read_all(bytes, &mut messages);
        }
        metrics().cluster.received.inc_by(messages.len() as u64);
        cluster.fanout.deliver_from_nodes(messages);
    }
}

/// What has come, and of what some parts have.
struct Incoming {
    numbers: Numbers,
    joining: Joining,
}

/// How often it is looked whether what waits for more parts has waited too long.
const LULL: Duration = Duration::from_secs(1);

impl Incoming {
    fn new(config: &config::Cluster) -> Self {
        Self {
            numbers: Numbers::default(),
            joining: Joining::new(config.max_queued_bytes, config.hold + SEND),
        }
    }

    async fn next(&mut self, events: &mut BoxStream<'static, Bytes>) -> Option<Bytes> {
        loop {
            if self.joining.is_empty() {
                return events.next().await;
            }
            let next = tokio::time::timeout(LULL, events.next()).await;
            for from in self.joining.expire() {
                missing(from, 1);
            }
            if let Ok(next) = next {
                return next;
            }
        }
    }

    /// The events of one message.
    fn read_all(&mut self, message: Bytes, events: &mut Vec<Message>) {
        metrics()
            .cluster
            .received_bytes
            .inc_by(message.len() as u64);
        for frame in bundle::unpack(message) {
            match frame {
                Ok(frame) => events.extend(self.read(&frame)),
                Err(error) => unreadable(&error.to_string()),
            }
        }
    }

    /// The event that has come, if it is one, and one that has not been counted as missing.
    fn read(&mut self, bytes: &Bytes) -> Option<Message> {
        let frame = match nodes::read(bytes) {
            Ok(frame) => frame,
            Err(error) => {
                unreadable(&error.to_string());
                return None;
            }
        };
        let (from, number) = (frame.from, frame.number);
        let content = match frame.content {
            Content::Part(part) => self.part(from, number, part)?,
            content => {
                // What its other parts would have been comes no more.
                missing(from, self.joining.give_up(from).into());
                let is_event = !matches!(content, Content::Mark);
                missing(from, self.numbers.see(from, number, is_event)?);
                content
            }
        };
        match content {
            Content::Event(message) => Some(message),
            Content::Mark | Content::Part(_) => None,
            Content::Unknown => {
                unreadable("a frame of another version");
                None
            }
        }
    }

    /// Takes a part of an event: the event, if that was the last one.
    fn part(&mut self, from: NodeId, number: u64, part: Part) -> Option<Content> {
        let next = match self.joining.go_on(from, number, part) {
            Next::Stranger(part) => self.begin(from, number, part)?,
            next => next,
        };
        let Next::Whole(frame) = next else {
            return None;
        };
        parts::event(&frame, (from, number))
            .inspect_err(|error| unreadable(&error.to_string()))
            .ok()
    }

    /// A part that goes on with nothing: the first of an event, or what is left of one that is lost.
    fn begin(&mut self, from: NodeId, number: u64, part: Part) -> Option<Next> {
        missing(from, self.joining.give_up(from).into());
        if !part.is_first() && self.numbers.is_last(from, number) {
            return None;
        }
        missing(from, self.numbers.see(from, number, true)?);
        let begun = part.is_first().then_some(part);
        let begun = begun.and_then(|part| self.joining.begin(from, number, part));
        if begun.is_none() {
            missing(from, 1);
        }
        begun
    }
}

fn unreadable(reason: &str) {
    NodeUnreadable { reason }.emit();
}

fn missing(node: NodeId, events: u64) {
    if events > 0 {
        EventsMissing { node, events }.emit();
    }
}

/// The number of the last event of each node.
#[derive(Default)]
struct Numbers(HashMap<NodeId, (u64, Instant)>);

impl Numbers {
    fn is_last(&self, from: NodeId, number: u64) -> bool {
        self.0.get(&from).is_some_and(|(last, _)| *last == number)
    }

    /// How many events before this one did not come; `None`: it is not the next one, it is an old one.
    fn see(&mut self, from: NodeId, number: u64, is_event: bool) -> Option<u64> {
        let now = Instant::now();
        if self.0.len() >= MAX_SENDERS && !self.0.contains_key(&from) {
            self.0
                .retain(|_, (_, seen)| now.duration_since(*seen) < FORGOTTEN);
        }
        let (last, seen) = self.0.entry(from).or_insert((0, now));
        *seen = now;
        // A sender that had forgotten this node begins anew.
        if is_event && number == 1 {
            *last = 0;
        }
        let expected = if is_event { *last + 1 } else { *last };
        let missing = number.checked_sub(expected);
        if let Some(missing) = missing {
            *last = number;
            return Some(missing);
        }
        // A mark of something that has been passed already is old news.
        if is_event { None } else { Some(0) }
    }
}

/// A node that has sent nothing for so long is forgotten when there is no room.
const FORGOTTEN: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_noticed_once() {
        let mut numbers = Numbers::default();
        let mut see = |number, is_event| numbers.see(NodeId(1), number, is_event);
        assert_eq!(see(1, true), Some(0));
        assert_eq!(see(2, true), Some(0));
        assert_eq!(see(5, true), Some(2));
        assert_eq!(see(4, true), None, "it has been counted");
        assert_eq!(see(5, false), Some(0));
        // The last ones were lost, and nothing came after them.
        assert_eq!(see(8, false), Some(3));
        assert_eq!(see(8, false), Some(0));
        assert_eq!(see(9, true), Some(0));
        // From the beginning.
        assert_eq!(see(1, true), Some(0));
        assert_eq!(see(2, true), Some(0));
    }

    #[test]
    fn the_first_events_may_be_those_that_are_missing() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.see(NodeId(1), 3, true), Some(2));
        assert_eq!(numbers.see(NodeId(2), 3, false), Some(3));
    }
}
