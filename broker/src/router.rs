//! From an event and the routes of its namespace to what is done with it: a pure function.

mod pointer;
#[cfg(test)]
mod tests;

pub(crate) use pointer::Pointer;

use std::sync::Arc;

use crate::config::{Action, Batch, Outbound, RoomSource, Route, To};
use crate::event::{Code, Denial, Event, Recipients, hidden};

/// Bytes of a room's name. Rooms are made by clients, so their names need a bound.
pub(crate) const LONGEST_ROOM: usize = 512;

/// What the router makes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivery {
    Emit {
        name: Arc<str>,
        to: Recipients,
        volatile: bool,
        batch: Option<Batch>,
    },
    Join(String),
    Leave(String),
    /// The sender wants to know who is in a room.
    Presence(String),
    Publish(Arc<Outbound>, Option<Batch>),
    Ignore,
}

/// Finds the first route whose glob matches. An event without one is denied.
pub(crate) fn route(routes: &[Route], event: &Event) -> Result<Delivery, Denial> {
    let Some(route) = routes.iter().find(|route| route.event.matches(&event.name)) else {
        return Err(Denial::broker(Code::NoRoute, "no route for this event"));
    };
    match &route.action {
        Action::Emit { to } => Ok(Delivery::Emit {
            name: route.rename.as_ref().unwrap_or(&event.name).clone(),
            to: recipients(to, event)?,
            volatile: route.volatile,
            batch: route.batch,
        }),
        Action::Publish(outbound) => Ok(Delivery::Publish(outbound.clone(), route.batch)),
        Action::Join { room } => Ok(Delivery::Join(name(room, event)?)),
        Action::Leave { room } => Ok(Delivery::Leave(name(room, event)?)),
        Action::Presence { room, .. } => Ok(Delivery::Presence(name(room, event)?)),
        Action::Ignore => Ok(Delivery::Ignore),
    }
}

fn recipients(to: &To, event: &Event) -> Result<Recipients, Denial> {
    Ok(match to {
        To::All => Recipients::All,
        To::Others => Recipients::Others,
        To::Sender => Recipients::Sender,
        To::Rooms { include_sender } => Recipients::SenderRooms {
            include_sender: *include_sender,
        },
        To::Room {
            room,
            include_sender,
        } => Recipients::Room {
            name: name(room, event)?,
            include_sender: *include_sender,
        },
    })
}

/// The room that an event is about.
fn name(room: &RoomSource, event: &Event) -> Result<String, Denial> {
    match room {
        RoomSource::Literal(name) => Ok(name.clone()),
        RoomSource::Pointer(pointer) => {
            let name = pointer.find(&event.args).and_then(room_name);
            let name = name.ok_or_else(|| {
                let what = format!(
                    "{pointer} has to be the room: a text that is not empty, or a whole number"
                );
                Denial::broker(Code::InvalidPacket, what)
            })?;
            if hidden::is(&name) {
                let what = format!("{pointer}: names that begin with U+0000 are the broker's own");
                return Err(Denial::broker(Code::InvalidPacket, what));
            }
            if name.len() > LONGEST_ROOM {
                let what = format!("{pointer}: a room's name has at most {LONGEST_ROOM} bytes");
                return Err(Denial::broker(Code::TooLarge, what));
            }
            Ok(name)
        }
    }
}

/// The name that a JSON value gives a room. Numbers are taken as they are written, however large.
fn room_name(json: &str) -> Option<String> {
    if json.starts_with('"') {
        return serde_json::from_str(json)
            .ok()
            .filter(|name: &String| !name.is_empty());
    }
    let digits = json.strip_prefix('-').unwrap_or(json);
    let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    whole.then(|| json.to_owned())
}
