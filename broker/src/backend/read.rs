//! Reading what back ends send: one event, or an array of such, as JSON.

mod packed;

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::emit::{Emit, Wait};
use crate::event::{RESERVED, hidden};
use crate::packet;
use crate::router::LONGEST_ROOM;
pub(crate) use packed::read_packed;

/// What somebody asks for who sends one event, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    One(Emit),
    /// In their order. One that is wrong does not stand in the way of the others.
    Batch(Vec<Result<Emit, Mistake>>),
}

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct Mistake {
    /// For programs: one word a cause.
    pub code: &'static str,
    /// For people.
    pub detail: String,
    /// The field that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// As many attachments as a client may send.
const MAX_ATTACHMENTS: usize = 64;

/// Rooms, and users, of one event: each is looked up.
const MAX_NAMES: usize = 10_000;

/// Every node that is asked keeps what it answers for this long.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);

const LONGEST_ID: usize = 128;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EmitBody")]
pub(crate) struct Body<'a> {
    /// `/` without this.
    namespace: Option<String>,
    /// Members of these rooms, and the sockets of these ids. Without rooms and users: everyone in the namespace.
    rooms: Option<Vec<String>>,
    /// Every socket of these users.
    users: Option<Vec<String>>,
    /// Members of these rooms, and the sockets of these ids, do not get it.
    except: Option<Vec<String>>,
    event: String,
    /// The event's arguments, passed on byte for byte; a placeholder `{"_placeholder": true, "num": 0}` for each
    /// attachment.
    #[serde(borrow)]
    #[schemars(with = "Option<Vec<serde_json::Value>>")]
    args: Option<&'a RawValue>,
    /// In base64 (RFC 4648, section 4).
    #[schemars(with = "Option<Vec<String>>")]
    attachments: Option<Vec<Base64>>,
    /// Skipped for clients that take nothing at the moment.
    #[serde(default)]
    volatile: bool,
    /// The clients are to answer it.
    ack: Option<Ack>,
    /// The same event with the same text is delivered once within two minutes.
    id: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "EmitAck")]
#[serde(
    untagged,
    expecting = "`true`, or an object such as {\"timeout\": \"5s\"}"
)]
enum Ack {
    Plain(bool),
    Terms(Terms),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EmitAckTerms")]
struct Terms {
    /// At most 60 seconds.
    timeout: Option<Time>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "EmitTimeout")]
#[serde(
    untagged,
    expecting = "a time such as \"5s\", or a number of milliseconds"
)]
enum Time {
    Milliseconds(u64),
    Text(String),
}

struct Base64(Bytes);

/// Reads one event or, where it is an array, a batch. `at` is the namespace that the request was sent to; without one
/// it stands in the request, or is `/`.
///
/// # Errors
/// What is wrong with the request as a whole.
pub(crate) fn read(body: &[u8], at: Option<&str>) -> Result<Request, Mistake> {
    if body.trim_ascii_start().first() != Some(&b'[') {
        return parse(body)
            .and_then(|body| check(body, at))
            .map(Request::One);
    }
    let items: Vec<&RawValue> = parse(body)?;
    let each = items.into_iter().map(|item| {
        let read = parse(item.get().as_bytes());
        read.and_then(|body| check(body, at))
    });
    Ok(Request::Batch(each.collect()))
}

/// What a body says, or which of its fields is at fault.
pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Mistake> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| malformed(&error))?;
    json.end().map_err(|error| not_json(&error))?;
    Ok(read)
}

fn check(body: Body<'_>, at: Option<&str>) -> Result<Emit, Mistake> {
    if RESERVED.contains(&&*body.event) {
        let what = "the protocol keeps this name for itself";
        return Err(Mistake::new("reserved_event", what).at("event"));
    }
    let attachments: Vec<_> = body.attachments.unwrap_or_default();
    if attachments.len() > MAX_ATTACHMENTS {
        let what = format!("expected at most {MAX_ATTACHMENTS} of them");
        return Err(Mistake::new("bad_field", what).at("attachments"));
    }
    let args = body.args.map_or("[]", RawValue::get);
    packet::check_args(args, attachments.len())
        .map_err(|denial| Mistake::new("bad_args", denial.message).at("args"))?;
    if body.id.as_ref().is_some_and(|id| !is_id(id)) {
        return Err(Mistake::id("id"));
    }
    Ok(Emit {
        namespace: namespace(body.namespace, at)?,
        rooms: named(body.rooms, "rooms", "no_rooms")?,
        users: named(body.users, "users", "no_users")?,
        except: rooms(body.except.unwrap_or_default(), "except")?,
        event: body.event.into(),
        args: args.into(),
        attachments: attachments.into_iter().map(|Base64(bytes)| bytes).collect(),
        volatile: body.volatile,
        ack: wait(body.ack)?,
        id: body.id.map(Into::into),
    })
}

/// Whether it can stand for a request: the key of a repeated one.
fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len())
}

