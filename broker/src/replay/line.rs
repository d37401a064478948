//! The format of what is played: one JSON object a line.
//!
//! `hook` makes a line a call, and says which of its other keys matter; facts about a socket that are absent are as
//! after its last line. `configure` gives the policy a configuration, `http` answers its requests, and `dropped` ends
//! a recording that could not keep up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::expect::Expect;
use crate::event::{ClientCertificate, Event};
use crate::packet;
use crate::plugin::{DisconnectReason, Upstream};
use crate::telemetry::metrics::Hook;

/// Bytes of one line: an event as large as any, its attachments in base64, and some.
pub(crate) const MAX_LINE: u64 = 64 << 20;

/// What a line says.
#[derive(Debug)]
pub(super) struct Line {
    pub at_ms: Option<u64>,
    pub says: Says,
}

#[derive(Debug)]
pub(super) enum Says {
    Configure(Value),
    /// The answer to requests for a URL.
    Http(String, Upstream),
    Call(Box<Call>),
    /// So many lines are missing here.
    Dropped(u64),
}

/// A call of a hook.
#[derive(Debug)]
pub(super) struct Call {
    pub socket: u64,
    pub facts: Facts,
    pub ask: Ask,
    pub expect: Option<Expect>,
}

/// What a line says about its socket.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub namespace: Option<String>,
    pub address: Option<IpAddr>,
    /// `Some(None)`: nobody in particular.
    pub user: Option<Option<String>>,
    pub attributes: Option<BTreeMap<String, String>>,
    pub rooms: Option<BTreeSet<String>>,
    pub headers: Option<BTreeMap<String, String>>,
    pub query: Option<BTreeMap<String, String>>,
    /// `Some(None)`: it has shown none.
    pub certificate: Option<Option<ClientCertificate>>,
}

#[derive(Debug)]
pub(super) enum Ask {
    Connect {
        auth: String,
        /// The client is in already.
        is_refresh: bool,
    },
    Event {
        event: Event,
        wants_ack: bool,
        replaced: bool,
    },
    Subscribe {
        room: String,
    },
    Disconnect {
        reason: DisconnectReason,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys<'a> {
    at_ms: Option<u64>,
    #[serde(default, deserialize_with = "given")]
    configure: Option<Value>,
    http: Option<Http>,
    dropped: Option<u64>,
    hook: Option<Hook>,
    socket: Option<u64>,
    namespace: Option<String>,
    address: Option<IpAddr>,
    #[serde(default, deserialize_with = "given")]
    user: Option<Option<String>>,
    attributes: Option<BTreeMap<String, String>>,
    rooms: Option<BTreeSet<String>>,
    headers: Option<BTreeMap<String, String>>,
    query: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "given")]
    certificate: Option<Option<ClientCertificate>>,
    #[serde(borrow, default, deserialize_with = "given")]
    auth: Option<&'a RawValue>,
    #[serde(default)]
    refresh: bool,
    event: Option<String>,
    #[serde(borrow, default, deserialize_with = "given")]
    args: Option<&'a RawValue>,
    #[serde(default)]
    wants_ack: bool,
    #[serde(default)]
    replaced: bool,
    #[serde(default)]
    attachments: Vec<String>,
    room: Option<String>,
    reason: Option<Reason>,
    expect: Option<Expect>,
    /// What a whole pipeline came to when this was recorded. It says nothing about one policy.
    #[serde(rename = "outcome")]
    _outcome: Option<IgnoredAny>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reason {
    Client,
    Server,
    Transport,
    Timeout,
    Policy,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Http {
    url: String,
    status: Option<u16>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    error: Option<String>,
}

/// A key that is there, whatever it says: `null` is not the same as nothing.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it, and at which key.
pub(super) fn read(text: &str) -> Result<Line, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let keys: Keys<'_> = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        match &*path {
            "." => error.inner().to_string(),
            _ => format!("{path}: {}", error.inner()),
        }
    })?;
    json.end().map_err(|error| error.to_string())?;
    let at_ms = keys.at_ms;
    let says = keys.says()?;
    Ok(Line { at_ms, says })
}

/// The same line with this as what it expects. Everything else keeps its spelling and its order.
pub(super) fn expecting(text: &str, expect: &str) -> serde_json::Result<String> {
    let Entries(entries) = serde_json::from_str(text)?;
    let mut line = String::from("{");
    for (key, value) in entries.iter().filter(|(key, _)| key != "expect") {
        line.push_str(&serde_json::to_string(key)?);
        line.push(':');
        line.push_str(value.get());
        line.push(',');
    }
    line.push_str("\"expect\":");
    line.push_str(expect);
    line.push('}');
    Ok(line)
}

