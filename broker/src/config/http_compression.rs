//! `[server.http_compression]`: answers to polls are compressed, as Engine.IO's `httpCompression` option does.

use std::ops::RangeInclusive;

use super::section::Section;
use super::setting::Size;

/// How answers to polls are compressed, for clients that accept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpCompression {
    pub enabled: bool,
    /// Bytes of the shortest answer that is compressed.
    pub threshold: usize,
    /// From 1, the fastest, to 9.
    pub level: u32,
}

const LEVELS: RangeInclusive<u32> = 1..=9;
/// Above this no answer is compressed.
const MAX_THRESHOLD: Size = Size(1 << 30);

impl HttpCompression {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let enabled = s.get(
            "enabled",
            "true",
            "Compresses answers to polls for clients that accept gzip or deflate.",
        );
        let Size(threshold) = s.at_most(
            "threshold",
            "1KiB",
            "Shorter answers are sent as they are.",
            (MAX_THRESHOLD, "0 to 1GiB"),
        );
        let level = s.within(
            "level",
            "6",
            "From 1, the fastest, to 9, the smallest.",
            (LEVELS, "1 to 9"),
        );
        Self {
            enabled,
            threshold: usize::try_from(threshold).unwrap_or(usize::MAX),
            level,
        }
    }
}
