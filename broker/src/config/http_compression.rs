//! `[server.http_compression]`: answers to polls are compressed, as Engine.IO's `httpCompression` option does.

use super::compression::{level, threshold};
use super::section::Section;

/// How answers to polls are compressed, for clients that accept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpCompression {
    pub enabled: bool,
    /// Bytes of the shortest answer that is compressed.
    pub threshold: usize,
    /// From 1, the fastest, to 9.
    pub level: u32,
}

impl HttpCompression {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let enabled = s.get(
            "enabled",
            "true",
            "Compresses answers to polls for clients that accept gzip or deflate.",
        );
        Self {
            enabled,
            threshold: threshold(s, "Shorter answers are sent as they are."),
            level: level(s),
        }
    }
}
