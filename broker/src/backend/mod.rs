//! Back ends: what they may ask of a node, whichever way they ask.
//!
//! `emit` is what they send to clients, `read` its one reader, `emitter` what does it. Knows no HTTP and no NATS.

mod emit;
mod emitter;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use emit::{Emit, EmitError, Emitted};
pub(crate) use emitter::Emitter;
pub(crate) use read::{Mistake, Request, is_id, parse, read};
