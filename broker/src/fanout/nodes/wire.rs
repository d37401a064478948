//! An event as it goes from node to node: a head in msgpack, with named fields so that later versions may add some,
//! then the text of the arguments and the attachments as they are.
//!
//! ```text
//! version u8 · kind u8 · sender u64 · number u64 · length of the head u32 · head · arguments · attachments
//! ```
//!
//! Numbers are little-endian. The sender numbers what it sends to one receiver from 1 on.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::NodeId;
use super::parts::{self, Part};
use crate::event::{Event, RESERVED};
use crate::fanout::message::Message;
use crate::packet;
use crate::telemetry::trace::Context;

/// Raised when a frame cannot be read by an earlier version any more. Fields are added without.
pub(super) const VERSION: u8 = 1;

/// Bytes before the head.
pub(super) const PREFIX: usize = 22;
const FROM: std::ops::Range<usize> = 2..10;
const NUMBER: std::ops::Range<usize> = 10..18;
pub(super) const LENGTH: std::ops::Range<usize> = 18..22;

const EVENT: u8 = 0;
const MARK: u8 = 1;
/// A part of an event: see [`parts`].
pub(super) const PART: u8 = 2;
/// Several frames: see [`super::bundle`].
pub(super) const BUNDLE: u8 = 3;

/// What a node says that it reads: 2 has parts and bundles.
pub(crate) const READS: u8 = 2;
pub(super) const READS_BUNDLES: u8 = 2;

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    namespace: &'a str,
    /// `None`: everyone in the namespace.
    #[serde(default)]
    rooms: Option<Vec<Box<str>>>,
    #[serde(default)]
    except: Vec<Box<str>>,
    event: &'a str,
    /// Lengths of what follows.
    args: u32,
    #[serde(default)]
    attachments: Vec<u32>,
    #[serde(default)]
    volatile: bool,
    /// The trace that it is a part of, as W3C's `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Cow<'a, str>>,
}

/// What came from a node.
pub(crate) struct Frame {
    pub from: NodeId,
    pub number: u64,
    pub content: Content,
}

pub(crate) enum Content {
    Event(Message),
    Part(Part),
    /// Nothing but the number of the last event that was sent.
    Mark,
    /// Of a version that this node does not know. It counts, and is lost.
    Unknown,
}

