//! Lists of what there is, page by page: each page is what comes first behind the last of the one before, so what comes and
//! goes meanwhile moves nothing else. Every one that is meant is looked at, and only a page of them is kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::{Home, Member};
use crate::event::hidden;

/// Where a socket stands among those of a namespace: the oldest first, to the millisecond.
pub(crate) type Age = (u64, Arc<str>);

/// The first of what is offered, by key.
struct First<K, V> {
    kept: BTreeMap<K, V>,
    most: usize,
}

impl<K: Ord, V> First<K, V> {
    fn new(most: usize) -> Self {
        Self {
            kept: BTreeMap::new(),
            most,
        }
    }

    fn offer(&mut self, key: K, value: impl FnOnce() -> V) {
        if self.kept.len() >= self.most
            && self
                .kept
                .last_key_value()
                .is_none_or(|(last, _)| key >= *last)
        {
            return;
        }
        self.kept.insert(key, value());
        if self.kept.len() > self.most {
            self.kept.pop_last();
        }
    }
}

impl Member {
    pub(crate) fn age(&self) -> Age {
        let since = self.outlet.about().since.duration_since(UNIX_EPOCH);
        let since = since.unwrap_or_default().as_millis();
        let ms = u64::try_from(since).unwrap_or(u64::MAX);
        (ms, Arc::from(&*self.client.peer.name))
    }
}

impl Home {
    /// The first of its sockets that are wanted, by namespace and age, behind `after`: at most so many, of a namespace and
    /// a room or of all.
    pub(crate) fn first(
        &self,
        namespace: Option<&str>,
        room: Option<&str>,
        after: Option<(&str, &Age)>,
        most: usize,
        is_wanted: impl Fn(&Member) -> bool,
    ) -> Vec<Member> {
        let mut names = self.0.namespaces();
        names.retain(|name| {
            namespace.is_none_or(|it| it == &**name)
                && after.is_none_or(|(behind, _)| &**name >= behind)
        });
        names.sort_unstable();
        let mut found = Vec::new();
        for name in names {
            if found.len() >= most {
                break;
            }
            let behind = after.filter(|(its, _)| *its == &*name).map(|(_, age)| age);
            let mut first = First::new(most - found.len());
            self.0.each(&name, room, |member| {
                let age = member.age();
                if behind.is_none_or(|behind| age > *behind) && is_wanted(member) {
                    first.offer(age, || member.clone());
                }
            });
            found.extend(first.kept.into_values());
        }
        found
    }

    /// The first of its rooms in a namespace, by name, behind `after`: at most so many.
    pub(crate) fn rooms(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        most: usize,
    ) -> Vec<Arc<str>> {
        let mut first = First::new(most);
        self.0.each_room(namespace, |room| {
            if room.starts_with(prefix)
                && after.is_none_or(|after| &**room > after)
                && !hidden::is(room)
            {
                first.offer(room.clone(), || ());
            }
        });
        first.kept.into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_first_is_kept() {
        let mut first = First::new(3);
        for number in [5, 1, 9, 3, 7, 2, 8] {
            first.offer(number, || number * 10);
        }
        assert_eq!(
            first.kept.into_iter().collect::<Vec<_>>(),
            [(1, 10), (2, 20), (3, 30)]
        );
        let mut none = First::new(0);
        none.offer(1, || ());
        assert!(none.kept.is_empty());
    }
}
