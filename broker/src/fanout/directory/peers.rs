//! Sets of peers.

use super::Peer;

/// A set of peers. No allocation below 64 of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::fanout) struct Peers {
    first: u64,
    rest: Vec<u64>,
}

// === impl Peers ===

impl Peers {
    fn place(&mut self, peer: Peer) -> Option<(&mut u64, u64)> {
        let bit = 1 << (peer.0 % 64);
        match (peer.0 / 64).checked_sub(1) {
            None => Some((&mut self.first, bit)),
            Some(word) => Some((self.rest.get_mut(word)?, bit)),
        }
    }

    pub(super) fn insert(&mut self, peer: Peer) {
        if peer.0 / 64 > self.rest.len() {
            self.rest.resize(peer.0 / 64, 0);
        }
        if let Some((word, bit)) = self.place(peer) {
            *word |= bit;
        }
    }

    pub(super) fn remove(&mut self, peer: Peer) {
        if let Some((word, bit)) = self.place(peer) {
            *word &= !bit;
        }
    }

    pub(in crate::fanout) fn contains(&self, peer: Peer) -> bool {
        let word = match (peer.0 / 64).checked_sub(1) {
            None => Some(&self.first),
            Some(word) => self.rest.get(word),
        };
        word.is_some_and(|word| word & (1 << (peer.0 % 64)) != 0)
    }

    /// The peers from this number on, counted from it.
    pub(in crate::fanout) fn beyond(&self, first: usize) -> impl Iterator<Item = usize> + '_ {
        let end = 64 * (1 + self.rest.len());
        let there = move |number: &usize| self.contains(Peer(*number));
        (first..end).filter(there).map(move |number| number - first)
    }

    /// Whether there is one from this number on.
    pub(in crate::fanout) fn reach(&self, first: usize) -> bool {
        match first / 64 {
            0 => self.first >> (first % 64) != 0 || !self.rest.is_empty(),
            _ => !self.rest.is_empty(),
        }
    }

    /// Those below this number.
    pub(in crate::fanout) fn below(mut self, end: usize) -> Self {
        let there: Vec<_> = self.beyond(end).collect();
        for number in there {
            self.remove(Peer(end + number));
        }
        self
    }

    pub(in crate::fanout) fn len(&self) -> usize {
        let words = std::iter::once(&self.first).chain(&self.rest);
        words.map(|word| word.count_ones() as usize).sum()
    }

    pub(in crate::fanout) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
