//! Events for back ends that leave as one message: an array of their envelopes.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::envelope::Envelope;
use super::queue::Queue;
use super::{Awaited, Outgoing, hand_over};
use crate::batch::{Batches, Load, traced};
use crate::config::{Encoding, Want};
use crate::session::Later;
use crate::telemetry::trace;

/// NATS takes a megabyte unless its operator has said otherwise.
const MAX_BYTES: usize = 512 << 10;

pub(super) type Messages = Batches<To, Envelopes>;

/// Where a message goes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct To {
    pub subject: String,
    pub encoding: Encoding,
    pub want: Want,
}

/// One event, and who is told when it is stored.
pub(super) struct Item {
    pub envelope: Envelope,
    pub payload: Bytes,
    pub later: Option<Later>,
}

#[derive(Default)]
pub(super) struct Envelopes {
    /// The message is known by its first event.
    id: String,
    payloads: Vec<Bytes>,
    laters: Vec<Later>,
    traced: trace::Gathered,
}

pub(super) fn messages(queue: Arc<Queue>) -> Messages {
    Batches::new(MAX_BYTES, move |to: &To, envelopes: Envelopes| {
        // Who waits is told of a refusal, and it is counted.
        let _ = hand_over(&queue, envelopes.outgoing(to));
    })
}

impl Load for Envelopes {
    type Item = Item;

    fn weight(item: &Item) -> usize {
        // And a comma.
        item.payload.len() + 1
    }

    fn goes_with(&self, _: &Item) -> bool {
        true
    }

    fn add(&mut self, item: Item) {
        if self.payloads.is_empty() {
            self.id = item.envelope.id;
        }
        self.payloads.push(item.payload);
        self.laters.extend(item.later);
        self.traced.add_this();
    }
}

impl Envelopes {
    fn outgoing(self, to: &To) -> Outgoing {
        let _entered = traced(self.traced, self.payloads.len());
        let payload = array(&self.payloads, to.encoding);
        let awaited = match to.want {
            Want::Stored(timeout) => Awaited::Stored(self.laters, timeout),
            // The configuration gathers no requests.
            Want::Nothing | Want::Reply(_) => Awaited::Nothing,
        };
        Outgoing {
            subject: to.subject.clone(),
            id: self.id,
            encoding: to.encoding,
            payload,
            kind: awaited.kind(),
            awaited,
            since: Instant::now(),
            trace: trace::here(),
        }
    }
}

/// Values that are written already, as one.
fn array(values: &[Bytes], encoding: Encoding) -> Bytes {
    let bytes: usize = values.iter().map(|value| value.len() + 1).sum();
    let mut out = Vec::with_capacity(bytes + 5);
    match encoding {
        Encoding::Json => {
            out.push(b'[');
            for (number, value) in values.iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(value);
            }
            out.push(b']');
        }
        Encoding::Msgpack => {
            let length = u32::try_from(values.len()).unwrap_or(u32::MAX);
            // Writing to a vector does not fail.
            let _ = rmp::encode::write_array_len(&mut out, length);
            values.iter().for_each(|it| out.extend_from_slice(it));
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(payload: &'static [u8]) -> Item {
        Item {
            envelope: Envelope::new(),
            payload: Bytes::from_static(payload),
            later: None,
        }
    }

    fn written(items: [Item; 2], encoding: Encoding) -> Outgoing {
        let mut envelopes = Envelopes::default();
        for item in items {
            envelopes.add(item);
        }
        envelopes.outgoing(&To {
            subject: "s".to_owned(),
            encoding,
            want: Want::Nothing,
        })
    }

    #[test]
    fn a_message_is_an_array_of_envelopes() {
        let items = [item(b"{\"n\":1}"), item(b"{}")];
        let id = items[0].envelope.id.clone();
        let outgoing = written(items, Encoding::Json);
        assert_eq!(outgoing.payload, "[{\"n\":1},{}]");
        assert_eq!((outgoing.id, &*outgoing.subject), (id, "s"));
        let packed = written([item(&[0x80]), item(&[0x81, 1, 2])], Encoding::Msgpack);
        assert_eq!(&packed.payload[..], [0x92, 0x80, 0x81, 1, 2]);
    }
}
