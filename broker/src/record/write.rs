//! Lines of what was seen, as `replay` reads them. A socket's first line says who it is; later ones what has changed.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Wanted;
use super::seen::{Did, Known, Seen};
use crate::event::Handshake;
use crate::plugin::DisconnectReason;
use crate::redact::Redact;

pub(super) struct Writer {
    redact: Redact,
    headers: Vec<String>,
    /// By the broker's own numbers, which are nobody's business.
    sockets: HashMap<u64, (u64, Known)>,
    /// Sockets so far.
    count: u64,
    now: u64,
}

#[derive(Default, Serialize)]
struct Line<'a> {
    at_ms: u64,
    hook: &'static str,
    socket: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<BTreeMap<&'a str, &'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rooms: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    wants_ack: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    outcome: &'static str,
}

impl Writer {
    pub(super) fn new(wanted: &Wanted) -> Self {
        Self {
            redact: wanted.redact.clone(),
            headers: wanted.headers.clone(),
            sockets: HashMap::new(),
            count: 0,
            now: 0,
        }
    }

    /// A line, with its line break.
    pub(super) fn write(&mut self, seen: &Seen) -> String {
        // Those of several reactors may come a little out of order, and the clock that they are played by goes on.
        self.now = self.now.max(seen.at_ms);
        let mut line = Line {
            at_ms: self.now,
            outcome: seen.outcome,
            ..Line::default()
        };
        let before = self.sockets.get(&seen.token);
        match before {
            Some((number, before)) => {
                line.socket = *number;
                changes(&mut line, before, &seen.known);
            }
            None => {
                self.count += 1;
                line.socket = self.count;
                self.introduce(&mut line, seen);
            }
        }
        self.did(&mut line, &seen.did);
        let number = line.socket;
        // Texts, numbers and JSON that was checked always serialize.
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        let is_gone = match seen.did {
            Did::Connect { .. } => seen.outcome == "deny",
            Did::Disconnect { .. } => true,
            _ => false,
        };
        match is_gone {
            true => _ = self.sockets.remove(&seen.token),
            false => {
                let known = (number, seen.known.clone());
                self.sockets.insert(seen.token, known);
            }
        }
        text
    }

    fn introduce<'a>(&self, line: &mut Line<'a>, seen: &'a Seen) {
        line.namespace = Some(&seen.namespace);
        line.address = Some(seen.address);
        line.headers = headers(&self.headers, &seen.handshake);
        line.query = form_urlencoded::parse(seen.handshake.query().as_bytes())
            // Whoever knows the id of a session can send in its name.
            .filter(|(name, _)| name != "sid")
            .map(|(name, value)| (name.into_owned(), self.parameter(&value)))
            .collect();
        let nobody = Known {
            user: None,
            attributes: Vec::new(),
            rooms: Default::default(),
        };
        changes(line, &nobody, &seen.known);
    }

    fn parameter(&self, value: &str) -> String {
        self.redact.text(value)
    }

    fn did<'a>(&self, line: &mut Line<'a>, did: &'a Did) {
        match did {
            Did::Connect { auth } => {
                line.hook = "connect";
                let auth = auth.as_ref().map(|auth| self.redact.all(auth));
                line.auth = auth.and_then(raw);
            }
            Did::Event { event, wants_ack } => {
                line.hook = "event";
                line.event = Some(&event.name);
                line.args = raw(self.redact.args(&event.args));
                line.wants_ack = *wants_ack;
                let attachments = event.attachments.iter();
                line.attachments = attachments.map(|bytes| self.attachment(bytes)).collect();
            }
            Did::Subscribe { room } => {
                line.hook = "subscribe";
                line.room = Some(room);
            }
            Did::Disconnect { reason } => {
                line.hook = "disconnect";
                line.reason = Some(match reason {
                    DisconnectReason::Client => "client",
                    DisconnectReason::Server => "server",
                    DisconnectReason::Transport => "transport",
                    DisconnectReason::Timeout => "timeout",
                    DisconnectReason::Policy => "policy",
                });
            }
        }
    }

    /// Zeros where arguments are taken out: what is in it may be as private.
    fn attachment(&self, bytes: &[u8]) -> String {
        match self.redact.is_off() {
            true => STANDARD.encode(bytes),
            false => STANDARD.encode(vec![0; bytes.len()]),
        }
    }
}

fn changes<'a>(line: &mut Line<'a>, before: &Known, now: &'a Known) {
    if before.user != now.user {
        line.user = Some(now.user.as_deref());
    }
    if before.attributes != now.attributes {
        let attributes = now.attributes.iter();
        line.attributes = Some(
            attributes
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        );
    }
    if before.rooms != now.rooms {
        line.rooms = Some(now.rooms.iter().map(|room| &**room).collect());
    }
}

fn headers(wanted: &[String], handshake: &Handshake) -> BTreeMap<String, String> {
    let found = wanted.iter().filter_map(|name| {
        let value = handshake.header(name)?;
        let value = String::from_utf8_lossy(value).into_owned();
        Some((name.clone(), value))
    });
    found.collect()
}

/// On one line.
fn raw(text: String) -> Option<Box<RawValue>> {
    RawValue::from_string(text.replace(['\n', '\r'], " ")).ok()
}
