//! `[[namespace.route]]`: what becomes of an event that the policies let through.

mod batch;
mod outbound;

use std::sync::Arc;

use super::section::Section;
use super::setting::{Setting, Wrong, names};
use crate::event::{RESERVED, hidden};
use crate::glob::Glob;
use crate::router::{LONGEST_ROOM, Pointer};
pub(crate) use batch::Batch;
use outbound::Way;
pub(super) use outbound::subject;
pub(crate) use outbound::{Encoding, Outbound, Reach, Want};

/// The first route of a namespace whose glob matches an event decides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Route {
    pub event: Glob,
    pub action: Action,
    /// The name under which the event is emitted, where it is not its own.
    pub rename: Option<Arc<str>>,
    /// Skipped for clients that take nothing at the moment.
    pub volatile: bool,
    /// Only where events are emitted or published.
    pub batch: Option<Batch>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    Emit {
        to: To,
    },
    Join {
        room: RoomSource,
    },
    Leave {
        room: RoomSource,
    },
    /// The sender is told who is in the room, and from then on who joins and leaves it.
    Presence {
        room: RoomSource,
        /// Of the events that tell it.
        name: Arc<str>,
    },
    /// To back ends.
    Publish(Arc<Outbound>),
    Ignore,
}

/// Whom an event is emitted to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum To {
    All,
    Others,
    Sender,
    /// Every room of the sender.
    Rooms {
        include_sender: bool,
    },
    Room {
        room: RoomSource,
        include_sender: bool,
    },
}

/// Where the name of a room comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RoomSource {
    Literal(String),
    /// Into the array of the event's arguments.
    Pointer(Pointer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Emit,
    Join,
    Leave,
    Presence,
    Ignore,
    Publish,
    Request,
}

names!(Act,
    "emit" => Act::Emit,
    "join" => Act::Join,
    "leave" => Act::Leave,
    "presence" => Act::Presence,
    "publish" => Act::Publish,
    "request" => Act::Request,
    "ignore" => Act::Ignore,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    All,
    Others,
    Sender,
    Rooms,
    Room,
}

names!(Target,
    "all" => Target::All,
    "others" => Target::Others,
    "sender" => Target::Sender,
    "rooms" => Target::Rooms,
    "room" => Target::Room,
);

/// The keys of a route as they are written, but for the event and what is done with it.
struct Written {
    to: Option<Target>,
    room: Option<RoomSource>,
    include_sender: Option<bool>,
    rename: Option<String>,
    volatile: Option<bool>,
    outbound: outbound::Written,
    batch: Option<Batch>,
}

impl Route {
    /// `None` means that a problem has been reported.
    pub(super) fn read(s: &mut Section<'_, '_>, reach: Reach<'_>) -> Option<Self> {
        let event = s.required(
            "event",
            "*",
            "The events that the route is for; `*` stands for any characters.",
        );
        s.label("event", "event");
        let act = s.valid("action", "emit", "What is done.");
        let written = Written {
            to: s.optional(
                "to",
                "others",
                "Whom the event is emitted to; `room` if a room is given.",
            ),
            room: s.optional(
                "room",
                "/0",
                "A room's name, or where it stands in the arguments: /0, /0/room.",
            ),
            include_sender: s.optional(
                "include_sender",
                "false",
                "The sender receives the event too.",
            ),
            rename: s.optional(
                "as",
                "message",
                "The name under which the event is emitted; of the events that tell who joins and leaves: `presence` unless given.",
            ),
            volatile: s.optional(
                "volatile",
                "false",
                "The event is skipped for clients that take nothing at the moment, which are not disconnected for it.",
            ),
            outbound: outbound::Written::read(s),
            batch: Batch::read(s),
        };
        if written
            .rename
            .as_deref()
            .is_some_and(|name| RESERVED.contains(&name))
        {
            s.complain(
                "as",
                "is a name that Socket.IO keeps for itself",
                Some("another name"),
            );
        }
        let act = act?;
        let action = match act {
            Act::Emit => written.emit(s),
            Act::Join => written.room(s).map(|room| Action::Join { room }),
            Act::Leave => written.room(s).map(|room| Action::Leave { room }),
            Act::Presence => written.presence(s),
            Act::Ignore => Some(Action::Ignore),
            Act::Publish => written.publish(s, reach, Way::Publish),
            Act::Request => written.publish(s, reach, Way::Request),
        };
        written.report_idle(s, act);
        Some(Self {
            event: event?,
            action: action?,
            volatile: written.volatile.unwrap_or(false),
            rename: written.rename.map(Arc::from),
            batch: written.batch,
        })
    }

