//! Events of clients that leave as one event: its only argument is an array with an item for each of them.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::{Batches, Load};
use crate::config::Batch;
use crate::event::{Client, Code, Denial, Event, Recipients};
use crate::fanout::Fanout;
use crate::packet::{self, MAX_DEPTH};
use crate::telemetry::trace;

/// Official clients refuse a packet that has more, unless they are told otherwise (socket.io-parser, `maxAttachments`).
/// A single event may have more all the same: it would leave with them without a batch as well.
const MAX_ATTACHMENTS: usize = 10;

/// Every set of rooms is a batch of its own. One with more than these is rare, takes memory that a client decides on, and
/// does not wait for others of its kind.
const MAX_ROOMS: usize = 64;

/// Arrays around an event's arguments that it does not have by itself.
const DEEPER: usize = 2;

/// The batches of a node that leave to clients.
#[derive(Clone)]
pub(crate) struct Events(Arc<Batches<To, Gathered>>);

/// Whom a batch is for, and under which name.
#[derive(Clone, PartialEq, Eq, Hash)]
struct To {
    namespace: Arc<str>,
    name: Arc<str>,
    /// `None`: everyone in the namespace.
    rooms: Option<Vec<Arc<str>>>,
    volatile: bool,
}

/// The items, with commas between them.
#[derive(Default)]
pub(super) struct Gathered {
    items: String,
    attachments: Vec<Bytes>,
    count: usize,
    traced: trace::Gathered,
}

// === impl Events ===

impl Events {
    /// `max_payload`: what a client may be sent.
    pub(crate) fn new(fanout: Arc<Fanout>, max_payload: usize) -> Self {
        let leave = move |to: &To, mut gathered: Gathered| {
            let traced = std::mem::take(&mut gathered.traced);
            let _entered = super::traced(traced, gathered.count);
            trace::say("sluice.namespace", || &to.namespace);
            trace::say("sluice.event", || &to.name);
            let event = gathered.event(to.name.clone(), to.volatile);
            fanout.spread(&to.namespace, to.rooms.as_deref(), &event);
        };
        Self(Arc::new(Batches::new(max_payload, leave)))
    }

    /// Gathers an event that leaves under its own name. It is for its sender too: a batch is everyone's.
    pub(crate) fn add(
        &self,
        sender: &Client,
        to: &Recipients,
        event: Event,
        batch: Batch,
    ) -> Result<(), Denial> {
        if !packet::nests(&event.args, DEEPER) {
            let what = format!(
                "nested deeper than {}, and gathered with others",
                MAX_DEPTH - DEEPER
            );
            return Err(Denial::broker(Code::InvalidPacket, what));
        }
        let rooms = match to {
            Recipients::Room { name, .. } => Some(vec![name.as_str().into()]),
            Recipients::SenderRooms { .. } => Some(sender.rooms_seen()),
            // The configuration gathers nothing that is for others or the sender only.
            Recipients::All | Recipients::Others | Recipients::Sender => None,
        };
        let is_rare = rooms.as_ref().is_some_and(|it| it.len() > MAX_ROOMS);
        let max = if is_rare { 1 } else { batch.max };
        let to = To {
            namespace: sender.namespace.clone(),
            name: event.name.clone(),
            rooms,
            volatile: event.volatile,
        };
        self.0.add(to, event, Batch { max, ..batch });
        Ok(())
    }

    pub(crate) fn flush(&self) {
        self.0.flush();
    }

    /// From here on every event leaves at once.
    pub(crate) fn close(&self) {
        self.0.close();
    }

    /// Never ends.
    pub(crate) async fn serve(self) {
        self.0.serve().await;
    }
}

// === impl Gathered ===

impl Load for Gathered {
    type Item = Event;

    fn weight(event: &Event) -> usize {
        event.size()
    }

    /// In an event with attachments every object that looks like a placeholder is one, and in others none is: those that
    /// have such objects stay apart from those that have attachments.
    fn goes_with(&self, event: &Event) -> bool {
        match (self.attachments.len(), event.attachments.len()) {
            (0, 0) => true,
            (0, more) => more <= MAX_ATTACHMENTS && !packet::has_placeholders(&self.items),
            (_, 0) => !packet::has_placeholders(&event.args),
            (some, more) => some + more <= MAX_ATTACHMENTS,
        }
    }

