//! Packets of clients with a msgpack parser (npm `socket.io-msgpack-parser`, over notepack.io): a map of `type`, `nsp`,
//! `data` and, with an ack, `id`; binary values stand where they belong.
//!
//! Inside the broker an event is text, whichever way its client speaks, so that policies, routes and other clients see
//! the same: `read` turns data into the text and attachments that a client with the usual parser would have sent,
//! `write` the other way round. Neither builds a tree.

mod date;
mod read;
#[cfg(test)]
mod tests;
mod write;

use bytes::Bytes;

pub(crate) use read::{Limits, to_json};

/// What a packet is (Socket.IO protocol, revision 5). The usual parser tells packets with attachments apart; this one
/// does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect = 0,
    Event = 2,
    Ack = 3,
    ConnectError = 4,
}

/// The bytes of one value, with its attachments; see [`packet`].
pub(crate) fn data(json: &str, attachments: &[Bytes]) -> Vec<u8> {
    let attached: usize = attachments.iter().map(Bytes::len).sum();
    let mut out = Vec::with_capacity(json.len() + attached);
    write::json(&mut out, json, attachments);
    out
}

/// The bytes of a packet, as notepack writes them. `data` is JSON that has been checked, with placeholders for
/// `attachments`.
pub(crate) fn packet(
    kind: Kind,
    namespace: &str,
    data: &str,
    attachments: &[Bytes],
    id: Option<i64>,
) -> Vec<u8> {
    let attached: usize = attachments.iter().map(Bytes::len).sum();
    let mut out = Vec::with_capacity(data.len() + attached + namespace.len() + 48);
    write::map(&mut out, if id.is_some() { 4 } else { 3 });
    write::string(&mut out, "type");
    write::integer(&mut out, kind as i64);
    write::string(&mut out, "nsp");
    write::string(&mut out, namespace);
    if let Some(id) = id {
        write::string(&mut out, "id");
        write::integer(&mut out, id);
    }
    write::string(&mut out, "data");
    write::json(&mut out, data, attachments);
    out
}