    /// The route for an event whose room is its first argument, or which goes to all others.
    pub(super) fn relay() -> Vec<Self> {
        let first = || RoomSource::Pointer(Pointer::argument(0));
        let route = |event, action| Self {
            event: Glob::new(event),
            action,
            rename: None,
            volatile: false,
            batch: None,
        };
        vec![
            route("join", Action::Join { room: first() }),
            route("leave", Action::Leave { room: first() }),
            route("*", Action::Emit { to: To::Others }),
        ]
    }
}

impl Written {
    fn emit(&self, s: &mut Section<'_, '_>) -> Option<Action> {
        let include_sender = self.include_sender.unwrap_or(false);
        let target = match self.to {
            Some(target) => target,
            None if s.has("to") => return None,
            None if s.has("room") => Target::Room,
            None => {
                let what = "is missing: the route leads nowhere";
                s.report("to", what, Some(Target::EXPECTED));
                return None;
            }
        };
        let to = match target {
            Target::All => To::All,
            Target::Others if include_sender => To::All,
            Target::Others => To::Others,
            Target::Sender => To::Sender,
            Target::Rooms => To::Rooms { include_sender },
            Target::Room => To::Room {
                room: self.room(s)?,
                include_sender,
            },
        };
        if leaves_sender_out(&to) && self.batch.is_some() {
            let what = "needs `include_sender = true`, or `to = \"all\"`: a batch holds events of several senders, so it is for all of them";
            s.report("batch", what, None);
        }
        Some(Action::Emit { to })
    }

    fn presence(&self, s: &mut Section<'_, '_>) -> Option<Action> {
        let name = self.rename.as_deref().unwrap_or("presence");
        Some(Action::Presence {
            room: self.room(s)?,
            name: name.into(),
        })
    }

    fn publish(&self, s: &mut Section<'_, '_>, reach: Reach<'_>, way: Way) -> Option<Action> {
        if reach.cluster.is_none() {
            let what = format!("{} needs a NATS server", s.shown("action"));
            s.report("action", &what, Some("`cluster.nats_url` beside it"));
        }
        if way == Way::Request && self.batch.is_some() {
            let what = "has no effect in this route: every request has a reply of its own";
            s.report("batch", what, None);
        }
        let outbound = self.outbound.outbound(s, reach, way);
        outbound.map(Action::Publish)
    }

    fn room(&self, s: &mut Section<'_, '_>) -> Option<RoomSource> {
        if !s.has("room") {
            let what = "is missing: the route leads nowhere";
            s.report("room", what, Some(RoomSource::EXPECTED));
        }
        self.room.clone()
    }

    /// A key without effect is a misunderstanding.
    fn report_idle(&self, s: &mut Section<'_, '_>, act: Act) {
        let emits = act == Act::Emit;
        let publishes = matches!(act, Act::Publish | Act::Request);
        let to_room = matches!(self.to, None | Some(Target::Room));
        let to_self = matches!(self.to, Some(Target::All | Target::Sender));
        let idle = [
            ("to", !emits),
            ("as", !emits && act != Act::Presence),
            ("volatile", !emits),
            (
                "room",
                publishes || act == Act::Ignore || (emits && !to_room),
            ),
            ("include_sender", !emits || to_self),
            ("subject", !publishes),
            ("format", !publishes),
            ("durable", !publishes),
            ("timeout", !publishes),
            ("batch", !publishes && !emits),
        ];
        for (name, idle) in idle {
            if idle && s.has(name) {
                s.report(name, "has no effect in this route", None);
            }
        }
    }
}

/// It goes to some, but not to its sender, or to its sender only.
fn leaves_sender_out(to: &To) -> bool {
    match to {
        To::All => false,
        To::Others | To::Sender => true,
        To::Rooms { include_sender } | To::Room { include_sender, .. } => !include_sender,
    }
}

impl Setting for RoomSource {
    const EXPECTED: &'static str =
        "a room's name, or a JSON Pointer into the arguments such as `/0` or `/0/room`";
    const TYPE: &'static str = "text";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        if text.is_empty() {
            return Err(Wrong::new("is empty"));
        }
        if text.starts_with('/') {
            return Pointer::parse(text).map(Self::Pointer).map_err(Wrong::new);
        }
        if hidden::is(text) {
            return Err(Wrong::new("begins with U+0000, which is the broker's own"));
        }
        if text.len() > LONGEST_ROOM {
            return Err(Wrong::new("is too long for a room"));
        }
        Ok(Self::Literal(text.to_owned()))
    }
}