/// An object as it is written.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;

        impl<'de> Visitor<'de> for Visit {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Visit)
    }
}

// === impl Keys ===

impl Keys<'_> {
    fn says(self) -> Result<Says, String> {
        let kinds = [
            self.hook.is_some(),
            self.configure.is_some(),
            self.http.is_some(),
            self.dropped.is_some(),
        ];
        if kinds.into_iter().filter(|it| *it).count() != 1 {
            return Err("a line has one of `hook`, `configure`, `http` and `dropped`".to_owned());
        }
        if let Some(hook) = self.hook {
            return Ok(Says::Call(Box::new(self.call(hook)?)));
        }
        if let Some(config) = self.configure {
            return Ok(Says::Configure(config));
        }
        if let Some(http) = self.http {
            return http.answer();
        }
        Ok(Says::Dropped(self.dropped.unwrap_or_default()))
    }

    fn call(self, hook: Hook) -> Result<Call, String> {
        let ask = match hook {
            Hook::Connect => Ask::Connect {
                auth: self.auth.map_or("{}", RawValue::get).to_owned(),
                is_refresh: self.refresh,
            },
            Hook::Event => {
                let args = self.args.map_or("[]", RawValue::get);
                let attachments = self.attachments.iter().map(|text| decode(text));
                let attachments = attachments.collect::<Result<Vec<_>, _>>()?;
                packet::check_args(args, attachments.len())
                    .map_err(|denial| format!("args: {}", denial.message))?;
                Ask::Event {
                    event: Event {
                        name: self.event.ok_or_else(|| missing("event", "event"))?.into(),
                        args: args.into(),
                        attachments: attachments.into(),
                        volatile: false,
                    },
                    wants_ack: self.wants_ack,
                    replaced: self.replaced,
                }
            }
            Hook::Subscribe => Ask::Subscribe {
                room: self.room.ok_or_else(|| missing("subscribe", "room"))?,
            },
            Hook::Disconnect => Ask::Disconnect {
                reason: match self.reason.ok_or_else(|| missing("disconnect", "reason"))? {
                    Reason::Client => DisconnectReason::Client,
                    Reason::Server => DisconnectReason::Server,
                    Reason::Transport => DisconnectReason::Transport,
                    Reason::Timeout => DisconnectReason::Timeout,
                    Reason::Policy => DisconnectReason::Policy,
                },
            },
        };
        Ok(Call {
            socket: self.socket.unwrap_or(1),
            facts: Facts {
                namespace: self.namespace,
                address: self.address,
                user: self.user,
                attributes: self.attributes,
                rooms: self.rooms,
                headers: self.headers,
                query: self.query,
                certificate: self.certificate,
            },
            ask,
            expect: self.expect,
        })
    }
}

fn missing(hook: &str, key: &str) -> String {
    format!("a line with \"hook\":\"{hook}\" has the key `{key}`")
}

fn decode(text: &str) -> Result<Bytes, String> {
    let bytes = STANDARD.decode(text);
    bytes
        .map(Bytes::from)
        .map_err(|error| format!("attachments: not base64: {error}"))
}

// === impl Http ===

impl Http {
    fn answer(self) -> Result<Says, String> {
        let answer = match (self.status, self.error) {
            (Some(status), None) => Upstream::Response {
                status,
                headers: self.headers,
                body: self.body.into_bytes(),
            },
            (None, Some(error)) => match error.split_once(": ") {
                None if error == "timeout" => Upstream::Timeout,
                None if error == "too_large" => Upstream::TooLarge,
                Some(("refused", why)) => Upstream::Refused(why.to_owned()),
                Some(("failed", why)) => Upstream::Failed(why.to_owned()),
                _ => {
                    return Err(
                        "http.error: expected `timeout`, `too_large`, `refused: why` or `failed: why`"
                            .to_owned(),
                    );
                }
            },
            _ => return Err("http: expected either `status` or `error`".to_owned()),
        };
        Ok(Says::Http(self.url, answer))
    }
}

// === impl Ask ===

impl Ask {
    pub(super) fn hook(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Event { .. } => "event",
            Self::Subscribe { .. } => "subscribe",
            Self::Disconnect { .. } => "disconnect",
        }
    }

    /// What it is about: the event's name, the room.
    pub(super) fn about(&self) -> &str {
        match self {
            Self::Connect { .. } | Self::Disconnect { .. } => "",
            Self::Event { event, .. } => &event.name,
            Self::Subscribe { room } => room,
        }
    }
}

#[cfg(test)]
mod tests;
