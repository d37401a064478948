//! `batch = { window, max }`: events of a route that leave together.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::section::Section;

/// Events are gathered until the window ends or there are `max` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batch {
    pub window: Duration,
    pub max: usize,
}

const WINDOWS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
const MOST: usize = 1000;

impl Batch {
    /// `None`: every event leaves alone.
    pub(super) fn read(s: &mut Section<'_, '_>) -> Option<Self> {
        let is_there = s.has("batch");
        let batch = s.table(
            "batch",
            "Events of this route that leave together, as one event or message.",
            |s| {
                let window = s.within(
                    "window",
                    "100ms",
                    "How long events are gathered from the first one on.",
                    (WINDOWS, "1ms to 60s"),
                );
                let max = s.at_most(
                    "max",
                    "50",
                    "With so many they leave at once.",
                    (MOST, "1 to 1000"),
                );
                Self { window, max }
            },
        );
        is_there.then_some(batch)
    }
}
