//! One message, compressed and back. What stands at the end of every message on the wire, an empty block, is left out
//! there and put back here (RFC 7692, section 7.2).

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{CORRUPT, Side};
use crate::edge::inbound::{TOO_LARGE, Violation};

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Room that is made at a time, at least. A flush must never be given so little that it ends in its own marker, which
/// is then written twice.
const ROOM: usize = 256;

/// Final blocks in one message. After each the decompressor begins anew, at a cost that the two bytes of one do not pay
/// for; senders that use them at all use one for each flush.
const MOST_FINAL: usize = 1024;

/// A way to compress messages.
pub(super) struct Compressor {
    engine: Compress,
    bits: u8,
    level: u32,
}

impl Compressor {
    pub(super) fn new(bits: u8, level: u32) -> Self {
        let level_of_engine = Compression::new(level);
        // Fewer than 9 bits the engine cannot do, and nobody agrees to them.
        let engine = Compress::new_with_window_bits(level_of_engine, false, bits.clamp(9, 15));
        Self {
            engine,
            bits,
            level,
        }
    }

    /// Appends the message compressed. False: the engine failed; what it wrote is gone, and so is its context, of which
    /// the other side may still have more.
    pub(super) fn append(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let done = self.deflate(message, out).is_some();
        if !done {
            out.truncate(start);
            self.engine.reset();
        }
        done
    }

    fn deflate(&mut self, mut rest: &[u8], out: &mut Vec<u8>) -> Option<()> {
        out.reserve(rest.len() / 2 + ROOM);
        loop {
            out.reserve(ROOM);
            let before = self.engine.total_in();
            let status = self
                .engine
                .compress_vec(rest, out, FlushCompress::Sync)
                .ok()?;
            let taken = usize::try_from(self.engine.total_in() - before).ok()?;
            rest = rest.get(taken..)?;
            // Room that is left over is the sign that everything has been written.
            if out.len() < out.capacity() {
                break;
            }
            if status == Status::StreamEnd {
                return None;
            }
        }
        let end = out.len().checked_sub(TAIL.len())?;
        (rest.is_empty() && out.get(end..)? == TAIL).then(|| out.truncate(end))
    }
}

/// Appends the message decompressed, at most `most` bytes. `engine` is what the connection keeps, for messages that may
/// refer to earlier ones.
pub(super) fn inflate(
    message: &mut Vec<u8>,
    side: Side,
    engine: &mut Option<Decompress>,
    most: usize,
    out: &mut Vec<u8>,
) -> Result<(), Violation> {
    // No sender that keeps to the standard sends it. To the engine it would be half a block.
    if message.is_empty() {
        return Ok(());
    }
    message.extend_from_slice(&TAIL);
    if side.takeover {
        // The engine cannot do fewer than 9 bits; with more it understands what was made with less.
        let make = || Decompress::new_with_window_bits(false, side.bits.clamp(9, 15));
        return inflate_with(engine.get_or_insert_with(make), message, most, out);
    }
    DECOMPRESSOR.with_borrow_mut(|engine| {
        // The largest window reads all of them.
        let engine = engine.get_or_insert_with(|| Decompress::new(false));
        engine.reset(false);
        inflate_with(engine, message, most, out)
    })
}

fn inflate_with(
    engine: &mut Decompress,
    mut rest: &[u8],
    most: usize,
    out: &mut Vec<u8>,
) -> Result<(), Violation> {
    let start = out.len();
    let mut final_blocks = 0;
    loop {
        let room = most - (out.len() - start).min(most);
        // One byte more than there may be shows that there is more.
        out.reserve(rest.len().saturating_mul(3).max(ROOM).min(room + 1));
        let before = engine.total_in();
        let status = engine
            .decompress_vec(rest, out, FlushDecompress::Sync)
            .map_err(|_| CORRUPT)?;
        let taken = usize::try_from(engine.total_in() - before).unwrap_or(usize::MAX);
        rest = rest.get(taken..).ok_or(CORRUPT)?;
        if out.len() - start > most {
            return Err(TOO_LARGE);
        }
        if status == Status::StreamEnd {
            final_blocks += 1;
            if final_blocks > MOST_FINAL {
                return Err(CORRUPT);
            }
            engine.reset(false);
        }
        if rest.is_empty() && out.len() < out.capacity() {
            return Ok(());
        }
        if taken == 0 && out.len() < out.capacity() && status != Status::StreamEnd {
            return Err(CORRUPT);
        }
    }
}

thread_local! {
    /// For connections without context takeover: one for each window that is in use, of which there are seven.
    static COMPRESSORS: RefCell<Vec<Compressor>> = const { RefCell::new(Vec::new()) };
    static DECOMPRESSOR: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

/// Appends a message compressed by itself.
pub(super) fn append_alone(message: &[u8], bits: u8, level: u32, out: &mut Vec<u8>) -> bool {
    COMPRESSORS.with_borrow_mut(|all| {
        let same = |one: &&mut Compressor| one.bits == bits && one.level == level;
        if let Some(one) = all.iter_mut().find(same) {
            one.engine.reset();
            return one.append(message, out);
        }
        let mut one = Compressor::new(bits, level);
        let done = one.append(message, out);
        all.push(one);
        done
    })
}
