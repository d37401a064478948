//! Requests of polling sessions that wait for their answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Links;

/// A request that waits for its answer.
pub(in crate::edge) struct Asked(Arc<Links>);

impl Links {
    /// Counts a request until its answer is there.
    pub(in crate::edge) fn asked(self: &Arc<Self>) -> Asked {
        self.asked.fetch_add(1, Ordering::AcqRel);
        Asked(self.clone())
    }

    pub(in crate::edge) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire) > 0
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.asked.fetch_sub(1, Ordering::AcqRel);
    }
}
