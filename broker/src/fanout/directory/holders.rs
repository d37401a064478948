//! Who holds a room.

use super::{Kind, Peer};

/// Who holds a room. Nearly always one peer: most rooms have one member.
pub(super) enum Holders {
    One(Holder),
    Several(Box<[Holder]>),
}

/// Counted, because a name may be a room's and a socket's, and because rooms may share a hash.
pub(super) struct Holder {
    pub(super) peer: u16,
    names: u16,
    rooms: u32,
}

// === impl Holders ===

impl Holders {
    pub(super) fn as_slice(&self) -> &[Holder] {
        match self {
            Self::One(holder) => std::slice::from_ref(holder),
            Self::Several(holders) => holders,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Holder] {
        match self {
            Self::One(holder) => std::slice::from_mut(holder),
            Self::Several(holders) => holders,
        }
    }

    /// True: the name is the first of its kind with any of the reactors.
    pub(super) fn add(&mut self, kind: Kind, peer: Peer, reactors: usize) -> bool {
        let is_first = self.has_none(kind, reactors);
        let its = self.as_mut_slice().iter_mut();
        match its.into_iter().find(|it| usize::from(it.peer) == peer.0) {
            Some(holder) => holder.count(kind, 1),
            None => self.push(Holder::new(kind, peer)),
        }
        is_first
    }

    fn push(&mut self, holder: Holder) {
        *self = match std::mem::take(self) {
            Self::One(first) => Self::Several([first, holder].into()),
            Self::Several(holders) if holders.is_empty() => Self::One(holder),
            Self::Several(holders) => Self::Several(holders.into_iter().chain([holder]).collect()),
        };
    }

    fn has_none(&self, kind: Kind, reactors: usize) -> bool {
        let here = |it: &&Holder| usize::from(it.peer) < reactors;
        let holders = self.as_slice().iter();
        holders.filter(here).all(|it| it.has_none(kind))
    }

    /// True: no reactor has one of that kind any more.
    pub(super) fn remove(&mut self, kind: Kind, peer: Peer, reactors: usize) -> bool {
        let its = self.as_mut_slice().iter_mut();
        let Some(holder) = its
            .into_iter()
            .find(|it| usize::from(it.peer) == peer.0 && !it.has_none(kind))
        else {
            return false;
        };
        holder.count(kind, -1);
        let is_empty = |it: &Holder| it.has_none(Kind::Room) && it.has_none(Kind::Name);
        match self {
            Self::One(holder) if is_empty(holder) => *self = Self::default(),
            Self::One(_) => {}
            Self::Several(holders) => {
                let all = std::mem::take(holders).into_iter();
                *holders = all.filter(|it| !is_empty(it)).collect();
            }
        }
        self.has_none(kind, reactors)
    }
}

impl Default for Holders {
    fn default() -> Self {
        Self::Several(Box::default())
    }
}

impl Holder {
    fn new(kind: Kind, peer: Peer) -> Self {
        let mut holder = Self {
            // There are a thousand reactors at the most, and as many nodes.
            peer: u16::try_from(peer.0).unwrap_or(u16::MAX),
            names: 0,
            rooms: 0,
        };
        holder.count(kind, 1);
        holder
    }

    fn has_none(&self, kind: Kind) -> bool {
        match kind {
            Kind::Room => self.rooms == 0,
            Kind::Name | Kind::Hidden => self.names == 0,
        }
    }

    fn count(&mut self, kind: Kind, by: i8) {
        match kind {
            Kind::Room => self.rooms = self.rooms.saturating_add_signed(by.into()),
            Kind::Name | Kind::Hidden => self.names = self.names.saturating_add_signed(by.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_s_holders_take_up_little() {
        assert_eq!(size_of::<Holders>(), 16);
    }
}
