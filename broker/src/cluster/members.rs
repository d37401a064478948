//! Who is in the cluster, and what this node knows of each: when it was last heard, which of its rooms are known here,
//! and which of this node's rooms it knows. Decides; what is decided is carried out by the caller.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::letter::{Beat, Vitals};
use crate::fanout::nodes::NodeId;

/// More nodes than any cluster has, so that what is told in the name of nodes cannot fill the memory.
const MAX_NODES: usize = 1000;

/// Changes that are kept while all rooms of a node are on their way.
const MAX_EARLY: usize = 1 << 18;

#[derive(Default)]
pub(super) struct Members {
    others: BTreeMap<NodeId, Other>,
    /// Places among the peers that are taken.
    places: Vec<bool>,
}

pub(super) struct Other {
    pub place: usize,
    pub vitals: Vitals,
    pub heard: Instant,
    /// What this node knows of its rooms.
    rooms: Rooms,
    /// What it knows of this node's.
    pub acked: u64,
    /// When it was asked for all its rooms.
    asked: Option<Instant>,
}

/// The rooms of another node, as far as they have been told.
#[derive(Default)]
struct Rooms {
    version: u64,
    bucketed: bool,
    /// Parts of all of them that have come.
    parts: Option<Parts>,
    /// What came while they were on their way.
    early: Vec<Told>,
}

struct Parts {
    version: u64,
    bucketed: bool,
    keys: BTreeMap<u32, Vec<u64>>,
    of: u32,
}

/// Changes as another node tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub after: u64,
    pub count: u64,
    pub changes: Vec<(u64, bool)>,
    pub bucketed: bool,
}

/// A part of all rooms of another node.
pub(super) struct Part {
    pub version: u64,
    pub bucketed: bool,
    pub part: u32,
    pub parts: u32,
    pub keys: Vec<u64>,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The directory learns of changes of the node in this place.
    Change {
        place: usize,
        changes: Vec<(u64, bool)>,
        bucketed: bool,
    },
    /// The directory learns all rooms of the node in this place.
    Replace {
        place: usize,
        keys: Vec<u64>,
        bucketed: bool,
    },
    /// The node is told up to where its rooms are known here.
    Ack(NodeId, u64),
    /// The node is asked for all its rooms.
    Want(NodeId),
}

/// What a sign of life meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Known,
    /// A node that was not known has the place.
    New(usize),
    /// There are too many.
    Refused,
}

impl Members {
    pub(super) fn heard(&mut self, id: NodeId, beat: Beat, now: Instant) -> (Heard, Option<Step>) {
        let is_new = !self.others.contains_key(&id);
        if is_new && self.others.len() >= MAX_NODES {
            return (Heard::Refused, None);
        }
        let places = &mut self.places;
        let other = self.others.entry(id).or_insert_with(|| Other {
            place: free(places),
            vitals: Vitals::default(),
            heard: now,
            rooms: Rooms::default(),
            acked: 0,
            asked: None,
        });
        other.heard = now;
        other.vitals = beat.vitals;
        // Changes come before the sign of life that counts them, so one that is not here is lost.
        let step = if beat.rooms_version == other.rooms.version {
            None
        } else {
            other.want(id, now)
        };
        match is_new {
            true => (Heard::New(other.place), step),
            false => (Heard::Known, step),
        }
    }

    pub(super) fn told(
        &mut self,
        id: NodeId,
        told: Told,
        now: Instant,
    ) -> Option<[Option<Step>; 2]> {
        let other = self.others.get_mut(&id)?;
        if told.after > other.rooms.version || told.bucketed != other.rooms.bucketed {
            let early = other.rooms.early.iter().map(|told| told.changes.len());
            if early.sum::<usize>() + told.changes.len() <= MAX_EARLY {
                other.rooms.early.push(told);
            }
            return Some([other.want(id, now), None]);
        }
        let change = other.rooms.change(other.place, told);
        Some([change, Some(Step::Ack(id, other.rooms.version))])
    }

    pub(super) fn part(&mut self, id: NodeId, part: Part) -> Vec<Step> {
        let Some(other) = self.others.get_mut(&id) else {
            return Vec::new();
        };
        let Some(mut steps) = other.rooms.part(other.place, part) else {
            return Vec::new();
        };
        other.asked = None;
        for told in std::mem::take(&mut other.rooms.early) {
            if told.after <= other.rooms.version && told.bucketed == other.rooms.bucketed {
                steps.extend(other.rooms.change(other.place, told));
            }
        }
        steps.push(Step::Ack(id, other.rooms.version));
        steps
    }

