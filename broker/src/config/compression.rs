//! `[server.compression]`: messages of a WebSocket are compressed (permessage-deflate, RFC 7692).

use std::ops::RangeInclusive;

use super::section::Section;
use super::setting::Size;

/// How messages are compressed, for clients that offer it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compression {
    pub enabled: bool,
    /// Bytes of the shortest message that is compressed.
    pub threshold: usize,
    /// Connections keep what the next message may refer to, on either side, as far as `max_memory` goes.
    pub context_takeover: bool,
    /// Base-2 logarithm of how far back a message may refer, in bytes.
    pub window_bits: u8,
    /// From 1, the fastest, to 9.
    pub level: u32,
    /// Bytes that all connections with context takeover may hold together.
    pub max_memory: usize,
}

/// 8, the protocol's least, is more than the compressor can do.
const WINDOW_BITS: RangeInclusive<u32> = 9..=15;
const LEVELS: RangeInclusive<u32> = 1..=9;
/// Above this nothing is compressed.
const MAX_THRESHOLD: Size = Size(1 << 30);
/// Less than a few connections' worth would be a slip.
const MEMORY: RangeInclusive<Size> = Size(1 << 20)..=Size(1 << 40);

impl Compression {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let enabled = s.get(
            "enabled",
            "false",
            "Compresses messages for clients that offer permessage-deflate.",
        );
        let threshold = threshold(s, "Shorter messages are sent as they are.");
        let context_takeover = s.get(
            "context_takeover",
            "false",
            "A message may refer to earlier ones: fewer bytes on the wire, hundreds of KiB of memory a connection, \
             and a broadcast is compressed for each client anew.",
        );
        let window_bits = s.within(
            "window_bits",
            "15",
            "How far back a message may refer, as a power of two of bytes.",
            (WINDOW_BITS, "9 to 15"),
        );
        let level = level(s);
        let Size(max_memory) = s.within(
            "max_memory",
            "64MiB",
            "Memory of all connections with context takeover; once it is taken, new ones are compressed without.",
            (MEMORY, "1MiB to 1TiB"),
        );
        Self {
            enabled,
            threshold,
            context_takeover,
            window_bits: u8::try_from(window_bits).unwrap_or(u8::MAX),
            level,
            max_memory: usize::try_from(max_memory).unwrap_or(usize::MAX),
        }
    }
}

/// Bytes of the shortest that is compressed.
pub(super) fn threshold(s: &mut Section<'_, '_>, doc: &'static str) -> usize {
    let Size(threshold) = s.at_most("threshold", "1KiB", doc, (MAX_THRESHOLD, "0 to 1GiB"));
    usize::try_from(threshold).unwrap_or(usize::MAX)
}

pub(super) fn level(s: &mut Section<'_, '_>) -> u32 {
    s.within(
        "level",
        "6",
        "From 1, the fastest, to 9, the smallest.",
        (LEVELS, "1 to 9"),
    )
}
