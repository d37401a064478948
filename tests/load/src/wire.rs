//! WebSocket frames (RFC 6455), and in them the packets of Engine.IO 4 and Socket.IO 5 that a client needs.

use crate::{LoadError, Result};

/// A frame that a server sent: its opcode and payload, and how many bytes it took.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    pub length: usize,
}

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
const PONG: u8 = 10;

/// The first frame in `bytes`; `None` when it is not all there yet.
pub fn frame(bytes: &[u8]) -> Result<Option<Frame<'_>>> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    // No server that is measured here compresses or fragments what it was not asked to.
    if first & 0xF0 != 0x80 || second & 0x80 != 0 {
        return Err(LoadError::Protocol(format!(
            "a frame that begins with {first:#04x} {second:#04x}"
        )));
    }
    let (header, size) = match (second, rest) {
        (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        (127, [0, 0, 0, 0, a, b, c, d, ..]) => (10, u32::from_be_bytes([*a, *b, *c, *d]) as usize),
        (126, _) => return Ok(None),
        (127, _) if rest.len() < 8 => return Ok(None),
        (127, _) => return Err(LoadError::Protocol("a frame of over 4 GiB".into())),
        (&size, _) => (2, usize::from(size)),
    };
    let payload = bytes.get(header..header + size);
    Ok(payload.map(|payload| Frame {
        opcode: first & 0x0F,
        payload,
        length: header + size,
    }))
}

/// Appends a text frame of a client. Its mask is zero, so that the payload goes out as it is: servers cannot tell and
/// unmask it all the same, and the generator is spared the work.
pub fn text(out: &mut Vec<u8>, payload: &[u8]) {
    masked(out, TEXT, payload);
}

/// Appends the answer to a ping.
pub fn pong(out: &mut Vec<u8>, payload: &[u8]) {
    masked(out, PONG, payload);
}

fn masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        size @ 0..=125 => out.push(0x80 | size as u8),
        size @ 126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend((size as u16).to_be_bytes());
        }
        size => {
            out.push(0x80 | 127);
            out.extend((size as u64).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out.extend(payload);
}

/// The request that opens a WebSocket. The key is the one of RFC 6455: it proves nothing to a load generator.
pub fn upgrade(host: &str) -> String {
    format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// The length of the head of the answer; `None` when it is not all there yet.
pub fn upgraded(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    if bytes.starts_with(b"HTTP/1.1 101") {
        return Ok(Some(end + 4));
    }
    let answer = String::from_utf8_lossy(&bytes[..end]);
    Err(LoadError::Protocol(
        answer.lines().next().unwrap_or_default().to_owned(),
    ))
}

/// What a text frame of a server says, as far as the scenarios care. Only the namespace `/` is spoken.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    Open,
    Ping,
    Connected,
    Refused(&'a [u8]),
    Disconnected,
    /// `["name",…]`
    Event(&'a [u8]),
    /// The number that was asked with, and `[…]`.
    Ack(u64, &'a [u8]),
    Other(&'a [u8]),
}

pub fn packet(text: &[u8]) -> Packet<'_> {
    match text {
        [b'4', b'2', event @ ..] => Packet::Event(event),
        [b'4', b'3', rest @ ..] => {
            let (id, arguments) = number(rest);
            Packet::Ack(id, arguments)
        }
        [b'2'] => Packet::Ping,
        [b'0', ..] => Packet::Open,
        [b'4', b'0', ..] => Packet::Connected,
        [b'4', b'4', reason @ ..] => Packet::Refused(reason),
        [b'4', b'1', ..] | [b'1'] => Packet::Disconnected,
        other => Packet::Other(other),
    }
}

/// The number at the beginning, and what follows it.
pub(crate) fn number(text: &[u8]) -> (u64, &[u8]) {
    let mut value = 0_u64;
    for (at, byte) in text.iter().enumerate() {
        if !byte.is_ascii_digit() {
            return (value, &text[at..]);
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
    }
    (value, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server's frame: unmasked.
    fn server(payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        text(&mut frame, payload);
        let at = frame.len() - payload.len() - 4;
        frame.drain(at..at + 4);
        frame[1] &= 0x7F;
        frame
    }

    #[test]
    fn frames_of_every_length_are_read_back() {
        for size in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![b'x'; size];
            let bytes = server(&payload);
            for cut in [0, 1, 2, 3, bytes.len() - 1] {
                if cut < bytes.len() {
                    assert_eq!(frame(&bytes[..cut]).unwrap(), None, "{size} cut at {cut}");
                }
            }
            let read = frame(&bytes).unwrap().unwrap();
            assert_eq!(
                (read.opcode, read.payload, read.length),
                (TEXT, &payload[..], bytes.len())
            );
        }
    }

    #[test]
    fn what_was_not_asked_for_is_an_error() {
        frame(&[0xC1, 0]).unwrap_err();
        frame(&[0x01, 0]).unwrap_err();
        frame(&[0x81, 0x80]).unwrap_err();
    }

    #[test]
    fn packets_are_told_apart() {
        assert_eq!(packet(b"2"), Packet::Ping);
        assert_eq!(packet(br#"0{"sid":"x"}"#), Packet::Open);
        assert_eq!(packet(br#"40{"sid":"x"}"#), Packet::Connected);
        assert_eq!(
            packet(br#"44{"message":"no"}"#),
            Packet::Refused(br#"{"message":"no"}"#)
        );
        assert_eq!(packet(br#"42["a",1]"#), Packet::Event(br#"["a",1]"#));
        assert_eq!(
            packet(br#"43107[{"ok":true}]"#),
            Packet::Ack(107, br#"[{"ok":true}]"#)
        );
        assert_eq!(packet(b"41"), Packet::Disconnected);
    }

    #[test]
    fn the_head_of_an_answer_is_awaited() {
        assert_eq!(upgraded(b"HTTP/1.1 101 Switch").unwrap(), None);
        assert_eq!(
            upgraded(b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\nrest").unwrap(),
            Some(42)
        );
        upgraded(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").unwrap_err();
    }
}
