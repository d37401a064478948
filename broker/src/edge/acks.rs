//! Answers of clients to events of the broker's. The protocol library takes those only that it has asked for itself, and
//! throws away the others: so an answer is made an event before the library reads it, on either transport, and known
//! again afterwards.
//!
//! A client that sends such an event itself only says what it could have said by an answer.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

/// Put behind the opening bracket, where something follows and where nothing does. Masks repeat every four bytes, so
/// their length has to be a multiple of that. Nobody's JSON is written so.
const MARK: &str = "\"!\",    ";
const MARK_ALONE: &str = "\"!\"     ";
const _: () = assert!(MARK.len().is_multiple_of(4) && MARK.len() == MARK_ALONE.len());

/// What a packet grows by at the most.
pub(super) const LONGEST_MARK: usize = 16;

/// The same for msgpack, where there is only one way to write it: as long as it has to be, and nobody can guess it.
static NAME: LazyLock<String> = LazyLock::new(|| {
    let name = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 8]>());
    debug_assert_eq!(name.len(), NAME_LEN);
    name
});
const NAME_LEN: usize = 11;

/// How much of a packet in msgpack is looked at. What comes behind a longer name of a namespace is no answer.
pub(super) const LOOKED_AT: usize = 512;

/// How an answer becomes an event. Positions are those in the packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// The one byte of the packet's type.
    pub kind: (usize, u8),
    /// Where the packet goes on after the marks.
    pub from: usize,
    /// What is put in its place, up to there.
    pub before: usize,
    pub mark: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Answer(Edit),
    /// It is none, or one that nobody can have asked for.
    Other,
    /// The packet goes on, and it cannot be told yet.
    Undecided,
}

/// Looks at the text of an Engine.IO packet.
pub(super) fn find(text: &mut impl Iterator<Item = u8>) -> Found {
    find_in_text(text).unwrap_or(Found::Undecided)
}

fn find_in_text(text: &mut impl Iterator<Item = u8>) -> Option<Found> {
    if text.next()? != b'4' {
        return Some(Found::Other);
    }
    let kind = match text.next()? {
        b'3' => b'2',
        b'6' => b'5',
        _ => return Some(Found::Other),
    };
    let mut before = 2;
    let mut in_namespace = false;
    loop {
        before += 1;
        match text.next()? {
            b'/' if !in_namespace => in_namespace = true,
            b',' => in_namespace = false,
            b'[' if !in_namespace => break,
            _ if in_namespace => {}
            b'0'..=b'9' | b'-' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => return Some(Found::Other),
        }
    }
    let is_alone = loop {
        match text.next()? {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            next => break next == b']',
        }
    };
    let mark = if is_alone { MARK_ALONE } else { MARK };
    Some(Found::Answer(Edit {
        kind: (1, kind),
        before,
        from: before,
        mark: mark.into(),
    }))
}

/// The answer as its client sent it: the text of an array.
pub(super) fn unmark(text: &str) -> Option<String> {
    let rest = text.strip_prefix('[')?;
    let rest = rest
        .strip_prefix(MARK)
        .or_else(|| rest.strip_prefix(MARK_ALONE))?;
    Some(format!("[{rest}"))
}

/// The same where it came in msgpack.
pub(super) fn unmark_binary(text: &str) -> Option<String> {
    let rest = text.strip_prefix("[\"")?.strip_prefix(&**NAME)?;
    let rest = rest.strip_prefix('"')?;
    Some(format!("[{}", rest.strip_prefix(',').unwrap_or(rest)))
}

/// Looks at the begin of a packet in msgpack. `is_whole`: it ends where `packet` does.
pub(super) fn find_binary(packet: &[u8], is_whole: bool) -> Found {
    match find_in_map(packet) {
        Some(found) => found,
        None if is_whole || packet.len() >= LOOKED_AT => Found::Other,
        None => Found::Undecided,
    }
}

