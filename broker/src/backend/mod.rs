//! Back ends: what they may ask of a node, whichever way they ask, and what they are told.
//!
//! `emit` is what they send to clients, `read` its one reader, `emitter` what does it, and `repeats` remembers it for those
//! who ask again, `done` tells the other nodes; `sockets` is who is where, and how they are moved, `present` who is in a
//! room, as its members see it: these know no HTTP and no NATS. `inbound` takes what comes over NATS, `outbound` is what clients send to them.

mod done;
mod emit;
mod emitter;
mod inbound;
mod outbound;
mod present;
mod read;
mod repeats;
mod sockets;
#[cfg(test)]
mod tests;

pub(crate) use emit::{Emit, EmitError, Emitted};
pub(crate) use emitter::Emitter;
pub(crate) use inbound::Inbound;
pub(crate) use outbound::{Backend, Happened};
pub(crate) use present::Present;
pub(crate) use read::{
    Body as EmitBody, Mistake, Request, named, parse, read, read_packed, rooms, sized,
};
pub(crate) use sockets::{
    Listed, NamespaceCensus, RoomFilter, RoomInfo, SocketFilter, SocketInfo, Sockets, Steer,
    SteerError, Steered, Steering, Whom,
};
