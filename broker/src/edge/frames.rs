//! Where in a WebSocket's bytes one frame ends and the next begins (RFC 6455, section 5.2).

/// An Engine.IO `close` as a client would send it: a masked text frame with the packet `1` and a mask of zeros.
pub(super) const CLOSE: [u8; 7] = [0x81, 0x81, 0, 0, 0, 0, b'1'];

/// The longest header of a client's frame: two bytes, eight of length, four of mask.
const LONGEST: usize = 14;

/// Follows what a client sends. It is not checked here: whoever reads the frames does that.
#[derive(Default)]
pub(super) struct Frames {
    header: [u8; LONGEST],
    have: usize,
    /// Bytes of the current frame's payload that are still to come.
    payload: u64,
}

impl Frames {
    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let skipped = bytes
                    .len()
                    .min(usize::try_from(self.payload).unwrap_or(usize::MAX));
                self.payload -= skipped as u64;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            let Some((byte, rest)) = bytes.split_first() else {
                return;
            };
            bytes = rest;
            if let Some(place) = self.header.get_mut(self.have) {
                *place = *byte;
                self.have += 1;
            }
            if self.have >= 2 && self.have == self.header_len() {
                self.payload = self.payload_len();
                self.have = 0;
            }
        }
    }

    /// No frame has begun that has not ended.
    pub(super) fn at_boundary(&self) -> bool {
        self.payload == 0 && self.have == 0
    }

    fn header_len(&self) -> usize {
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        let extended = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + extended + mask
    }

    fn payload_len(&self) -> u64 {
        let [_, short, a, b, c, d, e, f, g, h, ..] = self.header;
        match short & 0x7f {
            126 => u64::from(u16::from_be_bytes([a, b])),
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            short => u64::from(short),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: usize) -> Vec<u8> {
        let mut frame = vec![0x81];
        match payload {
            0..=125 => frame.push(0x80 | payload as u8),
            126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend((payload as u16).to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend((payload as u64).to_be_bytes());
            }
        }
        frame.extend([1, 2, 3, 4]);
        frame.resize(frame.len() + payload, b'x');
        frame
    }

    #[test]
    fn a_boundary_is_found_however_the_bytes_come() {
        for payload in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            let frame = frame(payload);
            for step in [1, 2, 3, 7, 1000, frame.len()] {
                let mut frames = Frames::default();
                let mut seen = 0;
                for piece in frame.chunks(step) {
                    frames.follow(piece);
                    seen += piece.len();
                    assert_eq!(
                        frames.at_boundary(),
                        seen == frame.len(),
                        "{payload} {step} {seen}"
                    );
                }
            }
        }
    }

    #[test]
    fn several_frames_in_one_read_end_at_the_last_ones_end() {
        let mut bytes = frame(3);
        bytes.extend(frame(200));
        bytes.extend(CLOSE);
        let mut frames = Frames::default();
        frames.follow(&bytes);
        assert!(frames.at_boundary());
        frames.follow(&bytes[..9]);
        assert!(frames.at_boundary());
        frames.follow(&bytes[..8]);
        assert!(!frames.at_boundary());
    }
}