/// What came is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no frame: {0}")]
pub(crate) struct Unreadable(pub(super) &'static str);

/// A frame whose sender and number are not filled in yet.
pub(super) fn event(message: &Message) -> Option<Vec<u8>> {
    let Event {
        name,
        args,
        attachments,
        volatile,
    } = &message.event;
    let lengths = attachments.iter().map(|it| u32::try_from(it.len()));
    let head = Head {
        namespace: &message.namespace,
        rooms: message.rooms.clone(),
        except: message.except.clone(),
        event: name,
        args: u32::try_from(args.len()).ok()?,
        attachments: lengths.collect::<Result<_, _>>().ok()?,
        volatile: *volatile,
        trace: message.trace.map(|context| context.to_string().into()),
    };
    let mut frame = Vec::with_capacity(PREFIX + 128 + message.size());
    frame.extend_from_slice(&[0; PREFIX]);
    // Texts, numbers and lists always have a form.
    rmp_serde::encode::write_named(&mut frame, &head).ok()?;
    let length = u32::try_from(frame.len() - PREFIX).ok()?;
    frame.extend_from_slice(args.as_bytes());
    for attachment in attachments.iter() {
        frame.extend_from_slice(attachment);
    }
    put(&mut frame, 0..2, &[VERSION, EVENT]);
    put(&mut frame, LENGTH, &length.to_le_bytes());
    Some(frame)
}

pub(super) fn mark() -> Vec<u8> {
    let mut frame = vec![0; PREFIX];
    put(&mut frame, 0..2, &[VERSION, MARK]);
    frame
}

/// Fills in who sends it, and as which of its frames to one receiver.
pub(super) fn address(frame: &mut [u8], from: NodeId, number: u64) {
    put(frame, FROM, &from.0.to_le_bytes());
    put(frame, NUMBER, &number.to_le_bytes());
}

pub(super) fn put(frame: &mut [u8], place: std::ops::Range<usize>, bytes: &[u8]) {
    if let Some(place) = frame.get_mut(place) {
        place.copy_from_slice(bytes);
    }
}

/// Reads what a peer has sent, and trusts none of it: what is relayed to clients has to be what their decoders take.
pub(crate) fn read(bytes: &Bytes) -> Result<Frame, Unreadable> {
    let short = Unreadable("too short");
    let version = bytes.first().ok_or(Unreadable("empty"))?;
    let kind = bytes.get(1).ok_or(Unreadable("too short"))?;
    let from = NodeId(u64::from_le_bytes(
        array(bytes, FROM).ok_or(Unreadable("too short"))?,
    ));
    let number = u64::from_le_bytes(array(bytes, NUMBER).ok_or(short)?);
    let content = match (*version, *kind) {
        (VERSION, EVENT) => Content::Event(message(bytes)?),
        (VERSION, MARK) => Content::Mark,
        (VERSION, PART) => Content::Part(parts::read(bytes).ok_or(Unreadable("a part"))?),
        _ => Content::Unknown,
    };
    Ok(Frame {
        from,
        number,
        content,
    })
}

pub(super) fn array<const N: usize>(
    bytes: &[u8],
    place: std::ops::Range<usize>,
) -> Option<[u8; N]> {
    bytes.get(place)?.try_into().ok()
}

fn message(bytes: &Bytes) -> Result<Message, Unreadable> {
    let short = || Unreadable("too short");
    let length = u32::from_le_bytes(array(bytes, LENGTH).ok_or_else(short)?) as usize;
    let head_end = PREFIX.saturating_add(length);
    let head = bytes.get(PREFIX..head_end).ok_or_else(short)?;
    let head: Head<'_> = rmp_serde::from_slice(head).map_err(|_| Unreadable("its head"))?;
    let mut at = head_end;
    let mut next = |length: u32| {
        let end = at.checked_add(length as usize)?;
        let range = std::mem::replace(&mut at, end)..end;
        (end <= bytes.len()).then(|| bytes.slice(range))
    };
    let args = next(head.args).ok_or_else(short)?;
    let args = std::str::from_utf8(&args).map_err(|_| Unreadable("its arguments"))?;
    let attachments = head.attachments.iter().map(|length| {
        // A copy of its own: the frame's memory is not kept for it.
        next(*length).map(|bytes| Bytes::copy_from_slice(&bytes))
    });
    let attachments: Arc<[Bytes]> = attachments.collect::<Option<_>>().ok_or_else(short)?;
    packet::check_args(args, attachments.len()).map_err(|_| Unreadable("its arguments"))?;
    if RESERVED.contains(&head.event) {
        return Err(Unreadable("its event's name"));
    }
    let event = Event {
        name: head.event.into(),
        args: args.into(),
        attachments,
        volatile: head.volatile,
    };
    let (namespace, rooms, except) = (head.namespace.into(), head.rooms, head.except);
    let mut message = Message::from_node(namespace, rooms, except, event);
    message.trace = head.trace.and_then(|trace| Context::read(&trace));
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(event_name: &str, args: &str, attachments: &[&'static [u8]]) -> Vec<u8> {
        let attachments: Vec<_> = attachments
            .iter()
            .map(|it| Bytes::from_static(it))
            .collect();
        let event_ = Event {
            name: event_name.into(),
            args: args.into(),
            attachments: attachments.into(),
            volatile: true,
        };
        let rooms = Some(vec!["ü.*>".into(), "".into()]);
        let message = Message::from_node("/chat".into(), rooms, vec!["x".into()], event_);
        let mut frame = event(&message).unwrap();
        address(&mut frame, NodeId(7), 9);
        frame
    }

    #[test]
    fn what_is_written_is_read() {
        let args = r#"[{"_placeholder":true,"num":0},"x"]"#;
        let frame = read(&sent("e", args, &[b"abc"]).into()).unwrap();
        assert_eq!((frame.from, frame.number), (NodeId(7), 9));
        let Content::Event(message) = frame.content else {
            panic!("an event");
        };
        assert_eq!(&*message.namespace, "/chat");
        assert_eq!(message.rooms, Some(vec!["ü.*>".into(), "".into()]));
        assert_eq!(message.except, ["x".into()]);
        let event = &message.event;
        assert_eq!(
            (&*event.name, &*event.args, event.volatile),
            ("e", args, true)
        );
        assert_eq!(*event.attachments, [Bytes::from_static(b"abc")]);
    }

    #[test]
    fn a_trace_goes_along_and_is_no_trouble_to_who_knows_none() {
        let event_ = Event {
            name: "e".into(),
            args: "[]".into(),
            attachments: Arc::new([]),
            volatile: false,
        };
        let mut message = Message::from_node("/".into(), None, Vec::new(), event_);
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        message.trace = Context::read(text);
        let frame = event(&message).unwrap();
        let Content::Event(read) = read(&frame.clone().into()).unwrap().content else {
            panic!("an event");
        };
        assert_eq!(read.trace.map(|it| it.to_string()), Some(text.to_owned()));
        /// The head as nodes had it that knew no traces.
        #[derive(Deserialize)]
        struct Before<'a> {
            event: &'a str,
            args: u32,
        }
        let length = u32::from_le_bytes(array(&frame, LENGTH).unwrap()) as usize;
        let head: Before<'_> = rmp_serde::from_slice(&frame[PREFIX..PREFIX + length]).unwrap();
        assert_eq!((head.event, head.args), ("e", 2));
    }

    #[test]
    fn a_mark_is_its_number() {
        let mut frame = mark();
        address(&mut frame, NodeId(1), 2);
        let frame = read(&frame.into()).unwrap();
        assert!(matches!(frame.content, Content::Mark) && frame.number == 2);
    }

    #[test]
    fn what_another_version_sends_is_counted_only() {
        let mut frame = sent("e", "[]", &[]);
        frame[0] = VERSION + 1;
        assert!(matches!(
            read(&frame.into()).unwrap().content,
            Content::Unknown
        ));
    }

    #[test]
    fn nothing_that_is_cut_or_changed_is_believed_or_panics() {
        let frame = sent("e", r#"["abc"]"#, &[]);
        for end in 0..frame.len() {
            assert!(
                read(&Bytes::copy_from_slice(&frame[..end])).is_err(),
                "{end}"
            );
        }
        for at in 0..frame.len() {
            for bit in 0..8 {
                let mut changed = frame.clone();
                changed[at] ^= 1 << bit;
                let _ = read(&changed.into());
            }
        }
        for (name, args) in [("connect", "[]"), ("e", "{}"), ("e", "[")] {
            assert!(
                read(&sent(name, args, &[]).into()).is_err(),
                "{name} {args}"
            );
        }
    }
}
