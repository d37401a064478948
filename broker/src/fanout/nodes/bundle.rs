//! Several frames for one node in one message. Sent only to nodes that say that they read it.
//!
//! ```text
//! version u8 · kind u8 · for each frame: length u32 · the frame
//! ```

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::wire::{BUNDLE, Unreadable, VERSION};

/// Bytes before the first frame.
pub(crate) const HEAD: usize = 2;

/// Bytes that a frame takes in a bundle.
pub(crate) fn size(frame: &Bytes) -> usize {
    size_of::<u32>() + frame.len()
}

/// Puts frames together that are, together, smaller than four gigabytes.
pub(crate) fn pack<'a>(frames: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let size = HEAD + frames.clone().map(size).sum::<usize>();
    let mut bundle = BytesMut::with_capacity(size);
    bundle.put_slice(&[VERSION, BUNDLE]);
    for frame in frames {
        bundle.put_u32_le(frame.len() as u32);
        bundle.put_slice(frame);
    }
    bundle.freeze()
}

/// The frames of a message, which may be one frame itself.
pub(crate) fn unpack(message: Bytes) -> Unpacked {
    match *message {
        [VERSION, BUNDLE, ..] => Unpacked::Frames(message.slice(HEAD..)),
        _ => Unpacked::One(message),
    }
}

pub(crate) enum Unpacked {
    One(Bytes),
    Frames(Bytes),
    Over,
}

impl Iterator for Unpacked {
    type Item = Result<Bytes, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        match std::mem::replace(self, Self::Over) {
            Self::One(frame) => Some(Ok(frame)),
            Self::Frames(mut bytes) if bytes.has_remaining() => {
                let length = bytes.try_get_u32_le().ok();
                let length = length.filter(|length| *length as usize <= bytes.remaining());
                let Some(length) = length else {
                    return Some(Err(Unreadable("a bundle")));
                };
                let frame = bytes.split_to(length as usize);
                *self = Self::Frames(bytes);
                Some(Ok(frame))
            }
            Self::Frames(_) | Self::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(message: &[u8]) -> Vec<Result<Bytes, Unreadable>> {
        unpack(Bytes::copy_from_slice(message)).collect()
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let frames = [&b"one"[..], b"", b"three"].map(Bytes::from_static);
        let packed = pack(frames.iter());
        assert_eq!(packed.len(), HEAD + frames.iter().map(size).sum::<usize>());
        assert_eq!(unpacked(&packed), frames.map(Ok));
        assert_eq!(unpacked(b"frame"), [Ok(Bytes::from_static(b"frame"))]);
        assert_eq!(unpacked(&pack([].iter())), []);
    }

    #[test]
    fn what_is_cut_off_is_told_once() {
        let packed = pack([Bytes::from_static(b"one"), Bytes::from_static(b"two")].iter());
        let bad = Unreadable("a bundle");
        let one = || Ok(Bytes::from_static(b"one"));
        let whole = packed.len();
        for end in [whole - 1, whole - 4, whole - 6] {
            assert_eq!(unpacked(&packed[..end]), [one(), Err(bad)], "{end}");
        }
        assert_eq!(unpacked(&[VERSION, BUNDLE, 255, 255, 255, 255]), [Err(bad)]);
    }
}
