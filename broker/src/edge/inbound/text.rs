//! Whether a text message is UTF-8, read over as its bytes come (RFC 6455, section 8.1). The protocol library looks too,
//! and closes without saying so.

use super::{Header, MASK, Violation};
use crate::edge::manners::Fault;

const NO_TEXT: Violation = Violation {
    fault: Fault::Transport,
    code: Some(1007),
    what: "a text message that is no text",
};

/// What is unmasked at a time.
const SHARE: usize = 1024;

/// Bytes of a character.
const LONGEST: usize = 4;

#[derive(Default)]
pub(super) struct Text {
    /// The message that is coming is one of text.
    is_text: bool,
    /// Of the frame that is coming, if it is a part of it: from the byte on that is read over next.
    frame: Option<[u8; MASK]>,
    /// The begin of a character, whose rest is still to come.
    begun: [u8; LONGEST],
    len: u8,
}

impl Text {
    /// A frame begins.
    pub(super) fn begin(&mut self, header: &Header) {
        match header.opcode() {
            0 => {}
            1 => (self.is_text, self.len) = (true, 0),
            2 => (self.is_text, self.len) = (false, 0),
            // Between the parts of a message, and none of them.
            _ => return self.frame = None,
        }
        self.frame = self.is_text.then_some(header.mask);
    }

    /// Reads over what has come of the frame's payload.
    pub(super) fn take(&mut self, masked: &[u8]) -> Result<(), Violation> {
        let Some(next) = &mut self.frame else {
            return Ok(());
        };
        let mask = *next;
        next.rotate_left(masked.len() % MASK);
        if self.len == 0 && is_ascii(masked, mask) {
            return Ok(());
        }
        // Each but the last is whole masks.
        masked
            .chunks(SHARE)
            .try_for_each(|share| self.read(share, mask))
    }

    /// The message is over if there is none: then no character may be left half.
    pub(super) fn ends(&self) -> Result<(), Violation> {
        if self.len > 0 { Err(NO_TEXT) } else { Ok(()) }
    }

    fn read(&mut self, masked: &[u8], mask: [u8; MASK]) -> Result<(), Violation> {
        let mut buffer = [0; LONGEST + SHARE];
        let plain = masked.iter().zip(mask.iter().cycle());
        let bytes = self.begun.iter().copied().take(self.len.into());
        let bytes = bytes.chain(plain.map(|(byte, mask)| byte ^ mask));
        for (place, byte) in buffer.iter_mut().zip(bytes) {
            *place = byte;
        }
        let len = usize::from(self.len) + masked.len();
        let bytes = buffer.get(..len).unwrap_or_default();
        self.len = 0;
        let Err(error) = std::str::from_utf8(bytes) else {
            return Ok(());
        };
        if error.error_len().is_some() {
            return Err(NO_TEXT);
        }
        // The end of what there is, and the begin of a character.
        let begun = bytes.get(error.valid_up_to()..).unwrap_or_default();
        for (place, byte) in self.begun.iter_mut().zip(begun) {
            *place = *byte;
            self.len += 1;
        }
        Ok(())
    }
}

/// Nearly all text is, so it is looked at in words: of each byte only whether its highest bit is set.
fn is_ascii(masked: &[u8], mask: [u8; MASK]) -> bool {
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = masked.as_chunks::<8>();
    let high = words
        .iter()
        .fold(0, |high, bytes| high | (u64::from_ne_bytes(*bytes) ^ word));
    let rest = rest.iter().zip(mask.iter().cycle());
    let high_of_rest = rest.fold(0, |high, (byte, mask)| high | (byte ^ mask));
    high & 0x8080_8080_8080_8080 == 0 && high_of_rest & 0x80 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a message in frames of these payloads, each masked, and in reads of so many bytes.
    fn is_text(parts: &[&[u8]], read: usize) -> bool {
        let mut text = Text::default();
        for (number, part) in parts.iter().enumerate() {
            let mask = [0x80, 0x7f, 0xff, 0x11];
            let first = if number == 0 { 0x01 } else { 0x00 };
            let bytes = [&[first, 0x80][..], &mask].concat();
            text.begin(&Header::read(&bytes, 0).unwrap().unwrap());
            let masked: Vec<u8> = part
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask)
                .collect();
            if masked.chunks(read).any(|bytes| text.take(bytes).is_err()) {
                return false;
            }
        }
        text.ends().is_ok()
    }

    #[test]
    fn text_is_text_however_it_comes_in_parts() {
        let long = "plain, größer, 漢字, 🦀; ".repeat(200);
        for read in [1, 2, 3, 5, 7, 8, 64, 100_000] {
            for text in ["", "plain", "ü", "🦀", &long] {
                assert!(is_text(&[text.as_bytes()], read), "{text:?} by {read}");
                let (a, b) = text.as_bytes().split_at(text.len() / 2);
                assert!(is_text(&[a, b], read), "{text:?} in two, by {read}");
            }
            for bytes in [
                &b"\xff"[..],
                b"plain \x80",
                b"\xc3",
                b"\xed\xa0\x80",
                b"\xc0\xaf",
                b"plain, plain, plain \xf0\x9f\xa6",
            ] {
                assert!(!is_text(&[bytes], read), "{bytes:?} by {read}");
                let (a, b) = bytes.split_at(bytes.len() / 2);
                assert!(!is_text(&[a, b], read), "{bytes:?} in two, by {read}");
            }
            let mut spoilt = long.clone().into_bytes();
            spoilt[3000] = 0xff;
            assert!(!is_text(&[&spoilt], read), "by {read}");
        }
    }
}