fn namespace(said: Option<String>, at: Option<&str>) -> Result<String, Mistake> {
    match (said, at) {
        (Some(said), Some(at)) if said != at => {
            let what = format!("the request was sent to the namespace {at}");
            Err(Mistake::new("other_namespace", what).at("namespace"))
        }
        (Some(said), _) => Ok(said),
        (None, at) => Ok(at.unwrap_or("/").to_owned()),
    }
}

/// Whom a request names.
///
/// # Errors
/// A list that came out empty by mistake must not reach everyone.
pub(crate) fn named(
    names: Option<Vec<String>>,
    field: &'static str,
    code: &'static str,
) -> Result<Vec<String>, Mistake> {
    if names.as_ref().is_some_and(Vec::is_empty) {
        let what = format!("none is named; leave `{field}` out instead");
        return Err(Mistake::new(code, what).at(field));
    }
    rooms(names.unwrap_or_default(), field)
}

/// Rooms, or users, of a request.
pub(crate) fn rooms(names: Vec<String>, field: &'static str) -> Result<Vec<String>, Mistake> {
    if names.len() > MAX_NAMES {
        let what = format!("expected at most {MAX_NAMES} of them");
        return Err(Mistake::new("bad_field", what).at(field));
    }
    match names.iter().position(|name| hidden::is(name)) {
        None => Ok(names),
        Some(place) => {
            let what = "names that begin with U+0000 are the broker's own";
            Err(Mistake::new("reserved_name", what).at(format!("{field}[{place}]")))
        }
    }
}

/// Rooms that sockets are to join or leave: as long as those that they join by themselves.
pub(crate) fn sized(rooms: Vec<String>, field: &'static str) -> Result<Vec<String>, Mistake> {
    let is_wrong = |room: &String| room.is_empty() || room.len() > LONGEST_ROOM;
    match rooms.iter().position(is_wrong) {
        None => Ok(rooms),
        Some(place) => {
            let what = format!("a room's name has 1 to {LONGEST_ROOM} bytes");
            Err(Mistake::new("bad_field", what).at(format!("{field}[{place}]")))
        }
    }
}

fn wait(ack: Option<Ack>) -> Result<Option<Wait>, Mistake> {
    let timeout = match ack {
        None | Some(Ack::Plain(false)) => return Ok(None),
        Some(Ack::Plain(true)) => None,
        Some(Ack::Terms(terms)) => terms.timeout,
    };
    let time = match timeout {
        None => return Ok(Some(Wait(None))),
        Some(Time::Milliseconds(time)) => Some(Duration::from_millis(time)),
        Some(Time::Text(text)) => humantime::parse_duration(&text).ok(),
    };
    match time {
        Some(time) if !time.is_zero() && time <= LONGEST_WAIT => Ok(Some(Wait(Some(time)))),
        _ => {
            let what = "expected a time such as \"5s\", or a number of milliseconds: up to 60s";
            Err(Mistake::new("bad_field", what).at("ack.timeout"))
        }
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD.decode(text);
        bytes
            .map(|bytes| Self(bytes.into()))
            .map_err(|_| D::Error::custom("expected base64 (RFC 4648, section 4)"))
    }
}

// === impl Request ===

impl Request {
    /// Gives it the key by which one that is repeated is known, where its events have none of their own: each event of a
    /// batch has one. `Err`: it is no such key.
    pub(crate) fn is_known_as(&mut self, key: &str) -> Result<(), ()> {
        if !is_id(key) {
            return Err(());
        }
        match self {
            Self::One(emit) => {
                emit.id.get_or_insert_with(|| key.into());
            }
            Self::Batch(items) => {
                for (place, item) in items.iter_mut().enumerate() {
                    if let Ok(emit) = item {
                        emit.id
                            .get_or_insert_with(|| format!("{key}[{place}]").into());
                    }
                }
            }
        }
        Ok(())
    }
}

// === impl Mistake ===

impl Mistake {
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            field: None,
        }
    }

    pub(crate) fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The key of a request is none.
    pub(crate) fn id(field: &str) -> Self {
        let what = format!("expected a text of 1 to {LONGEST_ID} bytes");
        Self::new("bad_field", what).at(field)
    }

    /// It is no request at all.
    pub(crate) fn is_malformed(&self) -> bool {
        self.code == MALFORMED
    }
}

const MALFORMED: &str = "malformed_json";

fn malformed(error: &serde_path_to_error::Error<serde_json::Error>) -> Mistake {
    let inner = error.inner();
    if inner.classify() != Category::Data {
        return not_json(inner);
    }
    let detail = inner.to_string();
    // A field that is missing or unknown is in the words, not in the path.
    let named = detail
        .strip_prefix("missing field `")
        .or_else(|| detail.strip_prefix("unknown field `"))
        .and_then(|rest| rest.split('`').next())
        .map(str::to_owned);
    let path = error.path().to_string();
    let mistake = Mistake::new("bad_field", detail);
    match named.or_else(|| (path != ".").then_some(path)) {
        Some(field) => mistake.at(field),
        None => mistake,
    }
}

fn not_json(error: &dyn fmt::Display) -> Mistake {
    Mistake::new(MALFORMED, format!("the body is not JSON: {error}"))
}
