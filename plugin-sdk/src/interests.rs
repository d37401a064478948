//! What a configured policy wants to be asked about, and the buckets it counts with.

use std::time::Duration;

/// The events and buckets of a configured policy, both numbered in the order in which they are added.
///
/// ```
/// use std::time::Duration;
/// use sluice_plugin_sdk::{Bucket, Interests};
///
/// let interests = Interests::new()
///     .event("cursor") // rule 0, without its arguments
///     .event_with_args("chat:*") // rule 1
///     .bucket(Bucket::window("messages", 100, Duration::from_secs(60))); // bucket 0
/// assert_eq!(interests.events().len(), 2);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Interests {
    events: Vec<EventRule>,
    buckets: Vec<Bucket>,
}

/// A glob over event names, and whether the policy needs the arguments of what it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRule {
    /// The glob: `*` stands for any characters, everything else for itself.
    pub name: String,
    /// Whether the arguments are handed over.
    pub args: bool,
}

/// How one bucket counts. Its state belongs to its name: it survives a reload, and every instance of the
/// policy shares it.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// The name of its state.
    pub name: String,
    /// The most that can be taken at once.
    pub burst: u32,
    /// Tokens regained a second; 0 is never. Not used by a window.
    pub per_second: f64,
    /// 0 for a token bucket, otherwise the length of the window.
    pub window_ms: u32,
}

impl Interests {
    /// Interested in nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule for events whose arguments the policy does not need: they are not copied.
    #[must_use]
    pub fn event(mut self, glob: impl Into<String>) -> Self {
        self.events.push(EventRule {
            name: glob.into(),
            args: false,
        });
        self
    }

    /// Adds a rule for events with their arguments.
    #[must_use]
    pub fn event_with_args(mut self, glob: impl Into<String>) -> Self {
        self.events.push(EventRule {
            name: glob.into(),
            args: true,
        });
        self
    }

    /// Adds a bucket.
    #[must_use]
    pub fn bucket(mut self, bucket: Bucket) -> Self {
        self.buckets.push(bucket);
        self
    }

    /// The rules, in order; the first that matches an event is the one that counts.
    #[must_use]
    pub fn events(&self) -> &[EventRule] {
        &self.events
    }

    /// The buckets, in order.
    #[must_use]
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn into_parts(self) -> (Vec<EventRule>, Vec<Bucket>) {
        (self.events, self.buckets)
    }
}

impl Bucket {
    /// A token bucket: it holds `burst` tokens and regains `per_second` of them a second, never when that is 0.
    #[must_use]
    pub fn tokens(name: impl Into<String>, burst: u32, per_second: f64) -> Self {
        Self {
            name: name.into(),
            burst,
            per_second,
            window_ms: 0,
        }
    }

    /// At most `limit` in any window of this length, however they are spaced. The length is rounded up to
    /// milliseconds, at least one; it ends at 49 days.
    #[must_use]
    pub fn window(name: impl Into<String>, limit: u32, length: Duration) -> Self {
        let ms = length.as_nanos().div_ceil(1_000_000).max(1);
        Self {
            name: name.into(),
            burst: limit,
            per_second: 0.0,
            window_ms: u32::try_from(ms).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_never_shorter_than_asked() {
        let ms = |length| Bucket::window("b", 1, length).window_ms;
        assert_eq!(ms(Duration::from_secs(60)), 60_000);
        assert_eq!(ms(Duration::from_micros(1_001)), 2);
        assert_eq!(ms(Duration::ZERO), 1, "0 would mean a token bucket");
        assert_eq!(ms(Duration::from_secs(u64::MAX)), u32::MAX);
    }
}
