//! Compression of WebSocket messages: permessage-deflate (RFC 7692).
//!
//! `negotiate` reads what a client offers and says what holds; `codec` has the two directions of one message; `inbound`
//! takes apart what a client sends and puts it together without compression, which the protocol library does not know;
//! `outbound` makes frames; `memory` bounds what connections keep between messages.
//!
//! Without context takeover no connection holds anything between two messages: the engines belong to the thread.

mod codec;
mod inbound;
mod memory;
mod negotiate;
mod outbound;

pub(super) use inbound::Inbound;
pub(super) use memory::Memory;
pub(super) use negotiate::negotiate;
pub(super) use outbound::{Outbound, Settings};

/// What holds for the messages of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    /// Base-2 logarithm of the window.
    pub bits: u8,
    /// Messages may refer to earlier ones.
    pub takeover: bool,
}

/// What client and broker have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    pub inbound: Side,
    pub outbound: Side,
}

/// Why a connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Protocol(&'static str),
    #[error("what is compressed cannot be read")]
    Data,
    #[error("the message is larger than server.max_payload")]
    TooLarge,
}

impl Fault {
    /// RFC 6455, section 7.4.1, and what Node's server chooses of it.
    pub(super) fn close_code(self) -> u16 {
        match self {
            Fault::Protocol(_) => 1002,
            Fault::Data => 1007,
            Fault::TooLarge => 1009,
        }
    }
}

/// First byte of a frame: the last one of its message, and the first one of a compressed message.
const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
/// In its second byte.
const MASKED: u8 = 0x80;

/// The header of a frame. That of a client's carries a mask, here of zeros.
fn push_header(out: &mut Vec<u8>, first: u8, mask: Option<[u8; 4]>, length: usize) {
    let masked = if mask.is_some() { MASKED } else { 0 };
    out.push(first);
    match length {
        0..=125 => out.push(masked | length as u8),
        126..=0xffff => {
            out.push(masked | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if let Some(mask) = mask {
        out.extend_from_slice(&mask);
    }
}
