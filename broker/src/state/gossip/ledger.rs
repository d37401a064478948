//! What a node has said and heard, so that two nodes can tell what one of them has counted and the other has not: the
//! number of the last message of each node, and what the latest messages added.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::state::news::News;

/// Nodes whose messages are counted.
const MAX_NODES: usize = 1024;

/// What is remembered of additions. A node that is behind by more than this counts without the rest.
const MAX_ADDED: usize = 16_384;

/// By node, the number of the last of its messages that is counted in.
pub(super) type Numbers = HashMap<String, u64>;

#[derive(Debug)]
pub(super) struct Ledger {
    /// This node.
    own: String,
    numbers: Numbers,
    added: VecDeque<Added>,
}

#[derive(Debug)]
struct Added {
    node: Arc<str>,
    number: u64,
    policy: String,
    key: String,
    by: i64,
}

impl Ledger {
    pub(super) fn new(own: &str) -> Self {
        Self {
            own: own.to_owned(),
            numbers: Numbers::new(),
            added: VecDeque::new(),
        }
    }

    pub(super) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// Gives a message of this node its number.
    pub(super) fn say(&mut self, news: &mut News) {
        let number = self.numbers.entry(self.own.clone()).or_insert(0);
        *number += 1;
        news.seq = *number;
        self.note(&self.own.clone(), news);
    }

    /// A message has come; says how many before it have not. What it adds has been counted in already if it is not
    /// the latest of its node: a node that takes over counters takes over what they are made of.
    pub(super) fn hear(&mut self, from: &str, news: &mut News) -> u64 {
        let missed = match self.numbers.get_mut(from) {
            Some(last) if news.seq <= *last => {
                news.policies.iter_mut().for_each(|of| of.added.clear());
                return 0;
            }
            Some(last) => news.seq - std::mem::replace(last, news.seq) - 1,
            None => {
                if self.numbers.len() >= MAX_NODES {
                    let own = self.numbers.remove_entry(&self.own);
                    self.numbers = own.into_iter().collect();
                    self.added.clear();
                }
                self.numbers.insert(from.to_owned(), news.seq);
                // What it said before this node was there is asked for by other means.
                0
            }
        };
        self.note(from, news);
        missed
    }

    fn note(&mut self, node: &str, news: &News) {
        let node: Arc<str> = node.into();
        for of in &news.policies {
            for addition in of.added.iter().filter(|it| it.by != 0) {
                if self.added.len() >= MAX_ADDED {
                    self.added.pop_front();
                }
                self.added.push_back(Added {
                    node: node.clone(),
                    number: news.seq,
                    policy: of.policy.clone(),
                    key: addition.key.clone(),
                    by: addition.by,
                });
            }
        }
    }

    /// What was added here to counters of a policy, by key, and is not in what another node has counted.
    pub(super) fn beyond(&self, policy: &str, theirs: &Numbers) -> HashMap<&str, i64> {
        let mut beyond = HashMap::new();
        let is_beyond = |it: &&Added| {
            it.policy == policy && it.number > theirs.get(&*it.node).copied().unwrap_or(0)
        };
        for added in self.added.iter().filter(is_beyond) {
            let by: &mut i64 = beyond.entry(&*added.key).or_default();
            *by = by.saturating_add(added.by);
        }
        beyond
    }

    /// This node's counters are those of another one now, and what is not in them has been added.
    pub(super) fn adopt(&mut self, theirs: &Numbers) {
        for (node, number) in theirs.iter().take(MAX_NODES) {
            if *node != self.own {
                let last = self.numbers.entry(node.clone()).or_insert(0);
                *last = (*last).max(*number);
            }
        }
    }
}
