//! The limits on an instance's memory, and what all instances of a policy use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::ResourceLimiter;

/// The memory of one instance: all its linear memories and tables together stay below the limit.
pub(in crate::plugin) struct Memory {
    limit: usize,
    pub used: usize,
    usage: Arc<Usage>,
    /// A growth was refused: what traps afterwards, traps for want of memory.
    pub refused: bool,
}

/// What the instances of a policy use, on all threads together.
#[derive(Debug, Default)]
pub(in crate::plugin) struct Usage {
    instances: AtomicUsize,
    bytes: AtomicUsize,
}

impl Usage {
    /// How many instances there are, and their memory.
    pub(in crate::plugin) fn now(&self) -> (usize, usize) {
        let instances = self.instances.load(Ordering::Relaxed);
        (instances, self.bytes.load(Ordering::Relaxed))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.usage.instances.fetch_sub(1, Ordering::Relaxed);
        self.usage.bytes.fetch_sub(self.used, Ordering::Relaxed);
    }
}

impl Memory {
    pub(super) fn new(limit: u64, usage: Arc<Usage>) -> Self {
        usage.instances.fetch_add(1, Ordering::Relaxed);
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            used: 0,
            usage,
            refused: false,
        }
    }

    fn grow(&mut self, by: usize) -> bool {
        match self.used.checked_add(by) {
            Some(used) if used <= self.limit => {
                self.used = used;
                self.usage.bytes.fetch_add(by, Ordering::Relaxed);
                true
            }
            _ => {
                self.refused = true;
                false
            }
        }
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = desired.saturating_sub(current);
        Ok(self.grow(elements.saturating_mul(size_of::<usize>())))
    }

    // A component is several core instances; no honest one needs more than this.
    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_instances_use_is_added_up() {
        let usage = Arc::new(Usage::default());
        let mut one = Memory::new(100, usage.clone());
        let mut two = Memory::new(100, usage.clone());
        assert!(one.grow(60) && two.grow(30));
        assert!(!one.grow(60));
        assert_eq!(usage.now(), (2, 90));
        drop(one);
        assert_eq!(usage.now(), (1, 30));
        drop(two);
        assert_eq!(usage.now(), (0, 0));
    }
}
