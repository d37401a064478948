//! Frames of the broker's: compressed where that is agreed, and worth it.

use super::codec::{Compressor, append_alone};
use super::{FIN, RSV1, Side, push_header};
use crate::config;

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
    pub(in crate::edge) fn new(config: &config::Compression) -> Self {
        Self {
            threshold: config.threshold,
            level: config.level,
        }
    }

    /// Appends a message that depends on no other one: the same for all connections without context takeover and with
    /// windows of `bits`. `opcode` is that of a text or binary message.
    pub(in crate::edge) fn append_alone(
        &self,
        opcode: u8,
        message: &[u8],
        bits: u8,
        out: &mut Vec<u8>,
    ) {
        if self.is_worth_it(message) {
            let mut compressed = Vec::new();
            let done = append_alone(message, bits, self.level, &mut compressed);
            if done && compressed.len() < message.len() {
                push_header(out, FIN | RSV1 | opcode, None, compressed.len());
                return out.extend_from_slice(&compressed);
            }
        }
        append_plain(opcode, message, out);
    }

    fn is_worth_it(&self, message: &[u8]) -> bool {
        // Nothing at all compresses to one byte.
        !message.is_empty() && message.len() >= self.threshold
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

    /// The window for which a message may be compressed once for many: what [`Settings::append_alone`] makes with it
    /// may be sent here. `None`: this connection's messages depend on what it was sent before.
    pub(in crate::edge) fn shared(&self) -> Option<u8> {
        (!self.side.takeover).then_some(self.side.bits)
    }

    /// Appends a message for this connection alone. Messages must be sent in the order of these calls.
    pub(in crate::edge) fn append(&mut self, opcode: u8, message: &[u8], out: &mut Vec<u8>) {
        let Settings { level, .. } = self.settings;
        if !self.side.takeover {
            return self
                .settings
                .append_alone(opcode, message, self.side.bits, out);
        }
        if !self.settings.is_worth_it(message) {
            return append_plain(opcode, message, out);
        }
        let make = || Box::new(Compressor::new(self.side.bits, level));
        let mut compressed = Vec::new();
        // It goes out even if it has become longer: the next message may refer to it.
        if self
            .own
            .get_or_insert_with(make)
            .append(message, &mut compressed)
        {
            push_header(out, FIN | RSV1 | opcode, None, compressed.len());
            out.extend_from_slice(&compressed);
        } else {
            append_plain(opcode, message, out);
        }
    }
}

fn append_plain(opcode: u8, message: &[u8], out: &mut Vec<u8>) {
    push_header(out, FIN | opcode, None, message.len());
    out.extend_from_slice(message);
}

#[cfg(test)]
mod tests {
    use flate2::{Decompress, FlushDecompress};

    use super::*;

    const TEXT: u8 = 1;

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
                let mut out = Vec::new();
                settings(0).append_alone(TEXT, &message, bits, &mut out);
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
            assert_eq!(outbound.shared(), None);
            let mut engine = Decompress::new_with_window_bits(false, bits);
            let mut sizes = Vec::new();
            for round in 0..20 {
                // As short as the smallest window wants it.
                let message = message(120 + round % 3, 7);
                let mut out = Vec::new();
                outbound.append(TEXT, &message, &mut out);
                let (first, payload) = opened(&out);
                assert_eq!(first, 0xc1);
                sizes.push(payload.len());
                assert_eq!(read(&mut engine, payload, message.len()), message, "{bits}");
                let mut short = Vec::new();
                outbound.append(TEXT, b"short", &mut short);
                assert_eq!(short, b"\x81\x05short");
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
        let mut alone = Vec::new();
        settings(1024).append_alone(2, &noise, 15, &mut alone);
        assert_eq!(opened(&alone), (0x82, &noise[..]));
        let side = Side {
            bits: 15,
            takeover: true,
        };
        let mut outbound = Outbound::new(side, settings(1024));
        let mut engine = Decompress::new(false);
        for _ in 0..2 {
            let mut out = Vec::new();
            outbound.append(2, &noise, &mut out);
            let (first, payload) = opened(&out);
            assert_eq!(first, 0xc2);
            assert_eq!(read(&mut engine, payload, noise.len()), noise);
        }
    }

    #[test]
    fn short_ones_and_empty_ones_stay() {
        let mut out = Vec::new();
        settings(6).append_alone(TEXT, b"aaaaa", 15, &mut out);
        settings(0).append_alone(TEXT, b"", 15, &mut out);
        assert_eq!(out, b"\x81\x05aaaaa\x81\x00");
        let mut out = Vec::new();
        let side = Side {
            bits: 15,
            takeover: true,
        };
        Outbound::new(side, settings(0)).append(TEXT, b"", &mut out);
        assert_eq!(out, b"\x81\x00");
        settings(30).append_alone(TEXT, &[b'a'; 30], 15, &mut out);
        assert_eq!(out[2], 0xc1);
    }
}
