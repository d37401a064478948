//! What happens to modules before they serve.

use std::path::Path;
use std::time::Duration;

use tracing::{debug, warn};

use super::{MAX_DETAIL, POLICY, cut, millis};
use crate::telemetry::metrics::{CacheFault, Compiled, metrics};

/// A module can be made a policy of: it was compiled, or found in the cache.
pub(crate) struct ModuleReady<'a> {
    pub digest: &'a str,
    pub compiled: Compiled,
    pub took: Duration,
}

impl ModuleReady<'_> {
    pub(crate) fn emit(self) {
        metrics().compiled(self.compiled);
        if self.compiled == Compiled::Fresh {
            metrics().traffic.compiled(self.took);
        }
        debug!(
            target: POLICY,
            digest = self.digest,
            compiled = self.compiled.as_str(),
            took_ms = millis(self.took),
            "module ready"
        );
    }
}

/// A compiled module is not what this broker has put into the cache; it is compiled again.
pub(crate) struct CacheEntryRejected<'a> {
    pub file: &'a Path,
    pub reason: &'a str,
}

impl CacheEntryRejected<'_> {
    pub(crate) fn emit(self) {
        metrics().cache_fault(CacheFault::Rejected);
        warn!(
            target: POLICY,
            file = %self.file.display(),
            reason = &*cut(self.reason, MAX_DETAIL),
            "compiled module rejected"
        );
    }
}

/// A compiled module was not kept; the next start compiles it again.
pub(crate) struct CacheUnwritable<'a> {
    pub file: &'a Path,
    pub reason: &'a str,
}

impl CacheUnwritable<'_> {
    pub(crate) fn emit(self) {
        metrics().cache_fault(CacheFault::Unwritable);
        warn!(
            target: POLICY,
            file = %self.file.display(),
            reason = &*cut(self.reason, MAX_DETAIL),
            "compiled module not kept"
        );
    }
}
