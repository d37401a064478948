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

use http::header::{self, HeaderMap};

use super::inbound::Violation;
use super::manners::Fault;
use crate::config;
pub(super) use inbound::Inbound;
pub(super) use memory::Held;
use memory::Memory;
pub(super) use negotiate::Terms;
use negotiate::negotiate;
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

/// What all connections share.
pub(super) struct Deflate(Memory);

impl Deflate {
    pub(super) fn new(config: &config::Compression) -> Self {
        Self(Memory::new(config))
    }

    /// Bounds what is held by other settings from now on; what has been agreed stays.
    pub(super) fn reconfigure(&self, config: &config::Compression) {
        self.0.reconfigure(config);
    }

    /// What a client's offers come to by these settings.
    pub(super) fn negotiate(
        &self,
        headers: &HeaderMap,
        config: &config::Compression,
    ) -> Option<Terms> {
        let offers = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS);
        negotiate(offers.iter(), config, &self.0)
    }
}

const CORRUPT: Violation = Violation {
    fault: Fault::Transport,
    // What Node's server closes with.
    code: Some(1007),
    what: "a compressed message cannot be read",
};

/// First byte of a frame: the last one of its message, and the first one of a compressed message.
const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