    fn add(&mut self, event: Event) {
        self.count += 1;
        self.traced.add_this();
        if !self.items.is_empty() {
            self.items.push(',');
        }
        let item = packet::only_argument(&event.args).unwrap_or(&event.args);
        if event.attachments.is_empty() {
            self.items.push_str(item);
            return;
        }
        let before = self.attachments.len();
        self.items.push_str(&packet::replaced(item, |text, number| {
            let number = before + number;
            // Writing to a string does not fail.
            let _ = write!(text, r#"{{"_placeholder":true,"num":{number}}}"#);
        }));
        self.attachments.extend(event.attachments.iter().cloned());
    }
}

impl Gathered {
    pub(super) fn event(self, name: Arc<str>, volatile: bool) -> Event {
        Event {
            name,
            args: format!("[[{}]]", self.items).into(),
            attachments: self.attachments.into(),
            volatile,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(args: &str, attachments: &[&'static [u8]]) -> Event {
        Event {
            name: "e".into(),
            args: args.into(),
            attachments: attachments
                .iter()
                .map(|it| Bytes::from_static(it))
                .collect(),
            volatile: false,
        }
    }

    fn gathered(events: &[Event]) -> Event {
        let mut gathered = Gathered::default();
        for event in events {
            assert!(gathered.goes_with(event));
            gathered.add(event.clone());
        }
        gathered.event("batch".into(), false)
    }

    #[test]
    fn an_item_is_the_only_argument_or_all_of_them() {
        let events = [
            event("[ {\"a\":1.50} ]", &[]),
            event("[]", &[]),
            event("[1,\"]\"]", &[]),
            event("[[2]]", &[]),
        ];
        let batch = gathered(&events);
        assert_eq!(&*batch.args, "[[{\"a\":1.50},[],[1,\"]\"],[2]]]");
        packet::check_args(&batch.args, 0).unwrap();
    }

    #[test]
    fn attachments_keep_their_places() {
        let place = |number| format!(r#"{{"_placeholder":true,"num":{number}}}"#);
        let events = [
            event(&format!("[{},{}]", place(1), place(0)), &[b"a", b"b"]),
            event("[{\"_placeholder\":false}]", &[]),
            event(&format!("[{}]", place(0)), &[b"c"]),
        ];
        let batch = gathered(&events);
        let expected = format!(
            "[[[{},{}],{{\"_placeholder\":false}},{}]]",
            place(1),
            place(0),
            place(2)
        );
        assert_eq!(&*batch.args, expected);
        assert_eq!(*batch.attachments, [&b"a"[..], b"b", b"c"]);
    }

    #[test]
    fn what_looks_like_a_placeholder_stays_away_from_those() {
        let look_alike = event(r#"[{"\u005fplaceholder":true,"num":7}]"#, &[]);
        let real = event(r#"[{"_placeholder":true,"num":0}]"#, &[b"a"]);
        let plain = event("[{}]", &[]);
        let mut gathered = Gathered::default();
        gathered.add(real.clone());
        assert!(!gathered.goes_with(&look_alike) && gathered.goes_with(&plain));
        let mut gathered = Gathered::default();
        gathered.add(plain);
        assert!(gathered.goes_with(&real));
        gathered.add(look_alike);
        assert!(!gathered.goes_with(&real));
        let mut gathered = Gathered::default();
        for _ in 0..MAX_ATTACHMENTS {
            assert!(gathered.goes_with(&real));
            gathered.add(real.clone());
        }
        assert!(!gathered.goes_with(&real));
    }

    #[test]
    fn a_batch_is_no_deeper_than_an_event() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(packet::nests(&deep(MAX_DEPTH - DEEPER), DEEPER));
        assert!(!packet::nests(&deep(MAX_DEPTH - DEEPER + 1), DEEPER));
        let wide = format!("[{}[]]", "[],".repeat(MAX_DEPTH));
        assert!(packet::nests(&wide, DEEPER));
    }
}
