//! Nodes in one process, and the network between them.

use super::*;

pub(super) struct Node {
    pub(super) name: String,
    pub(super) store: Arc<Store>,
    pub(super) gossip: Gossip,
    pub(super) is_alive: bool,
}

pub(super) struct Net {
    pub(super) nodes: Vec<Node>,
    pub(super) now: u64,
    /// When it comes, from whom, to whom.
    pub(super) on_the_way: Vec<(u64, usize, usize, News)>,
    /// A cut link carries nothing, and whoever is on its far side is seen as gone.
    pub(super) is_linked: Box<dyn Fn(usize, usize) -> bool>,
    pub(super) missed: u64,
}

pub(super) fn linked(_: usize, _: usize) -> bool {
    true
}

/// The node of this number is cut off.
pub(super) fn without(node: usize) -> Box<dyn Fn(usize, usize) -> bool> {
    Box::new(move |a, b| (a == node) == (b == node))
}

impl Net {
    pub(super) fn of(nodes: usize) -> Self {
        let node = |number: usize| {
            let store = Arc::new(Store::new());
            store.policy("p");
            let gossip = Gossip::new(&format!("n{number}"), Arc::clone(&store), TERMS);
            gossip.settle(true);
            Node {
                name: format!("n{number}"),
                gossip,
                store,
                is_alive: true,
            }
        };
        let net = Self {
            nodes: (0..nodes).map(node).collect(),
            now: 0,
            on_the_way: Vec::new(),
            is_linked: Box::new(linked),
            missed: 0,
        };
        net.look();
        net
    }

    pub(super) fn hears(&self, to: usize, from: usize) -> bool {
        self.nodes[from].is_alive && (self.is_linked)(from, to)
    }

    pub(super) fn look(&self) {
        for (number, node) in self.nodes.iter().enumerate() {
            let live = (0..self.nodes.len()).filter(|&from| self.hears(number, from));
            let live = live.count() as u32;
            let seen = Seen {
                live,
                // Whoever hears nobody has lost the servers.
                is_connected: live > 1,
            };
            node.gossip.look(seen, Millis(self.now));
        }
    }

    /// A millisecond goes by.
    pub(super) fn step(&mut self) {
        self.now += 1;
        let (now, on_the_way) = (self.now, std::mem::take(&mut self.on_the_way));
        let (come, wait) = on_the_way.into_iter().partition(|(at, ..)| *at <= now);
        self.on_the_way = wait;
        let come: Vec<(u64, usize, usize, News)> = come;
        for (_, from, to, news) in come {
            let node = &self.nodes[to];
            let heard = node
                .gossip
                .hear(&self.nodes[from].name, news, Millis(self.now));
            self.missed += heard.missed;
        }
        if self.now.is_multiple_of(TICK) {
            self.look();
            for from in 0..self.nodes.len() {
                self.tell(from);
            }
        }
    }

    pub(super) fn tell(&mut self, from: usize) {
        let others: Vec<_> = (0..self.nodes.len())
            .filter(|&to| to != from && self.hears(to, from))
            .collect();
        if others.is_empty() || !self.nodes[from].is_alive {
            return;
        }
        for news in self.nodes[from].gossip.news(Millis(self.now)) {
            // As it goes over the wire.
            let bytes = rmp_serde::to_vec_named(&news).unwrap();
            assert!(bytes.len() < 900_000, "{}", bytes.len());
            for &to in &others {
                let news = rmp_serde::from_slice(&bytes).unwrap();
                self.on_the_way.push((self.now + LATE, from, to, news));
            }
        }
    }

    pub(super) fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.step();
        }
    }

    pub(super) fn state(&self, node: usize) -> Arc<PolicyState> {
        self.nodes[node].store.policy("p")
    }

    pub(super) fn take(&self, node: usize, rule: &BucketRule) -> Decision {
        let user = SubjectKey::User("alice".into());
        self.state(node)
            .take(rule, user.as_ref(), 1, Millis(self.now))
    }

    /// Every node asks so many times a second; says how often each was given.
    pub(super) fn ask(&mut self, rule: &BucketRule, a_second: u64, ms: u64) -> Vec<u64> {
        let mut given = vec![0; self.nodes.len()];
        for _ in 0..ms {
            self.step();
            for (node, given) in given.iter_mut().enumerate() {
                // Not all at the same moment.
                if (self.now + node as u64 * 7) * a_second % 1000 < a_second
                    && self.nodes[node].is_alive
                {
                    *given += u64::from(self.take(node, rule).allowed);
                }
            }
        }
        given
    }

    pub(super) fn get(&self, node: usize, key: &str) -> Option<String> {
        let value = self.state(node).shared().get(key, Millis(self.now));
        Some(String::from_utf8(value.unwrap()?.to_vec()).unwrap())
    }

    pub(super) fn set(&self, node: usize, key: &str, value: &str) {
        let state = self.state(node);
        let set = state
            .shared()
            .set(key, value.as_bytes(), 0, Millis(self.now));
        set.unwrap();
    }

    pub(super) fn add(&self, node: usize, key: &str, by: i64) -> i64 {
        let state = self.state(node);
        state.shared().add(key, by, 0, Millis(self.now)).unwrap()
    }

    pub(super) fn take_over(&self, node: usize, from: usize, counts: bool) {
        let mut asked = Some(From::default());
        while let Some(from_here) = asked {
            let chunk = self.nodes[from].gossip.chunk(&from_here, Millis(self.now));
            let node = &self.nodes[node].gossip;
            asked = node.take_over(&from_here, chunk, counts, Millis(self.now));
        }
    }
}
