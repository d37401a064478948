//! The time on an event's path: a processor's counter where the kernel goes by it as well, because reading the kernel's
//! clock costs more than a quarter of a call of a policy.
//!
//! Until the counter has been compared with the kernel's clock, and from when on they differ, the kernel's is read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Once, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often the counter is compared with the kernel's clock.
const CHECK: Duration = Duration::from_secs(1);

/// A moment of one clock that no change of the machine's time moves, in nanoseconds since this process first read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

static COUNTER: OnceLock<Counter> = OnceLock::new();

/// Whether the counter is read. Whoever finds that it is not any more finds [`AHEAD`] as well.
static IS_RIGHT: AtomicBool = AtomicBool::new(false);

/// How far the counter was ahead of the kernel's clock when they were found to differ: time does not go back.
static AHEAD: AtomicU64 = AtomicU64::new(0);

/// A counter, and what it said at some moment.
struct Counter {
    clock: quanta::Clock,
    reading: u64,
    at: u64,
}

/// One reading of the counter, between two of the kernel's clock.
#[derive(Clone, Copy)]
struct Sample {
    before: u64,
    counter: u64,
    after: u64,
}

// === impl Moment ===

impl Moment {
    #[inline]
    pub(crate) fn now() -> Self {
        if IS_RIGHT.load(Ordering::Acquire)
            && let Some(counter) = COUNTER.get()
        {
            return Self(counter.nanos());
        }
        Self(kernel() + AHEAD.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    #[cfg(test)]
    pub(crate) fn later(self, by: Duration) -> Self {
        Self(self.0 + by.as_nanos() as u64)
    }

    pub(crate) fn millis(self) -> u64 {
        self.0 / 1_000_000
    }
}

/// Begins to read the counter, once it is known how fast it counts, and watches over it from then on.
///
/// On a thread of its own, because finding out may take a fifth of a second.
pub(crate) fn use_counter() -> std::io::Result<()> {
    static ONCE: Once = Once::new();
    let mut started = Ok(());
    ONCE.call_once(|| {
        if is_kernels_own() {
            let thread = thread::Builder::new().name("clock".into());
            started = thread.spawn(watch).map(drop);
        }
    });
    started
}

fn watch() {
    let counter = COUNTER.get_or_init(Counter::new);
    let mut last = Sample::take(counter);
    IS_RIGHT.store(true, Ordering::Release);
    loop {
        thread::sleep(CHECK);
        let now = Sample::take(counter);
        if !last.agrees(&now) {
            let ahead = now.counter.saturating_sub(now.after);
            AHEAD.store(ahead, Ordering::Relaxed);
            IS_RIGHT.store(false, Ordering::Release);
            return;
        }
        last = now;
    }
}

/// Nanoseconds by the kernel's clock.
fn kernel() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Where the kernel has found that the counters of the processors do not agree, it says so by its own choice.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn is_kernels_own() -> bool {
    let chosen = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    std::fs::read_to_string(chosen).is_ok_and(|name| name.trim() == "tsc")
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn is_kernels_own() -> bool {
    false
}

// === impl Counter ===

impl Counter {
    fn new() -> Self {
        let clock = quanta::Clock::new();
        // In this order: should the thread be kept waiting between the two, the counter is ahead, and time does not
        // go back when it is read.
        let reading = clock.raw();
        let at = kernel();
        Self { clock, reading, at }
    }

    #[inline]
    fn nanos(&self) -> u64 {
        self.at + self.clock.delta_as_nanos(self.reading, self.clock.raw())
    }
}

// === impl Sample ===

impl Sample {
    fn take(counter: &Counter) -> Self {
        Self {
            before: kernel(),
            counter: counter.nanos(),
            after: kernel(),
        }
    }

    /// Whether as much time has passed until a later sample by one clock as by the other, to a hundredth. Wherever
    /// between the two readings of the kernel's clock this thread was kept waiting, that is possible or it is not.
    fn agrees(&self, later: &Self) -> bool {
        let counted = later.counter.saturating_sub(self.counter);
        let least = later.before.saturating_sub(self.after);
        let most = later.after.saturating_sub(self.before);
        let some = most / 100;
        (least.saturating_sub(some)..=most + some).contains(&counted)
    }
}

/// Milliseconds since the Unix epoch, for what other nodes are told or what outlives the process.
pub(crate) fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// The end of the year 9999, behind which there is no date that is written so.
pub(crate) const LAST_DATE: u64 = 253_402_300_799_999;

/// Milliseconds since the Unix epoch as a date, such as `2030-01-31T12:00:00.000Z`; `None`: it is none.
pub(crate) fn date(unix_millis: u64) -> Option<String> {
    let is_date = unix_millis <= LAST_DATE;
    let at = is_date.then(|| UNIX_EPOCH + Duration::from_millis(unix_millis))?;
    Some(humantime::format_rfc3339_millis(at).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn time_goes_on() {
        let first = Moment::now();
        use_counter().unwrap();
        let mut last = first;
        for _ in 0..1_000 {
            thread::yield_now();
            let now = Moment::now();
            // The two clocks are anchored to each other to within the time of a reading.
            assert!(now.0 + 1_000_000 > last.0);
            last = now;
        }
        assert_eq!(first.nanos_since(last), 0);
        assert!(last.since(first) > Duration::ZERO);
    }

    #[test]
    fn a_counter_that_counts_otherwise_than_the_kernel_is_found_out() {
        let sample = |before, counter, after| Sample {
            before,
            counter,
            after,
        };
        let first = sample(0, 10, 20);
        let after = |counter| sample(SECOND, counter, SECOND + 20);
        assert!(first.agrees(&after(SECOND + 5)));
        assert!(first.agrees(&after(SECOND + SECOND / 1_000)));
        assert!(!first.agrees(&after(SECOND / 2)), "it is slow");
        assert!(!first.agrees(&after(9)), "it has begun again");
        assert!(!first.agrees(&after(3_600 * SECOND)), "it has leapt");
        // The thread was kept waiting between its readings, before or after that of the counter.
        let late = |counter| sample(SECOND, counter, 3 * SECOND);
        assert!(first.agrees(&late(SECOND)) && first.agrees(&late(3 * SECOND)));
    }
}
