//! The parsers that clients come with: what packets are on the wire of each.
//!
//! Inside the broker packets are the text of the usual parser. A connection's parser is chosen by its handshake and
//! does not change; each reactor has the protocol library once for each.

use std::borrow::Cow;
use std::collections::VecDeque;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use socketioxide_core::{Str, Value};

use super::wire;
use crate::packet::msgpack::{self, Kind, Limits};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parser {
    /// That of clients that do not choose one.
    Text,
    /// npm's `socket.io-msgpack-parser`.
    Msgpack,
}

/// Below the configured path, and in a query as `parser=msgpack`.
const MSGPACK: &str = "msgpack";

/// Begins a binary packet in the body of a poll (Engine.IO protocol, "HTTP long-polling").
const BASE64: char = 'b';

impl Parser {
    /// The parser that a handshake chooses.
    pub(super) fn chosen(path: &str, query: &str, configured: &str) -> Self {
        let rest = path.strip_prefix(configured.trim_end_matches('/'));
        let by_path = rest.is_some_and(|rest| rest.trim_matches('/') == MSGPACK);
        let chosen = query
            .split('&')
            .filter_map(|pair| pair.strip_prefix("parser="));
        if by_path || chosen.into_iter().any(|name| name == MSGPACK) {
            Self::Msgpack
        } else {
            Self::Text
        }
    }

    /// The frames of an event for every socket of a namespace; `text` is `["name",…]`, and `id` asks for an answer.
    pub(super) fn event(
        self,
        namespace: &str,
        text: &str,
        attachments: &[Bytes],
        id: Option<i64>,
    ) -> Vec<u8> {
        match self {
            Self::Text => wire::event(namespace, text, attachments, id),
            Self::Msgpack => {
                let packet = msgpack::packet(Kind::Event, namespace, text, attachments, id);
                wire::frame(wire::BINARY, &packet)
            }
        }
    }

    /// The answer to an event; `args` is the text of a JSON array.
    pub(super) fn ack(self, namespace: &str, id: i64, args: &str) -> Vec<u8> {
        match self {
            Self::Text => wire::ack(namespace, id, args),
            Self::Msgpack => {
                let packet = msgpack::packet(Kind::Ack, namespace, args, &[], Some(id));
                wire::frame(wire::BINARY, &packet)
            }
        }
    }

    /// The data of a packet as the library's queue takes it.
    pub(super) fn data(self, text: Str, attachments: &[Bytes]) -> Value {
        match self {
            Self::Text => {
                let attachments: VecDeque<Bytes> = attachments.iter().cloned().collect();
                // An empty list would make the library announce a binary packet without attachments.
                Value::Str(text, (!attachments.is_empty()).then_some(attachments))
            }
            Self::Msgpack => Value::Bytes(msgpack::data(&text, attachments).into()),
        }
    }

    /// A message of the library's as the usual parser would have written it; empty if it is none that anyone looks at.
    pub(super) fn read<'a>(self, first: u8, payload: &'a [u8]) -> Cow<'a, str> {
        match (self, first) {
            (_, wire::TEXT) => std::str::from_utf8(payload).unwrap_or_default().into(),
            (Self::Msgpack, wire::BINARY) => text_packet(payload).unwrap_or_default().into(),
            _ => "".into(),
        }
    }

    /// The same for a packet in the body of a poll.
    pub(super) fn read_polled<'a>(self, packet: &'a str) -> Cow<'a, str> {
        match packet.strip_prefix(BASE64) {
            Some(encoded) if self == Self::Msgpack => BASE64_STANDARD
                .decode(encoded)
                .ok()
                .and_then(|bytes| text_packet(&bytes))
                .unwrap_or_default()
                .into(),
            _ => packet.into(),
        }
    }

    /// The frame of a packet that the usual parser would write so.
    pub(super) fn frame(self, packet: &str) -> Vec<u8> {
        match self {
            Self::Text => wire::text_frame(packet),
            Self::Msgpack => wire::frame(wire::BINARY, &binary_packet(packet)),
        }
    }

    /// The same in the body of a poll.
    pub(super) fn polled(self, packet: String) -> String {
        match self {
            Self::Text => packet,
            Self::Msgpack => format!("{BASE64}{}", BASE64_STANDARD.encode(binary_packet(&packet))),
        }
    }
}

/// The text of a packet in msgpack. It is of the library's making, and small.
fn text_packet(packet: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Packet<'a> {
        r#type: u8,
        nsp: String,
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    const EVERYTHING: Limits = Limits {
        attachments: usize::MAX,
        text: usize::MAX,
    };
    let packet = Bytes::copy_from_slice(packet);
    let (json, _) = msgpack::to_json(&packet, EVERYTHING).ok()?;
    let Packet { r#type, nsp, data } = serde_json::from_str(&json).ok()?;
    let mut text = format!("4{type}");
    wire::push_namespace(&mut text, &nsp);
    text.push_str(data.map_or("", RawValue::get));
    Some(text)
}

/// The same the other way round, for the packets of which the broker has a say.
fn binary_packet(text: &str) -> Vec<u8> {
    let (kind, rest) = text.split_at_checked(2).unwrap_or((text, ""));
    let kind = match kind {
        "40" => Kind::Connect,
        "44" => Kind::ConnectError,
        _ => Kind::Event,
    };
    let (namespace, data) = wire::split_namespace(rest);
    msgpack::packet(kind, namespace, data, &[], None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_chooses() {
        for (path, query, configured, parser) in [
            ("/socket.io/", "EIO=4", "/socket.io", Parser::Text),
            (
                "/socket.io/",
                "EIO=4&parser=msgpack",
                "/socket.io",
                Parser::Msgpack,
            ),
            (
                "/socket.io/",
                "EIO=4&parser=json",
                "/socket.io",
                Parser::Text,
            ),
            ("/socket.io/", "xparser=msgpack", "/socket.io", Parser::Text),
            (
                "/socket.io/msgpack/",
                "EIO=4",
                "/socket.io",
                Parser::Msgpack,
            ),
            ("/socket.io/msgpack", "", "/socket.io", Parser::Msgpack),
            ("/socket.io/msgpacks/", "", "/socket.io", Parser::Text),
            ("/msgpack/", "", "/msgpack", Parser::Text),
            ("/msgpack/", "", "/", Parser::Msgpack),
        ] {
            assert_eq!(
                Parser::chosen(path, query, configured),
                parser,
                "{path} {query}"
            );
        }
    }

    #[test]
    fn what_the_library_says_is_read_and_said_anew() {
        for text in [
            r#"40{"sid":"abc"}"#,
            r#"40/a,{"sid":"abc"}"#,
            r#"44/a,{"message":"no","data":{"code":"c"}}"#,
            r#"42["x",1]"#,
        ] {
            for parser in [Parser::Text, Parser::Msgpack] {
                let frame = parser.frame(text);
                wire::each_frame(&frame, |frame| {
                    assert_eq!(parser.read(frame.first, frame.payload), text);
                });
                let polled = parser.polled(text.to_owned());
                assert_eq!(parser.read_polled(&polled), text);
            }
        }
        assert_eq!(Parser::Msgpack.read(wire::BINARY, b"\x81\xa1x\x01"), "");
        assert_eq!(Parser::Msgpack.read_polled("b!"), "");
        assert_eq!(Parser::Msgpack.read_polled("2"), "2");
        assert_eq!(Parser::Text.read_polled("bAAA="), "bAAA=");
    }
}