/// Clients write the type before the data, and the data behind little else.
fn find_in_map(packet: &[u8]) -> Option<Found> {
    let mut at = At { packet, place: 0 };
    let pairs = match at.byte()? {
        map @ 0x80..=0x8f => usize::from(map & 0x0f),
        _ => return Some(Found::Other),
    };
    let mut kind = None;
    for _ in 0..pairs {
        let Some(key) = at.text()? else {
            return Some(Found::Other);
        };
        match key {
            b"type" => {
                let place = at.place;
                kind = Some(match at.byte()? {
                    3 => (place, 2),
                    6 => (place, 5),
                    _ => return Some(Found::Other),
                });
            }
            b"data" => {
                let Some(kind) = kind else {
                    return Some(Found::Other);
                };
                return Some(at.array()?.map_or(Found::Other, |(before, mark)| {
                    Found::Answer(Edit {
                        kind,
                        before,
                        from: at.place,
                        mark,
                    })
                }));
            }
            _ => {
                if !at.skip()? {
                    return Some(Found::Other);
                }
            }
        }
    }
    Some(Found::Other)
}

/// `None` everywhere: there is not enough of it.
struct At<'a> {
    packet: &'a [u8],
    place: usize,
}

impl<'a> At<'a> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.packet.get(self.place)?;
        self.place += 1;
        Some(byte)
    }

    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let bytes = self.packet.get(self.place..)?.get(..len)?;
        self.place += len;
        Some(bytes)
    }

    fn number(&mut self, len: usize) -> Option<usize> {
        let bytes = self.bytes(len)?;
        Some(bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)))
    }

    fn text(&mut self) -> Option<Option<&'a [u8]>> {
        let len = match self.byte()? {
            short @ 0xa0..=0xbf => usize::from(short & 0x1f),
            0xd9 => self.number(1)?,
            0xda => self.number(2)?,
            _ => return Some(None),
        };
        self.bytes(len).map(Some)
    }

    /// Skips a scalar. `Some(false)`: it is none.
    fn skip(&mut self) -> Option<bool> {
        let before = self.place;
        let len = match self.byte()? {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => 0,
            0xcc | 0xd0 => 1,
            0xcd | 0xd1 => 2,
            0xca | 0xce | 0xd2 => 4,
            0xcb | 0xcf | 0xd3 => 8,
            0xa0..=0xbf | 0xd9 | 0xda => {
                self.place = before;
                return Some(self.text()?.is_some());
            }
            _ => return Some(false),
        };
        self.bytes(len).map(|_| true)
    }

    /// The head of an array that has one element more, the name: where the old head begins, and the new one.
    fn array(&mut self) -> Option<Option<(usize, Vec<u8>)>> {
        let before = self.place;
        let mut head = Vec::with_capacity(LONGEST_MARK + 3);
        match self.byte()? {
            short @ 0x90..=0x9e => head.extend([short + 1, 0xa0 | NAME_LEN as u8]),
            // Its head becomes two bytes longer, so the name's does as well: a multiple of four in all.
            0x9f => head.extend([0xdc, 0, 16, 0xda, 0, NAME_LEN as u8]),
            0xdc => {
                let len = self.number(2)?;
                let Ok(len) = u16::try_from(len + 1) else {
                    return Some(None);
                };
                head.push(0xdc);
                head.extend(len.to_be_bytes());
                head.push(0xa0 | NAME_LEN as u8);
            }
            _ => return Some(None),
        }
        head.extend(NAME.as_bytes());
        Some(Some((before, head)))
    }
}

impl Edit {
    /// The packet with the marks.
    fn apply(&self, packet: &[u8]) -> Vec<u8> {
        let mut edited = Vec::with_capacity(packet.len() + LONGEST_MARK);
        edited.extend(packet.get(..self.before).unwrap_or_default());
        let (place, kind) = self.kind;
        if let Some(byte) = edited.get_mut(place) {
            *byte = kind;
        }
        edited.extend(&self.mark);
        edited.extend(packet.get(self.from..).unwrap_or_default());
        edited
    }

    /// By how much the packet grows.
    pub(super) fn growth(&self) -> usize {
        self.mark.len() - (self.from - self.before)
    }
}

/// Marks an answer in the body of a polling request. `None`: it is none.
pub(super) fn mark_polled(packet: &str) -> Option<String> {
    if let Some(encoded) = packet.strip_prefix('b') {
        let bytes = BASE64_STANDARD.decode(encoded).ok()?;
        let Found::Answer(edit) = find_binary(&bytes, true) else {
            return None;
        };
        return Some(format!("b{}", BASE64_STANDARD.encode(edit.apply(&bytes))));
    }
    let Found::Answer(edit) = find(&mut packet.bytes()) else {
        return None;
    };
    String::from_utf8(edit.apply(packet.as_bytes())).ok()
}

#[cfg(test)]
mod tests;
