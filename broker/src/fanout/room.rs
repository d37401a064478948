//! The members of one room.

use std::sync::Arc;

use super::{ByToken, Outlet};

/// Most rooms are small: a user's own, an order's, a conversation's. Those have no table, which would cost memory, and
/// where there are many rooms a detour through memory that nobody has looked at lately.
pub(super) enum Room {
    One(u64, Arc<dyn Outlet>),
    Few(Vec<(u64, Arc<dyn Outlet>)>),
    Many(Box<ByToken<Arc<dyn Outlet>>>),
}

/// A list as long as this is searched as fast as a table.
const FEW: usize = 16;

impl Room {
    /// A room without members, which is none.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Few(members) if members.is_empty())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Few(members) => members.len(),
            Self::Many(members) => members.len(),
        }
    }

    /// False: it is in there already.
    pub(super) fn insert(&mut self, token: u64, outlet: &Arc<dyn Outlet>) -> bool {
        if self.contains(token) {
            return false;
        }
        let new = (token, outlet.clone());
        match self {
            Self::One(other, its) => *self = Self::Few(vec![(*other, its.clone()), new]),
            Self::Few(members) if members.len() < FEW => members.push(new),
            Self::Few(members) => {
                let members = std::mem::take(members).into_iter().chain([new]);
                *self = Self::Many(Box::new(members.collect()));
            }
            Self::Many(members) => {
                members.insert(token, new.1);
            }
        }
        true
    }

    pub(super) fn remove(&mut self, token: u64) {
        match self {
            Self::One(other, _) if *other == token => *self = Self::Few(Vec::new()),
            Self::One(..) => {}
            Self::Few(members) => {
                members.retain(|(other, _)| *other != token);
                if let [(token, outlet)] = members.as_slice() {
                    *self = Self::One(*token, outlet.clone());
                }
            }
            Self::Many(members) => {
                members.swap_remove(&token);
                // Not as soon as it could, so that one who comes and goes does not turn it to and fro.
                if members.len() <= FEW / 2 {
                    *self = Self::Few(std::mem::take(&mut **members).into_iter().collect());
                }
            }
        }
    }

    pub(super) fn contains(&self, token: u64) -> bool {
        match self {
            Self::One(other, _) => *other == token,
            Self::Few(members) => members.iter().any(|(other, _)| *other == token),
            Self::Many(members) => members.contains_key(&token),
        }
    }

    pub(super) fn each(&self, mut member: impl FnMut(u64, &Arc<dyn Outlet>)) {
        match self {
            Self::One(token, outlet) => member(*token, outlet),
            Self::Few(members) => {
                for (token, outlet) in members {
                    member(*token, outlet);
                }
            }
            Self::Many(members) => {
                for (token, outlet) in members.iter() {
                    member(*token, outlet);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::fanout::Frame;

    struct Nobody;

    impl Outlet for Nobody {
        fn encode(&self, _: &Event) -> Frame {
            Frame::new(())
        }

        fn send(&self, _: &Frame) {}

        fn ack(&self, _: i64, _: &str) {}

        fn disconnect(&self) {}
    }

    fn tokens(room: &Room) -> Vec<u64> {
        let mut tokens = Vec::new();
        room.each(|token, _| tokens.push(token));
        tokens.sort_unstable();
        tokens
    }

    #[test]
    fn it_has_who_came_and_did_not_go_however_many() {
        let outlet: Arc<dyn Outlet> = Arc::new(Nobody);
        let mut room = Room::One(0, outlet.clone());
        let most = 3 * FEW as u64;
        for token in 0..most {
            assert_eq!(room.insert(token, &outlet), token > 0);
            assert!(!room.insert(token, &outlet));
            assert_eq!(tokens(&room), (0..=token).collect::<Vec<_>>());
        }
        for token in 0..most {
            assert!(room.contains(token) && !room.is_empty());
            room.remove(token);
            room.remove(token);
            assert!(!room.contains(token));
            assert_eq!(tokens(&room), (token + 1..most).collect::<Vec<_>>());
        }
        assert!(room.is_empty());
    }

    #[test]
    fn a_room_is_no_larger_than_what_a_single_member_needs() {
        assert!(size_of::<Room>() <= 32);
    }
}
