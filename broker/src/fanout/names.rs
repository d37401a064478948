//! Sockets by their names.

use std::hash::BuildHasher as _;

use hashbrown::HashTable;

use super::{ByToken, Member};
use crate::event::Client;

/// Finds sockets by their names. It has tokens only: the names are where they lead.
#[derive(Default)]
pub(super) struct Names {
    tokens: HashTable<u64>,
    /// Events are sent to whatever name a client likes, so nobody may know how names are hashed.
    hasher: foldhash::quality::RandomState,
}

impl Names {
    /// For one that is a member already.
    pub(super) fn insert(&mut self, client: &Client, members: &ByToken<Member>) {
        let hash_of = |name: &str| self.hasher.hash_one(name);
        let hash = hash_of(&client.peer.name);
        let again = |token: &u64| {
            let member = members.get(token);
            // All of them are members.
            member.map_or(0, |member| hash_of(&member.client.peer.name))
        };
        self.tokens.insert_unique(hash, client.peer.token, again);
    }

    pub(super) fn remove(&mut self, client: &Client) {
        let hash = self.hasher.hash_one(&*client.peer.name);
        let is_it = |token: &u64| *token == client.peer.token;
        if let Ok(found) = self.tokens.find_entry(hash, is_it) {
            found.remove();
        }
    }

    pub(super) fn find<'a>(
        &self,
        name: &str,
        members: &'a ByToken<Member>,
    ) -> Option<(u64, &'a Member)> {
        let named = |token: &u64| {
            let member = members.get(token);
            member.filter(|member| *member.client.peer.name == *name)
        };
        let hash = self.hasher.hash_one(name);
        let token = self.tokens.find(hash, |token| named(token).is_some())?;
        Some((*token, named(token)?))
    }
}
