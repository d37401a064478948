//! Node's Socket.IO server and the broker are told the same on the wire, and have to answer the same.
//!
//! A case is a script; what its client sees is written down as lines, and the lines of the two servers are compared.
//! Where the broker differs on purpose, `deliberate` says how and why, and nowhere else.

mod deliberate;
mod endings;
mod frames;
mod packets;
mod requests;
mod servers;
mod sessions;
