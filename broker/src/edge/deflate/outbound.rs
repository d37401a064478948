//! Frames of the broker's, compressed where that is agreed and worth it.

use super::codec::{Compressor, append_alone};
use super::{RSV1, Side};
use crate::config;
use crate::edge::wire::{self, Frame};

/// How messages are compressed, for whichever connection.
#[derive(Debug, Clone, Copy)]
pub(in crate::edge) struct Settings {
    /// Bytes of the shortest message that is compressed.
    threshold: usize,
    level: u32,
}

/// One connection's side.
pub(in crate::edge) struct Outbound {
    side: Side,
    settings: Settings,
    /// Made with the first message that is compressed, if context is kept.
    own: Option<Box<Compressor>>,
}

// === impl Settings ===

impl Settings {
    pub(super) fn new(config: &config::Compression) -> Self {
        Self {
            threshold: config.threshold,
            level: config.level,
        }
    }

    /// Whether so many bytes of frames can hold a message that is compressed.
    pub(in crate::edge) fn is_worth_it(&self, bytes: usize) -> bool {
        bytes >= self.threshold
    }

    /// Frames that are whole messages, as they go to all connections without context takeover and with windows of
    /// `bits`: they depend on nothing.
    pub(in crate::edge) fn compress(&self, frames: &[u8], bits: u8) -> Vec<u8> {
        let mut out = Vec::with_capacity(frames.len() / 2);
        wire::each_frame(frames, |frame| self.append_alone(&frame, bits, &mut out));
        out
    }

    fn append_alone(&self, frame: &Frame<'_>, bits: u8, out: &mut Vec<u8>) {
        if self.takes(frame) {
            let mut compressed = Vec::new();
            let done = append_alone(frame.payload, bits, self.level, &mut compressed);
            if done && compressed.len() < frame.payload.len() {
                return append(frame, &compressed, out);
            }
        }
        out.extend_from_slice(frame.whole);
    }

    fn takes(&self, frame: &Frame<'_>) -> bool {
        // Nothing at all compresses to one byte.
        !frame.payload.is_empty() && self.is_worth_it(frame.payload.len())
    }
}

// === impl Outbound ===

impl Outbound {
    pub(in crate::edge) fn new(side: Side, settings: Settings) -> Self {
        Self {
            side,
            settings,
            own: None,
        }
    }

    /// Frames that are whole messages, for this connection alone. They must be sent in the order of these calls.
    pub(in crate::edge) fn compress(&mut self, frames: &[u8]) -> Vec<u8> {
        if !self.side.takeover {
            return self.settings.compress(frames, self.side.bits);
        }
        let mut out = Vec::with_capacity(frames.len() / 2);
        wire::each_frame(frames, |frame| self.append(&frame, &mut out));
        out
    }

    fn append(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        if self.settings.takes(frame) {
            let make = || Box::new(Compressor::new(self.side.bits, self.settings.level));
            let own = self.own.get_or_insert_with(make);
            let mut compressed = Vec::new();
            // It goes out even if it has become longer: the next message may refer to it.
            if own.append(frame.payload, &mut compressed) {
                return append(frame, &compressed, out);
            }
        }
        out.extend_from_slice(frame.whole);
    }
}

fn append(frame: &Frame<'_>, compressed: &[u8], out: &mut Vec<u8>) {
    wire::begin_frame(out, frame.first | RSV1, compressed.len());
    out.extend_from_slice(compressed);
}

#[cfg(test)]
mod tests {
    use flate2::{Decompress, FlushDecompress};

    use super::*;
    use crate::edge::wire::{TEXT, frame};

    fn settings(threshold: usize) -> Settings {
        Settings {
            threshold,
            level: 6,
        }
    }

    /// Text that repeats itself a little, as messages do.
    fn message(length: usize, seed: u32) -> Vec<u8> {
        let mut state = seed | 1;
        let mut message = Vec::with_capacity(length + 40);
        while message.len() < length {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let user = state >> 20;
            message.extend(format!("{{\"user\":{user},\"text\":\"hello\"}},").bytes());
        }
        message.truncate(length);
        message
    }

