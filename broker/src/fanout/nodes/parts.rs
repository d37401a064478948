//! A frame that is larger than one message may be, in parts. All of them carry the frame's number and follow each other:
//! whoever does not know parts counts the first as an event of another version, and the others as old news.
//!
//! ```text
//! version u8 · kind u8 · sender u64 · number u64 · length of the whole frame u32 · where this begins u32 · bytes of it
//! ```

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::wire::{self, Content, LENGTH, PART, PREFIX, VERSION, array, put};

/// Bytes before those of the frame.
const HEAD: usize = PREFIX + 4;
const OFFSET: std::ops::Range<usize> = PREFIX..HEAD;

/// A network that takes less than this carries nothing in parts: they would be very many.
const LEAST: usize = 1024;

/// A part of a frame.
pub(crate) struct Part {
    whole: usize,
    offset: usize,
    bytes: Bytes,
}

/// A frame of which not all parts have come yet.
pub(crate) struct Whole {
    number: u64,
    length: usize,
    bytes: Vec<u8>,
    /// When the last one came.
    since: Instant,
}

/// What a part has made of the frame that it belongs to.
pub(crate) enum Joined {
    /// More is to come.
    Waits(Whole),
    /// All of it is there.
    Whole(Bytes),
}

/// The parts of an addressed frame, none of which is larger than `max`; `None` where that is too small, or the frame too
/// large to say how large.
pub(crate) fn split(frame: &Bytes, max: usize) -> Option<impl Iterator<Item = Bytes>> {
    let length = u32::try_from(frame.len()).ok().filter(|_| max >= LEAST)?;
    let room = max - HEAD;
    let part = move |(nth, bytes): (usize, &[u8])| {
        let mut part = Vec::with_capacity(HEAD + bytes.len());
        // Who sends it, and as which number.
        part.extend_from_slice(frame.get(..PREFIX).unwrap_or(&[0; PREFIX]));
        put(&mut part, 0..2, &[VERSION, PART]);
        put(&mut part, LENGTH, &length.to_le_bytes());
        // It lies within the frame, whose length fits.
        let offset = u32::try_from(nth * room).unwrap_or(u32::MAX);
        part.extend_from_slice(&offset.to_le_bytes());
        part.extend_from_slice(bytes);
        Bytes::from(part)
    };
    Some(frame.chunks(room).enumerate().map(part))
}

pub(super) fn read(bytes: &Bytes) -> Option<Part> {
    let number = |place| Some(u32::from_le_bytes(array(bytes, place)?) as usize);
    let part = Part {
        whole: number(LENGTH)?,
        offset: number(OFFSET)?,
        bytes: bytes.slice(HEAD..),
    };
    let end = part.offset.checked_add(part.bytes.len())?;
    (end <= part.whole && !part.bytes.is_empty()).then_some(part)
}

// === impl Part ===

impl Part {
    /// Whether it is the first of its frame.
    pub(crate) fn is_first(&self) -> bool {
        self.offset == 0
    }

    /// Bytes of the whole frame.
    pub(crate) fn whole(&self) -> usize {
        self.whole
    }

    /// Begins a frame with its first part.
    pub(crate) fn begin(self, number: u64) -> Joined {
        let whole = Whole {
            number,
            length: self.whole,
            bytes: Vec::new(),
            since: Instant::now(),
        };
        whole.take(self)
    }
}

// === impl Whole ===

impl Whole {
    /// Whether it is the next part of this frame, which is number `number`.
    pub(crate) fn goes_on_with(&self, number: u64, part: &Part) -> bool {
        number == self.number && part.whole == self.length && part.offset == self.bytes.len()
    }

    /// Takes the next part.
    pub(crate) fn take(mut self, part: Part) -> Joined {
        // Grows with what has come, whatever it is said to become.
        self.bytes.extend_from_slice(&part.bytes);
        self.since = Instant::now();
        if self.bytes.len() < self.length {
            return Joined::Waits(self);
        }
        Joined::Whole(self.bytes.into())
    }

    /// Bytes that it may come to.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// How long nothing has come.
    pub(crate) fn idle(&self) -> Duration {
        self.since.elapsed()
    }
}

/// What a frame that was put together holds: an event with the number and the sender of its parts, or nothing.
pub(crate) fn event(
    frame: &Bytes,
    part_of: (super::NodeId, u64),
) -> Result<Content, wire::Unreadable> {
    let read = wire::read(frame)?;
    match read.content {
        Content::Event(_) if (read.from, read.number) == part_of => Ok(read.content),
        _ => Err(wire::Unreadable("what its parts make")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::NodeId;
    use super::*;
    use crate::event::Event;
    use crate::fanout::message::Message;

    fn frame(bytes: usize) -> Bytes {
        let event = Event {
            name: "e".into(),
            args: format!("[\"{}\"]", "x".repeat(bytes)).into(),
            attachments: std::sync::Arc::new([]),
            volatile: false,
        };
        let message = Message::from_node("/".into(), None, Vec::new(), event);
        let mut frame = wire::event(&message).unwrap();
        wire::address(&mut frame, NodeId(7), 3);
        frame.into()
    }

    fn part(bytes: &Bytes) -> Part {
        let frame = wire::read(bytes).unwrap();
        assert_eq!((frame.from, frame.number), (NodeId(7), 3));
        let Content::Part(part) = frame.content else {
            panic!("no part")
        };
        part
    }

    #[test]
    fn parts_make_the_frame_that_they_are_of() {
        for size in [1, 997, 998, 5_000, 100_000] {
            let frame = frame(size);
            let parts: Vec<_> = split(&frame, 1024).unwrap().collect();
            assert_eq!(parts.len(), frame.len().div_ceil(1024 - HEAD));
            assert!(parts.iter().all(|part| part.len() <= 1024));
            let mut parts = parts.iter().map(part);
            let mut joined = parts.next().unwrap().begin(3);
            for part in parts {
                let Joined::Waits(whole) = joined else {
                    panic!("it is whole too soon")
                };
                assert!(whole.goes_on_with(3, &part) && !whole.goes_on_with(4, &part));
                joined = whole.take(part);
            }
            let Joined::Whole(whole) = joined else {
                panic!("it lacks something")
            };
            assert_eq!(whole, frame);
            let content = event(&whole, (NodeId(7), 3));
            assert!(matches!(content, Ok(Content::Event(_))));
        }
    }

    #[test]
    fn one_that_is_missing_or_comes_again_does_not_go_on() {
        let parts: Vec<_> = split(&frame(3_000), 1024).unwrap().collect();
        let Joined::Waits(whole) = part(&parts[0]).begin(3) else {
            panic!("it is whole too soon")
        };
        assert!(!whole.goes_on_with(3, &part(&parts[0])));
        assert!(!whole.goes_on_with(3, &part(&parts[2])));
        assert!(whole.goes_on_with(3, &part(&parts[1])));
    }

    #[test]
    fn nothing_is_believed_of_parts() {
        let first = split(&frame(3_000), 1024).unwrap().next().unwrap();
        for end in 0..=HEAD {
            assert!(wire::read(&first.slice(..end)).is_err(), "{end}");
        }
        // It would lie beyond the end of the frame.
        let mut beyond = first.to_vec();
        put(&mut beyond, OFFSET, &u32::MAX.to_le_bytes());
        assert!(wire::read(&beyond.into()).is_err());
        // A part of parts, and one that says it is of somebody else.
        assert!(event(&first, (NodeId(7), 3)).is_err());
        assert!(event(&frame(10), (NodeId(8), 3)).is_err());
        assert!(split(&frame(10), LEAST - 1).is_none());
    }
}
