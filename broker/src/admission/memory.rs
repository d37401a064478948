//! Whether the process has room for more. What is in goes on; only who would come is sent elsewhere.

mod trim;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Admission;
use crate::config::MaxMemory;
use crate::telemetry::events::MemoryPressure;
use crate::telemetry::metrics::Pressure;
use crate::telemetry::{memory_limit, resident_bytes};

/// Between two looks. A flood of new clients takes a few megabytes meanwhile.
const PAUSE: Duration = Duration::from_millis(250);

/// Between two times that the allocator is asked to give back what is free.
const REST: Duration = Duration::from_secs(2);

/// Parts of the bound, in hundredths, from which on the node is not ready and from which on it is again. The two are
/// apart so that it does not come and go with every client.
const TIGHT: u64 = 90;
const EASY: u64 = 85;
/// The same for new connections.
const FULL: u64 = 100;
const LESS: u64 = 95;

pub(crate) struct Memory {
    /// In bytes; zero: any.
    bound: AtomicU64,
    pressure: AtomicU8,
}

fn is_above(taken: u64, bound: u64, hundredths: u64) -> bool {
    u128::from(taken) * 100 >= u128::from(bound) * u128::from(hundredths)
}

/// What the pressure becomes when so much of the bound is taken.
fn next(before: Pressure, taken: u64, bound: u64) -> Pressure {
    let full = match before {
        Pressure::Full => LESS,
        _ => FULL,
    };
    let tight = match before {
        Pressure::None => TIGHT,
        _ => EASY,
    };
    if is_above(taken, bound, full) {
        Pressure::Full
    } else if is_above(taken, bound, tight) {
        Pressure::Tight
    } else {
        Pressure::None
    }
}

impl Memory {
    pub(super) fn new(max: MaxMemory) -> Self {
        Self {
            bound: AtomicU64::new(bound(max)),
            pressure: AtomicU8::new(Pressure::None as u8),
        }
    }

    pub(super) fn reconfigure(&self, max: MaxMemory) {
        self.bound.store(bound(max), Ordering::Relaxed);
    }

    pub(crate) fn pressure(&self) -> Pressure {
        match self.pressure.load(Ordering::Relaxed) {
            0 => Pressure::None,
            1 => Pressure::Tight,
            _ => Pressure::Full,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.pressure() == Pressure::Full
    }

    /// So much is taken that it matters what of it is free.
    fn is_near(&self, resident: u64) -> bool {
        let bound = self.bound.load(Ordering::Relaxed);
        bound > 0 && is_above(resident, bound, EASY)
    }

    fn look(&self, resident: u64) {
        let before = self.pressure();
        let bound = self.bound.load(Ordering::Relaxed);
        let pressure = match bound {
            0 => Pressure::None,
            bound => next(before, resident, bound),
        };
        self.pressure.store(pressure as u8, Ordering::Relaxed);
        MemoryPressure {
            pressure,
            is_news: pressure != before,
            resident,
            bound,
        }
        .emit();
    }
}

/// What the configuration means here, in bytes.
fn bound(max: MaxMemory) -> u64 {
    match max {
        MaxMemory::Any => 0,
        MaxMemory::Bytes(bytes) => bytes,
        MaxMemory::Auto => memory_limit().map_or(0, |limit| limit / 10 * 9),
    }
}

impl Admission {
    /// Looks at what the process takes up, for as long as somebody asks. Never ends where that can be seen.
    pub(crate) async fn watch_memory(self: Arc<Self>) {
        let admission = Arc::downgrade(&self);
        drop(self);
        let mut trimmed: Option<Instant> = None;
        while let Some(admission) = admission.upgrade() {
            let Some(mut resident) = resident_bytes() else {
                return;
            };
            if admission.memory.is_near(resident) && trimmed.is_none_or(|at| at.elapsed() >= REST) {
                // What is free is no reason to send anybody away.
                let _ = tokio::task::spawn_blocking(trim::give_back).await;
                trimmed = Some(Instant::now());
                resident = resident_bytes().unwrap_or(resident);
            }
            admission.memory.look(resident);
            drop(admission);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_comes_and_goes_at_different_heights() {
        let mut pressure = Pressure::None;
        for (taken, then) in [
            (0, Pressure::None),
            (899, Pressure::None),
            (900, Pressure::Tight),
            (860, Pressure::Tight),
            (849, Pressure::None),
            (1000, Pressure::Full),
            (960, Pressure::Full),
            (949, Pressure::Tight),
            (999, Pressure::Tight),
            (5000, Pressure::Full),
            (0, Pressure::None),
        ] {
            pressure = next(pressure, taken, 1000);
            assert_eq!(pressure, then, "{taken}");
        }
    }

    #[test]
    fn a_bound_that_is_taken_away_bounds_nothing() {
        let memory = Memory::new(MaxMemory::Bytes(1000));
        memory.look(2000);
        assert!(memory.is_full());
        memory.reconfigure(MaxMemory::Any);
        memory.look(2000);
        assert_eq!(memory.pressure(), Pressure::None);
    }
}
