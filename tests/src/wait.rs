//! Waiting for a thing to become true, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How long a wait may take before it fails its test. Far longer than anything takes on an idle machine, because
/// the suite shares two cores with the broker's compiler and itself.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until there is an answer. For what cannot be awaited, such as a number that the broker reports.
///
/// # Panics
///
/// When [`PATIENCE`] has passed.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} in vain for: {what}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}