    /// First byte and payload of the only frame.
    fn opened(frame: &[u8]) -> (u8, &[u8]) {
        let (header, length) = match frame[1] {
            126 => (4, usize::from(u16::from_be_bytes([frame[2], frame[3]]))),
            127 => (
                10,
                u64::from_be_bytes(frame[2..10].try_into().expect("8 bytes")) as usize,
            ),
            short => (2, usize::from(short)),
        };
        assert_eq!(frame.len(), header + length);
        (frame[0], &frame[header..])
    }

    /// What a client makes of a compressed payload.
    fn read(engine: &mut Decompress, payload: &[u8], length: usize) -> Vec<u8> {
        let mut all = payload.to_vec();
        all.extend([0, 0, 0xff, 0xff]);
        let mut out = Vec::with_capacity(length + 64);
        engine
            .decompress_vec(&all, &mut out, FlushDecompress::Sync)
            .expect("data");
        out
    }

    #[test]
    fn clients_read_what_is_compressed() {
        for bits in 9..=15 {
            for length in [1, 5, 125, 126, 1000, 1024, 65_535, 65_536, 300_000] {
                let message = message(length, length as u32);
                let out = settings(0).compress(&frame(TEXT, &message), bits);
                let (first, payload) = opened(&out);
                if first & RSV1 == 0 {
                    assert_eq!(payload, message);
                    assert!(length < 10, "{length} bytes stay as they are");
                    continue;
                }
                assert_eq!(first, 0xc1);
                assert!(payload.len() < length);
                let mut engine = Decompress::new_with_window_bits(false, bits);
                assert_eq!(
                    read(&mut engine, payload, length),
                    message,
                    "{bits} {length}"
                );
            }
        }
    }

    #[test]
    fn with_context_messages_refer_to_earlier_ones() {
        for bits in 9..=15 {
            let takeover = Side {
                bits,
                takeover: true,
            };
            let mut outbound = Outbound::new(takeover, settings(10));
            let mut engine = Decompress::new_with_window_bits(false, bits);
            let mut sizes = Vec::new();
            for round in 0..20 {
                // As short as the smallest window wants it.
                let message = message(120 + round % 3, 7);
                let out = outbound.compress(&frame(TEXT, &message));
                let (first, payload) = opened(&out);
                assert_eq!(first, 0xc1);
                sizes.push(payload.len());
                assert_eq!(read(&mut engine, payload, message.len()), message, "{bits}");
                let short = frame(TEXT, b"short");
                assert_eq!(outbound.compress(&short), short);
            }
            assert!(sizes[19] * 3 < sizes[0], "{bits}: {sizes:?}");
        }
    }

    #[test]
    fn what_does_not_shrink_is_sent_as_it_is_unless_others_may_refer_to_it() {
        let noise: Vec<u8> = (0..2000u32)
            .scan(1u64, |state, _| {
                *state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                Some((*state >> 56) as u8)
            })
            .collect();
        let noisy = frame(0x82, &noise);
        assert_eq!(settings(1024).compress(&noisy, 15), noisy);
        let side = Side {
            bits: 15,
            takeover: true,
        };
        let mut outbound = Outbound::new(side, settings(1024));
        let mut engine = Decompress::new(false);
        for _ in 0..2 {
            let out = outbound.compress(&noisy);
            let (first, payload) = opened(&out);
            assert_eq!(first, 0xc2);
            assert_eq!(read(&mut engine, payload, noise.len()), noise);
        }
    }

    #[test]
    fn short_ones_and_empty_ones_stay() {
        let side = Side {
            bits: 15,
            takeover: true,
        };
        let empty = frame(TEXT, b"");
        assert_eq!(settings(0).compress(&empty, 15), empty);
        assert_eq!(Outbound::new(side, settings(0)).compress(&empty), empty);
        // A packet and its attachments, each by itself.
        let (short, long) = (frame(TEXT, b"short"), frame(0x82, &[b'a'; 30]));
        let both = [&short[..], &long].concat();
        let out = settings(30).compress(&both, 15);
        let (head, attachment) = out.split_at(short.len());
        assert_eq!(head, short);
        assert_eq!(opened(attachment).0, 0xc2);
    }
}
