//! What has come of events that are sent in parts: one a node, since each node's parts follow each other.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use crate::fanout::nodes::NodeId;
use crate::fanout::nodes::parts::{Joined, Part, Whole};

/// Events of which some parts are here.
pub(super) struct Joining {
    wholes: HashMap<NodeId, Whole>,
    /// Bytes that all of them may come to.
    max_bytes: usize,
    /// One of which nothing more comes for so long is given up.
    patience: Duration,
}

/// What a part is to what is here.
pub(super) enum Next {
    /// All of its event is here.
    Whole(Bytes),
    /// More has to come.
    Waits,
    /// It goes on with nothing that is here.
    Stranger(Part),
}

impl Joining {
    pub(super) fn new(max_bytes: usize, patience: Duration) -> Self {
        Self {
            wholes: HashMap::new(),
            max_bytes,
            patience,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wholes.is_empty()
    }

    /// Gives up what was coming from a node. True: there was something.
    pub(super) fn give_up(&mut self, from: NodeId) -> bool {
        self.wholes.remove(&from).is_some()
    }

    /// Takes a part that goes on with what is here.
    pub(super) fn go_on(&mut self, from: NodeId, number: u64, part: Part) -> Next {
        match self.wholes.remove(&from) {
            Some(whole) if whole.goes_on_with(number, &part) => self.keep(from, whole.take(part)),
            before => {
                self.wholes.extend(before.map(|whole| (from, whole)));
                Next::Stranger(part)
            }
        }
    }

    /// Begins with the first part of an event. `None`: there is no room for it.
    pub(super) fn begin(&mut self, from: NodeId, number: u64, part: Part) -> Option<Next> {
        let taken: usize = self.wholes.values().map(Whole::length).sum();
        if taken.saturating_add(part.whole()) > self.max_bytes {
            return None;
        }
        Some(self.keep(from, part.begin(number)))
    }

    fn keep(&mut self, from: NodeId, joined: Joined) -> Next {
        match joined {
            Joined::Whole(bytes) => Next::Whole(bytes),
            Joined::Waits(whole) => {
                self.wholes.insert(from, whole);
                Next::Waits
            }
        }
    }

    /// Gives up what has waited too long, and says of whom.
    pub(super) fn expire(&mut self) -> Vec<NodeId> {
        let mut given_up = Vec::new();
        self.wholes.retain(|from, whole| {
            let stays = whole.idle() < self.patience;
            if !stays {
                given_up.push(*from);
            }
            stays
        });
        given_up
    }
}
