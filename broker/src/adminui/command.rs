//! What the Admin UI wants done: the events `emit`, `join`, `leave` and `_disconnect`, read as requests of the API are.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::backend::{self, Emit, Mistake, Request, Steer, Steering, Whom};
use crate::event::{Client, Code, Denial, Event};

/// Something to be done, and by whom it is asked for.
pub(super) struct Command {
    pub socket: Arc<str>,
    pub what: What,
}

pub(super) enum What {
    Emit(Emit),
    Steer(Steer),
}

/// An event, as a request of the API has it.
#[derive(Serialize)]
struct Body<'a> {
    namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rooms: Option<[String; 1]>,
    event: String,
    args: &'a [&'a RawValue],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<String>,
}

impl Command {
    pub(super) fn read(client: &Client, event: &Event) -> Result<Self, Denial> {
        let wrong = |detail: String| Denial::broker(Code::InvalidPacket, detail);
        if !event.attachments.is_empty() && &*event.name != "emit" {
            return Err(wrong("binary arguments belong to `emit` only".to_owned()));
        }
        // It was checked to be an array.
        let args: Vec<&RawValue> = serde_json::from_str(&event.args).unwrap_or_default();
        let what = match &*event.name {
            "emit" => emit(&args, &event.attachments).map(What::Emit),
            "join" => moved(&args, Steering::Join).map(What::Steer),
            "leave" => moved(&args, Steering::Leave).map(What::Steer),
            "_disconnect" => ended(&args).map(What::Steer),
            _ => Err(Mistake::new(
                "unknown",
                "expected emit, join, leave or _disconnect",
            )),
        };
        let what = what.map_err(|mistake| wrong(mistake.to_string()))?;
        Ok(Self {
            socket: Arc::from(&*client.peer.name),
            what,
        })
    }
}

/// `(namespace, filter, event, ...args)`; a filter is a room or a socket, and none means everyone.
fn emit(args: &[&RawValue], attachments: &[Bytes]) -> Result<Emit, Mistake> {
    let body = Body {
        namespace: text(args, 0, "the namespace")?,
        rooms: filter(args, 1)?.map(|filter| [filter]),
        event: text(args, 2, "the event")?,
        args: args.get(3..).unwrap_or_default(),
        attachments: attachments
            .iter()
            .map(|it| BASE64_STANDARD.encode(it))
            .collect(),
    };
    // Texts, and JSON that was checked, always serialize.
    let body = serde_json::to_vec(&body).unwrap_or_default();
    match backend::read(&body, None)? {
        Request::One(emit) => Ok(emit),
        // An object is one.
        Request::Batch(_) => Err(Mistake::new("unknown", "expected one event")),
    }
}

/// `(namespace, room, filter)`
fn moved(args: &[&RawValue], how: fn(Vec<String>) -> Steering) -> Result<Steer, Mistake> {
    let rooms = backend::rooms(vec![text(args, 1, "the room")?], "room")?;
    Ok(Steer {
        what: how(backend::sized(rooms, "room")?),
        whom: whom(args)?,
    })
}

/// `(namespace, close, filter)`
fn ended(args: &[&RawValue]) -> Result<Steer, Mistake> {
    let close = args.get(1).is_some_and(|close| close.get() == "true");
    Ok(Steer {
        whom: whom(args)?,
        what: Steering::Disconnect { close },
    })
}

fn whom(args: &[&RawValue]) -> Result<Whom, Mistake> {
    Ok(Whom {
        namespace: text(args, 0, "the namespace")?,
        rooms: match filter(args, 2)? {
            Some(filter) => backend::rooms(vec![filter], "filter")?,
            None => Vec::new(),
        },
        ..Whom::default()
    })
}

fn text(args: &[&RawValue], place: usize, what: &str) -> Result<String, Mistake> {
    let text = args.get(place).map(|arg| serde_json::from_str(arg.get()));
    match text {
        Some(Ok(text)) => Ok(text),
        _ => Err(Mistake::new("bad_field", format!("{what} is to be a text"))),
    }
}

/// What JavaScript takes for nothing is none.
fn filter(args: &[&RawValue], place: usize) -> Result<Option<String>, Mistake> {
    let value = args
        .get(place)
        .map(|arg| serde_json::from_str::<Value>(arg.get()));
    match value {
        None | Some(Ok(Value::Null)) => Ok(None),
        Some(Ok(Value::String(text))) => Ok(Some(text).filter(|text| !text.is_empty())),
        _ => Err(Mistake::new("bad_field", "the filter is to be a text")),
    }
}
