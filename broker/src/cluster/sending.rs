//! Events on their way to other nodes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::watch;

use super::link::{LinkError, To};
use super::{Cluster, SEND};
use crate::fanout::nodes::{Mark, NodeId, Parcel, bundle, parts};
use crate::nats::State;
use crate::telemetry::metrics::{Undelivered, metrics};

/// What goes to a node in one message, in its order: enough that what a node sends in one turn stays together, so that
/// the receiver hands it in together, too.
const MAX_FRAMES: usize = 256;
const MAX_BYTES: usize = 64 << 10;

#[derive(Default)]
struct Bundle {
    parcels: VecDeque<Parcel>,
    bytes: usize,
}

/// Sends what waits, in its order, for as long as the process lives.
pub(super) async fn send(cluster: Arc<Cluster>) {
    let mut state = cluster.link.state();
    loop {
        let waiting = cluster.nodes.outbox.take().await;
        let max = MAX_BYTES.min(cluster.link.largest());
        for bundle in bundles(waiting, max) {
            send_bundle(&cluster, &mut state, bundle).await;
        }
    }
}

/// What is for one node keeps its order; the nodes have none.
fn bundles(parcels: VecDeque<Parcel>, max: usize) -> Vec<Bundle> {
    let mut full = Vec::new();
    let mut open = HashMap::<NodeId, Bundle>::new();
    for parcel in parcels {
        let bundle = open.entry(parcel.node).or_default();
        if !bundle.has_room_for(&parcel, max) {
            full.push(std::mem::take(bundle));
        }
        bundle.add(parcel);
    }
    full.extend(open.into_values());
    full
}

async fn send_bundle(cluster: &Cluster, state: &mut watch::Receiver<State>, bundle: Bundle) {
    let Bundle { mut parcels, .. } = bundle;
    while let Some(first) = parcels.front() {
        if is_connected(state, first.since + cluster.config.hold).await {
            break;
        }
        let expired = u64::from(first.mark == Mark::Event);
        metrics().cluster.undelivered(Undelivered::Expired, expired);
        parcels.pop_front();
    }
    let events = parcels.iter().filter(|it| it.mark == Mark::Event).count() as u64;
    let together = parcels.len() > 1;
    let Some(first) = parcels.front() else {
        return;
    };
    let (node, frame) = (first.node, first.frame.clone());
    let sent = match together {
        true => {
            let frames = bundle::pack(parcels.iter().map(|parcel| &parcel.frame));
            send_frame(cluster, node, frames).await
        }
        false => send_whole(cluster, state, node, frame).await,
    };
    match sent {
        Ok(()) => _ = metrics().cluster.sent.inc_by(events),
        Err(loss) => metrics().cluster.undelivered(loss, events),
    }
}

async fn send_whole(
    cluster: &Cluster,
    state: &watch::Receiver<State>,
    node: NodeId,
    frame: Bytes,
) -> Result<(), Undelivered> {
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

// === impl Bundle ===

impl Bundle {
    fn has_room_for(&self, parcel: &Parcel, max: usize) -> bool {
        let Some(first) = self.parcels.front() else {
            return true;
        };
        first.is_bundled
            && parcel.is_bundled
            && self.parcels.len() < MAX_FRAMES
            && bundle::HEAD + self.bytes + bundle::size(&parcel.frame) <= max
    }

    fn add(&mut self, parcel: Parcel) {
        self.bytes += bundle::size(&parcel.frame);
        self.parcels.push_back(parcel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(node: u64, size: usize, is_bundled: bool) -> Parcel {
        Parcel {
            node: NodeId(node),
            frame: vec![0; size].into(),
            since: Instant::now(),
            mark: Mark::Event,
            is_bundled,
        }
    }

    /// The sizes of the frames that go to a node together.
    fn sizes(parcels: impl IntoIterator<Item = Parcel>, node: u64, max: usize) -> Vec<Vec<usize>> {
        let bundles = bundles(parcels.into_iter().collect(), max).into_iter();
        let its = bundles.filter(|it| it.parcels.iter().all(|it| it.node == NodeId(node)));
        its.map(|it| it.parcels.iter().map(|it| it.frame.len()).collect())
            .collect()
    }

    #[test]
    fn what_waits_for_a_node_goes_together_as_far_as_it_fits() {
        let parcels = || {
            let sizes = [10, 20, 500, 30, 40, 50].map(|size| parcel(1, size, true));
            sizes.into_iter().chain([parcel(2, 1, true)])
        };
        assert_eq!(sizes(parcels(), 1, 1000), [vec![10, 20, 500, 30, 40, 50]]);
        // 2 and, for each, 4.
        assert_eq!(
            sizes(parcels(), 1, 100),
            [vec![10, 20], vec![500], vec![30, 40], vec![50]]
        );
        assert_eq!(sizes(parcels(), 2, 100), [[1]]);
        let many = (0..=MAX_FRAMES).map(|_| parcel(1, 1, true));
        assert_eq!(sizes(many, 1, 1 << 20).len(), 2);
    }

    #[test]
    fn a_node_that_does_not_know_bundles_is_sent_none() {
        let parcels = [1, 2].map(|size| parcel(1, size, false));
        assert_eq!(sizes(parcels, 1, 1000), [[1], [2]]);
    }
}
