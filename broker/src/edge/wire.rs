//! What goes over a WebSocket towards a client: frames (RFC 6455), and the packets of Engine.IO and Socket.IO in them.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The first byte of a frame that is a whole message.
pub(super) const TEXT: u8 = 0x81;
pub(super) const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
pub(super) const PING: u8 = 0x89;
pub(super) const PONG: u8 = 0x8a;

/// The longest header of a server's frame: two bytes and eight of length.
const LONGEST: usize = 10;

/// Begins a frame; `len` bytes of payload follow.
pub(super) fn begin_frame(out: &mut Vec<u8>, first: u8, len: usize) {
    out.push(first);
    match len {
        0..=125 => out.push(len as u8),
        126..=0xffff => {
            out.push(126);
            out.extend((len as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend((len as u64).to_be_bytes());
        }
    }
}

/// Begins a frame as a client would send it.
pub(super) fn begin_masked_frame(out: &mut Vec<u8>, first: u8, mask: [u8; 4], len: usize) {
    const MASKED: u8 = 0x80;
    let start = out.len();
    begin_frame(out, first, len);
    if let Some(second) = out.get_mut(start + 1) {
        *second |= MASKED;
    }
    out.extend(mask);
}

/// A frame that ends the WebSocket and does not say why.
pub(super) const CLOSE_WITHOUT_CODE: [u8; 2] = [CLOSE, 0];

/// A frame that ends the WebSocket, and says why (RFC 6455, section 7.4).
pub(super) fn close_frame(code: u16) -> [u8; 4] {
    let [high, low] = code.to_be_bytes();
    [CLOSE, 2, high, low]
}

/// An event for every socket of a namespace: the packet, and behind it its attachments. `text` is `["name",…]`; `id`
/// asks for an answer.
pub(super) fn event(
    namespace: &str,
    text: &str,
    attachments: &[Bytes],
    id: Option<i64>,
) -> Vec<u8> {
    let mut head = String::new();
    match attachments.len() {
        0 => head.push_str("42"),
        count => head.push_str(&format!("45{count}-")),
    }
    push_namespace(&mut head, namespace);
    if let Some(id) = id {
        head.push_str(&id.to_string());
    }
    let bytes: usize = attachments.iter().map(|it| it.len() + LONGEST).sum();
    let mut frames = Vec::with_capacity(LONGEST + head.len() + text.len() + bytes);
    begin_frame(&mut frames, TEXT, head.len() + text.len());
    frames.extend(head.as_bytes());
    frames.extend(text.as_bytes());
    for attachment in attachments {
        begin_frame(&mut frames, BINARY, attachment.len());
        frames.extend(&attachment[..]);
    }
    frames
}

/// The answer to an event; `args` is the text of a JSON array.
pub(super) fn ack(namespace: &str, id: i64, args: &str) -> Vec<u8> {
    let head = match namespace {
        "/" => format!("43{id}"),
        namespace => format!("43{namespace},{id}"),
    };
    let mut frame = Vec::with_capacity(LONGEST + head.len() + args.len());
    begin_frame(&mut frame, TEXT, head.len() + args.len());
    frame.extend(head.as_bytes());
    frame.extend(args.as_bytes());
    frame
}

pub(super) fn text_frame(text: &str) -> Vec<u8> {
    frame(TEXT, text.as_bytes())
}

pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(LONGEST + payload.len());
    begin_frame(&mut frame, first, payload.len());
    frame.extend(payload);
    frame
}

pub(super) fn push_namespace(packet: &mut String, namespace: &str) {
    if namespace != "/" {
        packet.push_str(namespace);
        packet.push(',');
    }
}

/// What the protocol library says to a client and the broker has a say in, as the text of an Engine.IO packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    Close,
    Ping,
    /// The answer to a probe.
    Probed,
    /// The client is in a namespace.
    Connected(&'a str),
    /// It is not let into a namespace.
    Refused(&'a str, Cow<'a, str>),
    /// Anything else is the client's and the library's business.
    Other,
}

impl<'a> Said<'a> {
    pub(super) fn read(packet: &'a str) -> Self {
        match packet {
            "1" => return Self::Close,
            "2" => return Self::Ping,
            "3probe" => return Self::Probed,
            _ => {}
        }
        let Some((kind, rest)) = packet.split_at_checked(2) else {
            return Self::Other;
        };
        match kind {
            "40" => Self::Connected(split_namespace(rest).0),
            "44" => {
                let (namespace, object) = split_namespace(rest);
                match serde_json::from_str::<Refusal<'a>>(object) {
                    Ok(refusal) => Self::Refused(namespace, refusal.message),
                    Err(_) => Self::Other,
                }
            }
            _ => Self::Other,
        }
    }
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// A packet's namespace, and what is behind it.
pub(super) fn split_namespace(rest: &str) -> (&str, &str) {
    if rest.starts_with('/') {
        rest.split_once(',').unwrap_or((rest, ""))
    } else {
        ("/", rest)
    }
}

/// Tells a client that it is in a namespace, and its name there.
pub(super) fn connected(namespace: &str, name: &str) -> String {
    let mut packet = "40".to_owned();
    push_namespace(&mut packet, namespace);
    // The alphabet of names needs no escapes.
    packet.push_str(&format!(r#"{{"sid":"{name}"}}"#));
    packet
}

/// What the library is given as the message of a refusal, so that [`refused`] finds it: the library has room for
/// a text only, and clients are to get an object beside it.
pub(super) fn words(message: &str, data: &impl serde::Serialize) -> String {
    // Text, numbers and JSON that was checked: it always serializes.
    serde_json::to_string(&Words { message, data }).unwrap_or_else(|_| message.to_owned())
}

#[derive(serde::Serialize)]
struct Words<'a, T> {
    message: &'a str,
    data: &'a T,
}

/// A refusal with its data, if the words that the library was given are those of [`words`].
pub(super) fn refused(namespace: &str, words: &str) -> Option<String> {
    let object = words
        .starts_with('{')
        .then(|| serde_json::from_str::<&RawValue>(words));
    let Some(Ok(object)) = object else {
        return None;
    };
    let mut packet = "44".to_owned();
    push_namespace(&mut packet, namespace);
    packet.push_str(object.get());
    Some(packet)
}

/// Takes apart what the library writes to a WebSocket, frame by frame.
#[derive(Default)]
pub(super) struct Frames {
    /// The begin of a frame whose end has not been written yet.
    partial: Box<[u8]>,
}

/// A frame of the library's.
pub(super) struct Frame<'a> {
    pub first: u8,
    pub payload: &'a [u8],
    pub whole: &'a [u8],
}

impl Frames {
    pub(super) fn take(&mut self, bytes: &[u8], mut each: impl FnMut(Frame<'_>)) {
        if self.partial.is_empty() {
            self.partial = split(bytes, &mut each).into();
        } else {
            let mut all = std::mem::take(&mut self.partial).into_vec();
            all.extend(bytes);
            self.partial = split(&all, &mut each).into();
        }
    }
}

/// Takes apart frames of which all have been written.
pub(super) fn each_frame(frames: &[u8], mut each: impl FnMut(Frame<'_>)) {
    split(frames, &mut each);
}

/// The answer is what is left: the begin of a frame.
fn split<'a>(mut bytes: &'a [u8], each: &mut impl FnMut(Frame<'_>)) -> &'a [u8] {
    while let Some((header, len)) = measure(bytes) {
        let Some((whole, rest)) = bytes.split_at_checked(header.saturating_add(len)) else {
            break;
        };
        each(Frame {
            first: whole.first().copied().unwrap_or_default(),
            payload: whole.get(header..).unwrap_or_default(),
            whole,
        });
        bytes = rest;
    }
    bytes
}

/// How long a frame's header and its payload are; a server's has no mask.
fn measure(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes {
        [_, short @ 0..=125, ..] => Some((2, usize::from(short))),
        [_, 126, a, b, ..] => Some((4, usize::from(u16::from_be_bytes([a, b])))),
        [_, 127, a, b, c, d, e, f, g, h, ..] => {
            let len = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            Some((10, usize::try_from(len).unwrap_or(usize::MAX)))
        }
        _ => None,
    }
}

/// A whole frame of a client's.
#[cfg(test)]
pub(super) fn clients_frame(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    begin_masked_frame(&mut frame, first, mask, payload.len());
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_however_they_are_written() {
        let mut bytes = text_frame("40{}");
        bytes.extend(event(
            "/",
            &"x".repeat(70_000),
            &[Bytes::from(vec![1; 300])],
            None,
        ));
        bytes.extend(close_frame(1009));
        for step in [1, 2, 3, 7, 1000, bytes.len()] {
            let mut frames = Frames::default();
            let (mut seen, mut all) = (Vec::new(), Vec::<u8>::new());
            for piece in bytes.chunks(step) {
                frames.take(piece, |frame| {
                    seen.push((frame.first, frame.payload.len()));
                    all.extend(frame.whole);
                });
            }
            assert_eq!(seen, [(TEXT, 4), (TEXT, 70_004), (BINARY, 300), (CLOSE, 2)]);
            assert_eq!(all, bytes);
        }
    }

    #[test]
    fn packets_carry_their_namespace() {
        let payload = |frame: Vec<u8>| String::from_utf8(frame[2..].to_vec()).unwrap();
        assert_eq!(payload(event("/", r#"["a",1]"#, &[], None)), r#"42["a",1]"#);
        assert_eq!(
            payload(event("/x", r#"["a"]"#, &[], Some(7))),
            r#"42/x,7["a"]"#
        );
        assert_eq!(payload(ack("/", 7, "[]")), "437[]");
        assert_eq!(payload(ack("/x", 7, "[]")), "43/x,7[]");
    }

    #[test]
    fn what_the_library_says_is_understood() {
        assert_eq!(Said::read("1"), Said::Close);
        assert_eq!(Said::read("2"), Said::Ping);
        assert_eq!(Said::read("3probe"), Said::Probed);
        assert_eq!(Said::read(r#"40{"sid":"x"}"#), Said::Connected("/"));
        assert_eq!(Said::read(r#"40/a,{"sid":"x"}"#), Said::Connected("/a"));
        assert_eq!(
            Said::read(r#"44/a,{"message":"no \"way\""}"#),
            Said::Refused("/a", "no \"way\"".into())
        );
        for other in ["", "4", "3", "42[\"a\"]", "44{}", "4é", "0{\"sid\":\"x\"}"] {
            assert_eq!(Said::read(other), Said::Other, "{other}");
        }
    }

    #[test]
    fn a_refusal_gets_its_data_back() {
        let words = words("no", &serde_json::json!({"code": "c"}));
        assert_eq!(
            refused("/a", &words).as_deref(),
            Some(r#"44/a,{"message":"no","data":{"code":"c"}}"#)
        );
        assert_eq!(refused("/", "Invalid namespace"), None);
        assert_eq!(refused("/", "{not JSON"), None);
    }
}