    pub(super) fn acked(&mut self, id: NodeId, version: u64) {
        if let Some(other) = self.others.get_mut(&id) {
            other.acked = other.acked.max(version);
        }
    }

    /// Up to which change this node knows another's rooms.
    pub(super) fn knows(&self, id: NodeId) -> Option<u64> {
        self.others.get(&id).map(|other| other.rooms.version)
    }

    /// Those that have not acknowledged this change.
    pub(super) fn owing(&self, version: u64) -> Vec<NodeId> {
        let others = self.others.iter();
        let owing = others.filter(|(_, other)| other.acked < version);
        owing.map(|(id, _)| *id).collect()
    }

    /// Up to which change of this node's rooms all others know them.
    pub(super) fn known(&self) -> u64 {
        let acked = self.others.values().map(|other| other.acked);
        acked.min().unwrap_or(u64::MAX)
    }

    /// Takes a node out. The answer is its place.
    pub(super) fn remove(&mut self, id: NodeId) -> Option<usize> {
        let place = self.others.remove(&id)?.place;
        if let Some(taken) = self.places.get_mut(place) {
            *taken = false;
        }
        Some(place)
    }

    /// Those that were not heard for so long.
    pub(super) fn silent(&self, now: Instant, timeout: Duration) -> Vec<NodeId> {
        let silent = |other: &Other| now.duration_since(other.heard) > timeout;
        let others = self.others.iter();
        others
            .filter(|(_, other)| silent(other))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Nobody could be heard until now.
    pub(super) fn forgive(&mut self, now: Instant) {
        self.others.values_mut().for_each(|other| other.heard = now);
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.others.keys().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.others.len()
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (NodeId, &Other)> {
        self.others.iter().map(|(id, other)| (*id, other))
    }

    /// The rooms of all that are known to be there are known.
    pub(super) fn are_known(&self) -> bool {
        self.others.values().all(|other| other.asked.is_none())
    }
}

fn free(places: &mut Vec<bool>) -> usize {
    let place = places
        .iter()
        .position(|taken| !taken)
        .unwrap_or(places.len());
    match places.get_mut(place) {
        Some(taken) => *taken = true,
        None => places.push(true),
    }
    place
}

/// Between two requests for all rooms of a node.
const AGAIN: Duration = Duration::from_millis(200);

impl Other {
    fn want(&mut self, id: NodeId, now: Instant) -> Option<Step> {
        if self
            .asked
            .is_some_and(|asked| now.duration_since(asked) < AGAIN)
        {
            return None;
        }
        self.asked = Some(now);
        Some(Step::Want(id))
    }
}

impl Rooms {
    /// The part of them that is news. They are numbered one by one.
    fn change(&mut self, place: usize, told: Told) -> Option<Step> {
        let last = told.after.checked_add(told.count)?;
        if last <= self.version {
            return None;
        }
        self.version = last;
        // Those that are known already are harmless: the last one of a room is the one that counts.
        (!told.changes.is_empty()).then_some(Step::Change {
            place,
            changes: told.changes,
            bucketed: told.bucketed,
        })
    }

    /// All rooms, when the last part has come.
    fn part(&mut self, place: usize, part: Part) -> Option<Vec<Step>> {
        // Older than what is known.
        if part.version < self.version || part.part >= part.parts {
            return None;
        }
        let is_other = |it: &Parts| it.version != part.version || it.of != part.parts;
        if self.parts.as_ref().is_none_or(is_other) {
            self.parts = Some(Parts {
                version: part.version,
                bucketed: part.bucketed,
                keys: BTreeMap::new(),
                of: part.parts,
            });
        }
        let parts = self.parts.as_mut()?;
        parts.keys.insert(part.part, part.keys);
        if parts.keys.len() < parts.of as usize {
            return None;
        }
        let parts = self.parts.take()?;
        (self.version, self.bucketed) = (parts.version, parts.bucketed);
        Some(vec![Step::Replace {
            place,
            keys: parts.keys.into_values().flatten().collect(),
            bucketed: parts.bucketed,
        }])
    }
}

#[cfg(test)]
mod tests;
