//! The members of one room.

use std::sync::Arc;

use super::{ByToken, Outlet};

/// Most rooms have one member: a user's own, an order's, a document's. Those have no table.
pub(super) enum Room {
    One(u64, Arc<dyn Outlet>),
    Many(Box<ByToken<Arc<dyn Outlet>>>),
}

impl Room {
    pub(super) fn insert(&mut self, token: u64, outlet: Arc<dyn Outlet>) {
        match self {
            Self::One(other, _) if *other == token => {}
            Self::One(other, its) => {
                let members = [(*other, its.clone()), (token, outlet)];
                *self = Self::Many(Box::new(members.into_iter().collect()));
            }
            Self::Many(members) => {
                members.insert(token, outlet);
            }
        }
    }

    /// True: nobody is left.
    pub(super) fn remove(&mut self, token: u64) -> bool {
        match self {
            Self::One(other, _) => *other == token,
            Self::Many(members) => {
                members.swap_remove(&token);
                if let (1, Some((token, outlet))) = (members.len(), members.first()) {
                    *self = Self::One(*token, outlet.clone());
                }
                false
            }
        }
    }

    pub(super) fn contains(&self, token: u64) -> bool {
        match self {
            Self::One(other, _) => *other == token,
            Self::Many(members) => members.contains_key(&token),
        }
    }

    pub(super) fn each(&self, mut member: impl FnMut(u64, &Arc<dyn Outlet>)) {
        match self {
            Self::One(token, outlet) => member(*token, outlet),
            Self::Many(members) => {
                for (token, outlet) in members.iter() {
                    member(*token, outlet);
                }
            }
        }
    }
}
