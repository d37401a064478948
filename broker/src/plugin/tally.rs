//! Counting over all nodes as one, for connect hooks: what the plugin room asks of whoever reaches the cluster's store.

use std::time::Duration;

use futures_util::future::BoxFuture;

/// The longest that an answer is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Whoever counts. An answer comes within [`PATIENCE`], or says that it did not.
pub(crate) trait StrictCounters: Send + Sync {
    /// Adds to a policy's counter, which begins with 0, and says what it is now. `ttl_ms` is read when it begins; 0:
    /// without end.
    fn add(
        &self,
        policy: &str,
        key: &str,
        by: i64,
        ttl_ms: u64,
    ) -> BoxFuture<'static, Result<i64, String>>;
}
