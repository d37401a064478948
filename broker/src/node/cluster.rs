//! The cluster as this node sees it, and what it says about itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Node;
use crate::admin::{ClusterInfo, ClusterNode};
use crate::cluster::Vitals;
use crate::telemetry::metrics::metrics;

impl Node {
    /// What other nodes are told.
    pub(crate) fn vitals(&self) -> Vitals {
        let census = self.broker.fanout.census();
        let listen = self.listen();
        let started = self.started.duration_since(UNIX_EPOCH);
        let pipelines = self.broker.pipelines.load();
        let policies = pipelines.policies();
        Vitals {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: u64::try_from(started.unwrap_or_default().as_millis()).unwrap_or(u64::MAX),
            listen: listen.server.to_string(),
            admin: listen.admin.to_string(),
            connections: census.iter().map(|it| it.sockets as u64).sum(),
            rooms: census.iter().map(|it| it.rooms as u64).sum(),
            events: metrics().events_received.get(),
            deliveries: metrics().deliveries.get(),
            draining: self.is_draining(),
            policies: policies
                .map(|policy| (policy.name.to_string(), policy.module.digest.to_string()))
                .collect(),
        }
    }

    pub(super) fn show_cluster(&self) -> ClusterInfo {
        let own = shown(self.name.clone(), true, Duration::ZERO, self.vitals());
        let Some(cluster) = self.cluster.get() else {
            return ClusterInfo {
                name: None,
                connected: false,
                nodes: vec![own],
            };
        };
        let others = cluster
            .others()
            .into_iter()
            .map(|other| shown(other.id.to_string(), false, other.heard, other.vitals));
        let config = self.config.load();
        ClusterInfo {
            name: config.cluster.as_ref().map(|it| it.name.clone()),
            connected: self.is_connected() && cluster.is_heard(),
            nodes: std::iter::once(own).chain(others).collect(),
        }
    }
}

fn shown(node: String, is_self: bool, heard: Duration, vitals: Vitals) -> ClusterNode {
    // What another node says may be nonsense; a time that cannot be shown is the beginning of time.
    let started = UNIX_EPOCH.checked_add(Duration::from_millis(vitals.started));
    ClusterNode {
        node,
        is_self,
        version: vitals.version,
        started: started
            .filter(|it| *it < far_future())
            .unwrap_or(UNIX_EPOCH),
        heard_seconds: heard.as_secs_f64(),
        listen: vitals.listen,
        admin: vitals.admin,
        connections: vitals.connections,
        rooms: vitals.rooms,
        events: vitals.events,
        deliveries: vitals.deliveries,
        draining: vitals.draining,
        policies: vitals.policies.into_iter().collect(),
    }
}

/// The year 9999, the last that a date shows.
fn far_future() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(253_370_764_800)
}
