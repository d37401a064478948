//! Events on their way to other nodes and from them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::watch;

use super::joining::{Joining, Next};
use super::link::{LinkError, To};
use super::{Cluster, SEND};
use crate::config;
use crate::fanout::Message;
use crate::fanout::nodes::parts::{self, Part};
use crate::fanout::nodes::{self, Content, Mark, NodeId, Parcel};
use crate::nats::State;
use crate::telemetry::events::{EventsMissing, NodeUnreadable};
use crate::telemetry::metrics::{Undelivered, metrics};

/// Nodes whose numbers are remembered: more than live and have lived of late.
const MAX_SENDERS: usize = 4096;

/// Sends what waits, in its order, for as long as the process lives.
pub(super) async fn send(cluster: Arc<Cluster>) {
    let mut state = cluster.link.state();
    loop {
        for parcel in cluster.nodes.outbox.take().await {
            send_one(&cluster, &mut state, parcel).await;
        }
    }
}

async fn send_one(cluster: &Cluster, state: &mut watch::Receiver<State>, parcel: Parcel) {
    let is_event = parcel.mark == Mark::Event;
    match send_whole(cluster, state, parcel).await {
        Ok(()) if is_event => {
            metrics().cluster.sent.inc();
        }
        Err(loss) if is_event => metrics().cluster.undelivered(loss, 1),
        _ => {}
    }
}

async fn send_whole(
    cluster: &Cluster,
    state: &mut watch::Receiver<State>,
    parcel: Parcel,
) -> Result<(), Undelivered> {
    let Parcel {
        node, frame, since, ..
    } = parcel;
    let until = since + cluster.config.hold;
    if !is_connected(state, until).await {
        return Err(Undelivered::Expired);
    }
    let largest = cluster.link.largest();
    if frame.len() <= largest {
        return send_frame(cluster, node, frame).await;
    }
    let parts = parts::split(&frame, largest).ok_or(Undelivered::TooLarge)?;
    metrics().cluster.sent_in_parts.inc();
    for part in parts {
        // Without the connection that took the first ones the rest would be for nothing.
        if !state.borrow().is_connected {
            return Err(Undelivered::Failed);
        }
        send_frame(cluster, node, part).await?;
    }
    Ok(())
}

async fn send_frame(cluster: &Cluster, node: NodeId, frame: Bytes) -> Result<(), Undelivered> {
    let sending = cluster.link.send(To::Sockets(node), frame);
    match tokio::time::timeout(SEND, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(LinkError::TooLarge(_))) => Err(Undelivered::TooLarge),
        Ok(Err(LinkError::Failed(_))) | Err(_) => Err(Undelivered::Failed),
    }
}

/// Waits for the connection, as long as it is worth.
async fn is_connected(state: &mut watch::Receiver<State>, until: Instant) -> bool {
    if state.borrow().is_connected {
        return true;
    }
    let connected = state.wait_for(|state| state.is_connected);
    let left = until.saturating_duration_since(Instant::now());
    matches!(tokio::time::timeout(left, connected).await, Ok(Ok(_)))
}

/// What is handed in together, at the most.
const BATCH: usize = 256;

/// Hands what comes to the sockets that are here. Does nothing else: what is not taken in time is dropped by the
/// connection.
pub(super) async fn take(cluster: Arc<Cluster>, mut events: BoxStream<'static, Bytes>) {
    let mut incoming = Incoming::new(&cluster.config);
    while let Some(first) = incoming.next(&mut events).await {
        // What has come with it is being taken from the connection in another task.
        tokio::task::yield_now().await;
        let mut messages = Vec::new();
        messages.extend(incoming.read(&first));
        while messages.len() < BATCH
            && let Some(Some(bytes)) = events.next().now_or_never()
        {
            messages.extend(incoming.read(&bytes));
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

    /// The event that has come, if it is one, and one that has not been counted as missing.
    fn read(&mut self, bytes: &Bytes) -> Option<Message> {
        metrics().cluster.received_bytes.inc_by(bytes.len() as u64);
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
