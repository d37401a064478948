//! The bound on what connections with context takeover keep between their messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Agreed, Side};
use crate::config;

/// Bytes that may be held, and those that are.
#[derive(Clone)]
pub(in crate::edge) struct Memory(Arc<Count>);

struct Count {
    held: AtomicUsize,
    most: AtomicUsize,
}

/// One connection's part, given back when it ends. What has been agreed cannot be taken back, so the part is held from
/// the handshake on, although the engines are made with the first message.
pub(in crate::edge) struct Held {
    memory: Memory,
    bytes: usize,
}

impl Memory {
    pub(in crate::edge) fn new(config: &config::Compression) -> Self {
        Self(Arc::new(Count {
            held: AtomicUsize::new(0),
            most: AtomicUsize::new(config.max_memory),
        }))
    }

    /// Bounds what is held from now on.
    pub(super) fn reconfigure(&self, config: &config::Compression) {
        self.0.most.store(config.max_memory, Ordering::Relaxed);
    }

    /// `None`: there is no context to be kept, or no room for it.
    pub(super) fn hold(&self, agreed: &Agreed) -> Option<Held> {
        let bytes = compressor(agreed.outbound) + decompressor(agreed.inbound);
        let most = self.0.most.load(Ordering::Relaxed);
        let more = |held: usize| held.checked_add(bytes).filter(|held| *held <= most);
        if bytes == 0 {
            return None;
        }
        self.0
            .held
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .ok()?;
        Some(Held {
            memory: self.clone(),
            bytes,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.0.held.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// What an engine takes; a test holds the engines to it. A compressor has in addition its window twice, and two bytes
/// for each byte of it.
const COMPRESSOR: usize = 244 << 10;
/// Whichever its window.
const DECOMPRESSOR: usize = 47 << 10;

fn compressor(side: Side) -> usize {
    if side.takeover {
        COMPRESSOR + (4 << side.bits.min(15))
    } else {
        0
    }
}

fn decompressor(side: Side) -> usize {
    if side.takeover { DECOMPRESSOR } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::deflate::codec::{Compressor, inflate};

    #[test]
    fn engines_take_what_is_held_for_them() {
        for bits in 9..=15 {
            let side = Side {
                bits,
                takeover: true,
            };
            let held = compressor(side) as u64;
            for level in 1..=9 {
                let mut engine = None;
                let used = allocation_counter::measure(|| {
                    let mut one = Box::new(Compressor::new(bits, level));
                    let mut out = Vec::new();
                    assert!(one.append(&[b'x'; 3000], &mut out));
                    engine = Some(one);
                });
                let used = used.bytes_current as u64;
                assert!(
                    used <= held && held <= used + (4 << 10),
                    "compressor of {bits} bits, level {level}: {used} bytes, {held} are held"
                );
            }
            let held = decompressor(side) as u64;
            let mut engine = None;
            let used = allocation_counter::measure(|| {
                let mut message = vec![0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
                let mut out = Vec::new();
                inflate(&mut message, side, &mut engine, 100, &mut out).expect("Hello");
                assert_eq!(out, b"Hello");
            });
            let used = used.bytes_current as u64;
            assert!(
                used <= held && held <= used + (4 << 10),
                "decompressor of {bits} bits: {used} bytes, {held} are held"
            );
        }
    }
}
