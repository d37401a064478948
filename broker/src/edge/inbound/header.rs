//! The header of a client's frame (RFC 6455, section 5.2), and the frame as the library is to read it.

use super::{LOOKED_AT, MASK, Violation, protocol_error};
use crate::edge::acks::Edit;
use crate::edge::wire;

/// The header of a client's frame.
pub(in crate::edge) struct Header {
    pub(in crate::edge) first: u8,
    pub(in crate::edge) len: usize,
    pub(in crate::edge) payload: u64,
    pub(in crate::edge) mask: [u8; MASK],
}

impl Header {
    /// `None`: not all of it is there. `agreed` is the bits that an extension gives a meaning.
    pub(in crate::edge) fn read(bytes: &[u8], agreed: u8) -> Result<Option<Self>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        Self::check(first & !agreed, second)?;
        let (extended, payload) = match (second & 0x7f, rest) {
            (126, &[a, b, ..]) => (2, u64::from(u16::from_be_bytes([a, b]))),
            (127, &[a, b, c, d, e, f, g, h, ..]) => {
                (8, u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
            (126 | 127, _) => return Ok(None),
            (short, _) => (0, u64::from(short)),
        };
        let Some(&[a, b, c, d]) = rest.get(extended..extended + MASK) else {
            return Ok(None);
        };
        Ok(Some(Self {
            first,
            len: 2 + extended + MASK,
            payload,
            mask: [a, b, c, d],
        }))
    }

    fn check(first: u8, second: u8) -> Result<(), Violation> {
        if first & 0x70 != 0 {
            return Err(protocol_error("reserved bits without an extension"));
        }
        if !matches!(first & 0x0f, 0..=2 | 8..=10) {
            return Err(protocol_error("an unknown kind of frame"));
        }
        if second & 0x80 == 0 {
            return Err(protocol_error("a frame without a mask"));
        }
        if first & 0x08 != 0 && (first & 0x80 == 0 || second & 0x7f > 125) {
            return Err(protocol_error(
                "a control frame that is in parts or too large",
            ));
        }
        Ok(())
    }

    pub(in crate::edge) fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    pub(in crate::edge) fn is_last(&self) -> bool {
        self.first & 0x80 != 0
    }

    /// The header of the frame with so many bytes more.
    pub(super) fn longer(&self, by: usize) -> Vec<u8> {
        let mut header = Vec::with_capacity(14 + LOOKED_AT);
        let payload = self.payload.saturating_add(by as u64);
        let payload = usize::try_from(payload).unwrap_or(usize::MAX);
        wire::begin_masked_frame(&mut header, self.first, self.mask, payload);
        header
    }

    /// The header and the begin of the frame, as the library is to read them.
    pub(super) fn edited(&self, payload: &[u8], edit: &Edit) -> Vec<u8> {
        let mut edited = self.longer(edit.growth());
        let start = edited.len();
        edited.extend(payload.get(..edit.before).unwrap_or_default());
        let (place, kind) = edit.kind;
        if let Some(byte) = edited.get_mut(start + place) {
            *byte = kind ^ self.mask.get(place % MASK).copied().unwrap_or_default();
        }
        edited.extend(self.masked(&edit.mark, edit.before));
        edited
    }

    /// What the client has masked, from the payload's first byte on.
    pub(super) fn unmasked(&self, payload: &[u8]) -> impl Iterator<Item = u8> {
        let bytes = payload.iter().zip(self.mask.iter().cycle());
        bytes.map(|(byte, mask)| byte ^ mask)
    }

    /// Masks what is put behind `before` bytes of the payload.
    pub(super) fn masked(&self, text: &[u8], before: usize) -> impl Iterator<Item = u8> {
        let mask = self.mask.into_iter().cycle().skip(before % MASK);
        text.iter().zip(mask).map(|(byte, mask)| byte ^ mask)
    }
}
