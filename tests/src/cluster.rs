//! Some brokers that share a NATS server.

use std::ops::{Index, IndexMut};

use std::sync::Arc;

use crate::wires::Wires;
use crate::{Broker, Nats, Relay, Setup, eventually};

/// Brokers of one cluster. They end with the test.
pub struct Cluster {
    pub nats: Nats,
    nodes: Vec<Broker>,
    links: Links,
}

/// What stands between each node and the NATS server.
enum Links {
    Nothing,
    Relays(Vec<Relay>),
    Wires(Arc<Wires>),
}

impl Cluster {
    /// So many brokers with this configuration, each of which sees all others.
    pub fn start(count: usize, config: &str) -> Self {
        Self::start_with(count, |_| Setup::new(config))
    }

    /// The same with set-ups of the test's own: it is told the number of each.
    pub fn start_with(count: usize, setup: impl Fn(usize) -> Setup) -> Self {
        let nats = Nats::start();
        Self::assemble(nats, count, setup, Links::Nothing)
    }

    /// Brokers that know this NATS server, and whatever else the set-up says.
    pub fn start_on(nats: Nats, count: usize, setup: impl Fn(usize) -> Setup) -> Self {
        Self::assemble(nats, count, setup, Links::Nothing)
    }

    /// Brokers whose way to the NATS server can be cut, by [`Cluster::cut`].
    pub fn start_apart(count: usize, config: &str) -> Self {
        Self::start_apart_with(count, |_| Setup::new(config))
    }

    /// The same, with a wire between the network of each and that of the NATS server.
    pub fn start_on_wires(count: usize, config: &str) -> Self {
        let wires = Arc::new(Wires::lay(count));
        let nats = Nats::start_behind(&wires);
        Self::assemble(nats, count, |_| Setup::new(config), Links::Wires(wires))
    }

    /// Brokers that can be cut off, with set-ups of the test's own.
    pub fn start_apart_with(count: usize, setup: impl Fn(usize) -> Setup) -> Self {
        let nats = Nats::start();
        let relays = (0..count).map(|_| Relay::to(nats.address)).collect();
        Self::assemble(nats, count, setup, Links::Relays(relays))
    }

    fn assemble(nats: Nats, count: usize, setup: impl Fn(usize) -> Setup, links: Links) -> Self {
        let nodes = (0..count)
            .map(|number| {
                let url = match &links {
                    Links::Nothing => nats.url(),
                    Links::Relays(relays) => format!("nats://{}", relays[number].address),
                    Links::Wires(wires) => {
                        format!("nats://{}:{}", wires.address(number), nats.address.port())
                    }
                };
                // Short enough for a test that waits for the end of a node, and long enough for a machine on which
                // a node gets its turn late.
                setup(number)
                    .default_env("SLUICE_CLUSTER__HEARTBEAT", "200ms")
                    .default_env("SLUICE_CLUSTER__NODE_TIMEOUT", "3s")
                    .default_env("SLUICE_CLUSTER__SURVEY_TIMEOUT", "2s")
                    .default_env("SLUICE_CLUSTER__NATS_URL", &url)
                    .start()
            })
            .collect();
        let cluster = Self { nats, nodes, links };
        cluster.wait_whole();
        cluster
    }

    /// How many nodes there are, the dead ones included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The name by which others know a node.
    ///
    /// # Panics
    ///
    /// When it did not say.
    pub fn name(&self, node: usize) -> &str {
        let name = self.nodes[node].ready["node"].as_str();
        name.expect("the node's name in its ready line")
    }

    /// Waits until every node is ready and sees all others.
    pub fn wait_whole(&self) {
        let all: Vec<_> = (0..self.nodes.len()).collect();
        self.wait_see(&all, self.nodes.len());
    }

    /// Waits until these nodes are ready and see so many, themselves included.
    pub fn wait_see(&self, nodes: &[usize], count: usize) {
        for node in nodes.iter().map(|node| &self.nodes[*node]) {
            eventually("a node that is ready", || {
                (node.get("/readyz").status == 200).then_some(())
            });
            eventually(&format!("a node that sees {count}"), || {
                let seen = node.metrics().sum("sluice_cluster_nodes", &[]);
                (seen == count as f64).then_some(())
            });
        }
    }

    /// Cuts the way between a node and the NATS server: nothing passes, and nobody is told.
    ///
    /// # Panics
    ///
    /// When the cluster was made without anything to cut.
    pub fn cut(&self, node: usize) {
        match &self.links {
            Links::Relays(relays) => relays[node].cut(),
            Links::Wires(wires) => wires.cut(node),
            Links::Nothing => panic!("there is nothing to cut"),
        }
    }

    /// Mends it.
    ///
    /// # Panics
    ///
    /// When the cluster was made without anything to cut.
    pub fn heal(&self, node: usize) {
        match &self.links {
            Links::Relays(relays) => relays[node].heal(),
            Links::Wires(wires) => wires.heal(node),
            Links::Nothing => panic!("there is nothing to mend"),
        }
    }

    /// The sum of a metric over these nodes.
    pub fn sum(&self, nodes: &[usize], name: &str, labels: &[(&str, &str)]) -> f64 {
        nodes
            .iter()
            .map(|node| self.nodes[*node].metrics().sum(name, labels))
            .sum()
    }
}

impl Index<usize> for Cluster {
    type Output = Broker;

    fn index(&self, node: usize) -> &Broker {
        &self.nodes[node]
    }
}

impl IndexMut<usize> for Cluster {
    fn index_mut(&mut self, node: usize) -> &mut Broker {
        &mut self.nodes[node]
    }
}
