//! An event in the forms in which it leaves, each made when the first recipient wants it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use socketioxide_core::packet::Packet;
use socketioxide_core::{Str, Value};

use super::lane::{Bounds, Compression, Lane, Overflow, Shared};
use super::parser::Parser;
use crate::event::Event;
use crate::packet;

pub(super) struct Encoded {
    namespace: Str,
    text: Str,
    event: Event,
    /// Of the answer that its recipients are asked for.
    id: Option<i64>,
    plain: Form,
    msgpack: Form,
}

/// What goes over the lanes of clients with one parser.
#[derive(Default)]
struct Form {
    frames: OnceLock<Shared>,
    /// One for each window that there can be.
    compressed: OnceLock<Box<[OnceLock<Shared>; WINDOWS]>>,
    /// Made for polling clients only.
    data: OnceLock<Value>,
}

/// From 9 bits to 15.
const WINDOWS: usize = 7;
const SMALLEST_WINDOW: u8 = 9;

impl Encoded {
    pub(super) fn new(namespace: Str, event: &Event, id: Option<i64>) -> Self {
        Self {
            namespace,
            text: Str::from(packet::event_text(&event.name, &event.args)),
            event: event.clone(),
            id,
            plain: Form::default(),
            msgpack: Form::default(),
        }
    }

    pub(super) fn id(&self) -> Option<i64> {
        self.id
    }

    pub(super) fn is_volatile(&self) -> bool {
        self.event.volatile
    }

    /// Bytes of text and attachments.
    pub(super) fn size(&self) -> usize {
        let attachments = self.event.attachments.iter().map(Bytes::len);
        self.text.len() + attachments.sum::<usize>()
    }

    /// As the library's queue takes it.
    pub(super) fn packet(&self, parser: Parser) -> Packet {
        let make = || parser.data(self.text.clone(), &self.event.attachments);
        let data = self.form(parser).data.get_or_init(make);
        let mut packet = Packet::event(self.namespace.clone(), data.clone());
        if let Some(id) = self.id {
            packet.inner.set_ack_id(id);
        }
        packet
    }

    pub(super) fn frames(&self, parser: Parser) -> &Bytes {
        self.shared(parser).as_ref()
    }

    fn shared(&self, parser: Parser) -> &Shared {
        let attachments = &self.event.attachments;
        let make = || {
            let frames = parser.event(&self.namespace, &self.text, attachments, self.id);
            Bytes::from(frames).into()
        };
        self.form(parser).frames.get_or_init(make)
    }

    pub(super) fn push(
        &self,
        parser: Parser,
        lane: &Arc<Lane>,
        bounds: Bounds,
    ) -> Result<(), Overflow> {
        match self.frames_for(parser, lane) {
            Some(frames) => lane.push(frames, bounds),
            None => lane.push_own(self.frames(parser).clone(), bounds),
        }
    }

    /// As they go over a lane; `None`: they have to be made for it alone.
    fn frames_for(&self, parser: Parser, lane: &Lane) -> Option<&Shared> {
        let plain = self.shared(parser);
        let frames = plain.as_ref();
        let Some(Compression { settings, shared }) = lane.compression(frames.len()) else {
            return Some(plain);
        };
        let bits = shared?;
        let compressed = self.form(parser).compressed.get_or_init(Box::default);
        let place = usize::from(bits.checked_sub(SMALLEST_WINDOW)?);
        let make = || Bytes::from(settings.compress(frames, bits)).into();
        Some(compressed.get(place)?.get_or_init(make))
    }

    fn form(&self, parser: Parser) -> &Form {
        match parser {
            Parser::Text => &self.plain,
            Parser::Msgpack => &self.msgpack,
        }
    }
}
