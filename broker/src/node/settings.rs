//! What the node runs by, and what of its configuration waits for a restart.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Node;
use crate::config::{Change, Config};

impl Node {
    /// Of the pipelines that serve.
    pub(crate) fn generation(&self) -> u64 {
        self.broker.pipelines.load().generation
    }

    /// Runs by other settings from now on.
    pub(crate) fn reconfigure(&self, config: Arc<Config>) {
        self.emitter.reconfigure(&config.server);
        self.config.store(config);
    }

    /// Replaces what waits for a restart, and tells whether that is different from before.
    pub(crate) fn waits_for_restart(&self, waiting: &[Change]) -> bool {
        let mut known = self.waiting.lock();
        let is_news = *known != waiting;
        known.clear();
        known.extend_from_slice(waiting);
        is_news
    }

    /// This configuration is followed from now on.
    pub(crate) fn is_configured(&self, effective: Arc<serde_json::Value>) {
        self.effective.store(effective);
    }

    /// The process goes on with what it has, and a restart is needed to change anything.
    pub(crate) fn stopped_following(&self) {
        self.blind.store(true, Ordering::Relaxed);
    }
}
