//! What a client sends, for a library that knows no compression: frames in any pieces come in; out go the same frames,
//! but each compressed message as one frame of what was in it.

use flate2::Decompress;

use super::codec::inflate;
use super::{FIN, RSV1, Side};
use crate::edge::inbound::{Header, TOO_LARGE, Violation, protocol_error};
use crate::edge::wire;

/// The longest header of a client's frame: two bytes, eight of length, four of mask.
const LONGEST: usize = 14;
/// Room that a header may claim for what has not come yet.
const AHEAD: usize = 16 << 10;

/// Follows one connection. Between two messages it holds nothing, unless context is kept.
pub(in crate::edge) struct Inbound {
    side: Side,
    /// Bytes of the largest message, compressed or not.
    most: u64,
    engine: Option<Decompress>,
    header: [u8; LONGEST],
    have: usize,
    frame: Frame,
    message: Message,
}

/// The frame whose payload comes.
#[derive(Default)]
struct Frame {
    /// Bytes that are still to come.
    left: u64,
    is_last: bool,
    /// For a frame of a compressed message, how it is masked from its next byte on.
    mask: Option<[u8; 4]>,
}

/// The message of which a frame has come, and not yet its last one.
enum Message {
    None,
    /// The bytes so far of one that goes on as it is.
    Plain(u64),
    Compressed {
        opcode: u8,
        data: Vec<u8>,
    },
}

impl Inbound {
    pub(in crate::edge) fn new(side: Side, max_message: u64) -> Self {
        Self {
            side,
            most: max_message,
            engine: None,
            header: [0; LONGEST],
            have: 0,
            frame: Frame::default(),
            message: Message::None,
        }
    }

    /// Takes what has come from the client, and appends what goes on. After a violation the connection ends, with what was
    /// appended before it still to be handled.
    pub(in crate::edge) fn feed(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        while !bytes.is_empty() {
            if self.frame.left > 0 {
                let most = usize::try_from(self.frame.left).unwrap_or(usize::MAX);
                let (piece, rest) = bytes.split_at(bytes.len().min(most));
                bytes = rest;
                self.payload(piece, out);
            } else if let Some(header) = self.take_header(&mut bytes)? {
                self.begin(&header, out)?;
            } else {
                return Ok(());
            }
            if self.frame.left == 0 {
                self.end(out)?;
            }
        }
        Ok(())
    }

    /// The header, once all of it has come.
    fn take_header(&mut self, bytes: &mut &[u8]) -> Result<Option<Header>, Violation> {
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            if let Some(place) = self.header.get_mut(self.have) {
                *place = *byte;
                self.have += 1;
            }
            let header = self.header.get(..self.have).unwrap_or_default();
            if let Some(header) = Header::read(header, RSV1)? {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    fn begin(&mut self, head: &Header, out: &mut Vec<u8>) -> Result<(), Violation> {
        check(head, &self.message)?;
        let most = self.most;
        let mut mask = None;
        match (head.opcode(), &mut self.message) {
            (8.., _) => {}
            (0, Message::Compressed { data, .. }) => {
                if head.payload > most - (data.len() as u64).min(most) {
                    return Err(TOO_LARGE);
                }
                mask = Some(head.mask);
            }
            (0, Message::Plain(size)) => {
                *size = size.saturating_add(head.payload);
                if *size > most {
                    return Err(TOO_LARGE);
                }
            }
            _ if head.payload > most => return Err(TOO_LARGE),
            (opcode, message) if is_compressed(head) => {
                *message = Message::Compressed {
                    opcode,
                    data: Vec::new(),
                };
                mask = Some(head.mask);
            }
            (_, message) => *message = Message::Plain(head.payload),
        }
        if mask.is_none() {
            let header = self.header.get(..self.have).unwrap_or_default();
            out.extend_from_slice(header);
        }
        self.have = 0;
        self.frame = Frame {
            left: head.payload,
            // Control frames come in between and end no message.
            is_last: head.is_last() && head.opcode() < 8,
            mask,
        };
        Ok(())
    }

    /// A piece of the current frame's payload, no longer than what is left of it.
    fn payload(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match (&mut self.frame.mask, &mut self.message) {
            (Some(mask), Message::Compressed { data, .. }) => {
                let left = usize::try_from(self.frame.left).unwrap_or(usize::MAX);
                data.reserve(left.min(piece.len().max(AHEAD)));
                let start = data.len();
                data.extend_from_slice(piece);
                unmask(data.get_mut(start..).unwrap_or_default(), *mask);
                mask.rotate_left(piece.len() % 4);
            }
            _ => out.extend_from_slice(piece),
        }
        self.frame.left -= piece.len() as u64;
    }

    /// The current frame is complete.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Violation> {
        if !std::mem::take(&mut self.frame.is_last) {
            return Ok(());
        }
        let message = std::mem::replace(&mut self.message, Message::None);
        let Message::Compressed { opcode, mut data } = message else {
            return Ok(());
        };
        let start = out.len();
        // Most that are compressed get a header of this length.
        let guess = [0; 8];
        out.extend_from_slice(&guess);
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        let done = inflate(&mut data, self.side, &mut self.engine, most, out);
        if let Err(violation) = done {
            out.truncate(start);
            return Err(violation);
        }
        let mut header = Vec::with_capacity(LONGEST);
        let length = out.len() - start - guess.len();
        wire::begin_masked_frame(&mut header, FIN | opcode, [0; 4], length);
        out.splice(start..start + guess.len(), header);
        Ok(())
    }
}

fn is_compressed(header: &Header) -> bool {
    header.first & RSV1 != 0
}

/// What RFC 6455, section 5.4, says of fragments, and RFC 7692, section 6, of the bit for compression.
fn check(header: &Header, message: &Message) -> Result<(), Violation> {
    let is_begun = !matches!(message, Message::None);
    match header.opcode() {
        8.. if is_compressed(header) => Err(protocol_error("a compressed control frame")),
        8.. => Ok(()),
        0 if is_begun && is_compressed(header) => {
            Err(protocol_error("compression begins within a message"))
        }
        opcode if (opcode == 0) != is_begun => Err(protocol_error(
            "a message within a message, or a part of none",
        )),
        _ => Ok(()),
    }
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let (words, rest) = bytes.as_chunks_mut::<4>();
    let key = u32::from_ne_bytes(mask);
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests;
