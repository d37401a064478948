//! Back ends: what they may ask of a node, whichever way they ask, and what they are told.
//!
//! `emit` is what they send to clients, `read` its one reader, `emitter` what does it: these know no HTTP and no NATS.
//! `outbound` is what clients send to them, over NATS.

mod emit;
mod emitter;
mod outbound;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use emit::{Emit, EmitError, Emitted};
pub(crate) use emitter::Emitter;
pub(crate) use outbound::Backend;
pub(crate) use read::{Mistake, Request, is_id, parse, read};
