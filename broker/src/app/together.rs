//! What nodes of a cluster have in common beside events: state of policies, counters that are counted as one, and the
//! modules that all of them serve.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::cluster::Cluster;
use crate::config;
use crate::nats::Nats;
use crate::node::Node;
use crate::plugin::{Control, Engine};
use crate::rollout::Rollout;
use crate::sharing::Sharing;
use crate::state::Store;
use crate::tally::Counters;

/// What it takes.
pub(super) struct Together<'a> {
    pub config: &'a config::Cluster,
    pub cluster: &'a Arc<Cluster>,
    pub nats: &'a Arc<Nats>,
    pub store: &'a Arc<Store>,
    pub engine: &'a Engine,
    pub control: Control,
    pub node: &'a Arc<Node>,
}

impl Together<'_> {
    /// Begins to share, and goes on until the process ends.
    pub(super) fn begin(self) -> Arc<Sharing> {
        let Self {
            config,
            cluster,
            nats,
            store,
            engine,
            control,
            node,
        } = self;
        let counters = Counters::new(Arc::clone(nats), &config.name, Handle::current());
        engine.counts_with(Arc::new(counters));
        let served = Arc::downgrade(node);
        let serving = move |policy: &str| served.upgrade()?.serving(policy);
        let rollout = Rollout::start(
            &config.name,
            Arc::clone(cluster),
            Arc::clone(nats),
            control,
            serving,
        );
        node.follows_cluster(rollout);
        Sharing::start(
            config,
            Arc::clone(cluster),
            Arc::clone(nats),
            Arc::clone(store),
        )
    }
}
