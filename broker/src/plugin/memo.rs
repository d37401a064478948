//! Compiled modules by their bytes, those that do not compile included, so that the same bytes compile once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::module::{Digest, NotAPolicy};

/// What the last build saw; `T` is a module.
pub(super) struct Memo<T> {
    known: HashMap<Digest, Result<Arc<T>, String>>,
    seen: HashSet<Digest>,
}

impl<T> Memo<T> {
    pub(super) fn new() -> Self {
        Self {
            known: HashMap::new(),
            seen: HashSet::new(),
        }
    }

    /// The module, compiled if these bytes are new.
    pub(super) fn get(
        &mut self,
        digest: Digest,
        compile: impl FnOnce() -> Result<T, NotAPolicy>,
    ) -> Result<Arc<T>, String> {
        self.seen.insert(digest);
        if let Some(known) = self.known.get(&digest) {
            return known.clone();
        }
        let compiled = compile();
        // That one ran, under a deadline: on another day it may be in time.
        let is_lasting = !matches!(compiled, Err(NotAPolicy::Describe(_)));
        let compiled = compiled.map(Arc::new).map_err(|error| error.to_string());
        if is_lasting {
            self.known.insert(digest, compiled.clone());
        }
        compiled
    }

    /// Takes note of a module that is in use and was found again.
    pub(super) fn keep(&mut self, digest: Digest, module: &Arc<T>) {
        self.seen.insert(digest);
        self.known.insert(digest, Ok(module.clone()));
    }

    /// At the end of a build: forgets what it did not see.
    pub(super) fn prune(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        self.known.retain(|digest, _| seen.contains(digest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Result<&'static str, NotAPolicy> {
        panic!("compiled again")
    }

    #[test]
    fn the_same_bytes_compile_once() {
        let mut memo = Memo::new();
        let [good, bad] = [Digest::of(b"good"), Digest::of(b"bad")];
        assert!(memo.get(good, || Ok("module")).is_ok());
        let first = memo.get(bad, || Err(NotAPolicy::NotWasm));
        for _ in 0..3 {
            memo.prune();
            assert_eq!(memo.get(good, known).as_deref(), Ok(&"module"));
            assert_eq!(memo.get(bad, known), first);
        }
    }

    #[test]
    fn what_a_build_does_not_see_is_forgotten() {
        let mut memo = Memo::new();
        let [old, new] = [Digest::of(b"old"), Digest::of(b"new")];
        assert!(memo.get(old, || Ok("old")).is_ok());
        memo.prune();
        memo.keep(new, &Arc::new("new"));
        memo.prune();
        assert_eq!(memo.get(new, known).as_deref(), Ok(&"new"));
        assert_eq!(memo.get(old, || Ok("again")).as_deref(), Ok(&"again"));
    }

    #[test]
    fn a_deadline_that_was_missed_is_not_held_against_a_module() {
        let mut memo = Memo::new();
        let digest = Digest::of(b"slow");
        let late = || Err(NotAPolicy::Describe("late".into()));
        assert!(memo.get(digest, late).is_err());
        assert!(memo.get(digest, || Ok("in time")).is_ok());
    }
}
