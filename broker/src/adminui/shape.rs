//! The events of the Admin UI's protocol, as the official server sends them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::admin::NodeInfo;
use crate::backend::SocketInfo;
use crate::event::Event;
use crate::feed::{Happening, Introduction, What};

/// What may be done, where anything may.
const COMMANDS: [&str; 7] = [
    "EMIT",
    "JOIN",
    "LEAVE",
    "DISCONNECT",
    "MJOIN",
    "MLEAVE",
    "MDISCONNECT",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    supported_features: Vec<&'static str>,
}

/// What a node says of itself.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats<'a> {
    pub server_id: &'a str,
    pub hostname: &'a str,
    pub pid: u32,
    pub uptime: f64,
    pub clients_count: u64,
    pub polling_clients_count: u64,
    /// What happened since the last time, by seconds.
    pub aggregated_events: Vec<Aggregate>,
    pub namespaces: Vec<Namespace<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Aggregate {
    /// Milliseconds since the Unix epoch, of a whole second.
    pub timestamp: u64,
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<&'static str>,
    pub count: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Namespace<'a> {
    name: &'a str,
    sockets_count: u64,
}

/// A socket. Headers and queries of handshakes are left out: they hold what clients authenticate with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Socket<'a> {
    id: &'a str,
    client_id: &'a str,
    transport: &'a str,
    nsp: &'a str,
    data: Data<'a>,
    handshake: Handshake,
    rooms: Vec<&'a str>,
}

/// Who it is, by its policies.
#[derive(Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Handshake {
    address: String,
    headers: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    issued: u64,
    time: String,
    secure: bool,
    xdomain: bool,
    url: &'static str,
}

pub(super) fn session(id: &str) -> Event {
    event("session", &(id,), false)
}

pub(super) fn config(is_readonly: bool, shows_all: bool) -> Event {
    let mut features = match is_readonly {
        true => Vec::new(),
        false => COMMANDS.to_vec(),
    };
    features.push("AGGREGATED_EVENTS");
    if shows_all {
        features.push("ALL_EVENTS");
    }
    let config = Config {
        supported_features: features,
    };
    event("config", &(config,), false)
}

pub(super) fn server_stats(stats: &Stats<'_>) -> Event {
    // The next one says the same and more.
    event("server_stats", &(stats,), true)
}

pub(super) fn all_sockets(sockets: &[SocketInfo]) -> Event {
    let sockets: Vec<_> = sockets.iter().map(socket).collect();
    event("all_sockets", &(sockets,), false)
}

/// A socket has gone on from polling.
pub(super) fn socket_updated(nsp: &str, id: &str, transport: &'static str) -> Event {
    #[derive(Serialize)]
    struct Updated<'a> {
        id: &'a str,
        nsp: &'a str,
        transport: &'static str,
    }
    event("socket_updated", &(Updated { id, nsp, transport },), false)
}

/// What happened to a socket.
pub(super) fn happening(it: &Happening) -> Event {
    let at = iso(it.at);
    let (nsp, id) = (&*it.namespace, &*it.socket);
    match &it.what {
        What::Connected(its) => event("socket_connected", &(introduced(it, its), at), true),
        What::Disconnected(reason) => event("socket_disconnected", &(nsp, id, reason, at), true),
        What::Joined(room) => event("room_joined", &(nsp, room, id, at), true),
        What::Left(room) => event("room_left", &(nsp, room, id, at), true),
        What::Received { event: of, .. } => event("event_received", &(nsp, id, args(of), at), true),
        What::Sent(of) => event("event_sent", &(nsp, id, args(of), at), true),
    }
}

/// The name and the arguments, as one array.
fn args(of: &Event) -> Option<Box<RawValue>> {
    let name = serde_json::to_string(&*of.name).unwrap_or_default();
    let rest = of.args.trim_start().strip_prefix('[').unwrap_or("]");
    let comma = if rest.trim_start().starts_with(']') {
        ""
    } else {
        ","
    };
    RawValue::from_string(format!("[{name}{comma}{rest}").trim().to_owned()).ok()
}

fn introduced<'a>(it: &'a Happening, its: &'a Introduction) -> Socket<'a> {
    let attributes = its.attributes.iter();
    let rooms = its.rooms.iter().map(|room| &**room);
    Socket {
        id: &it.socket,
        client_id: &it.socket,
        transport: its.transport,
        nsp: &it.namespace,
        data: Data {
            user: it.user.as_deref(),
            attributes: attributes
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        },
        handshake: Handshake::new(its.address.to_string(), its.secure, it.at),
        // As Node has it, a socket is in the room of its id.
        rooms: [&*it.socket].into_iter().chain(rooms).collect(),
    }
}

fn socket(it: &SocketInfo) -> Socket<'_> {
    let since = humantime::parse_rfc3339(&it.since).unwrap_or(SystemTime::UNIX_EPOCH);
    let attributes = it.attributes.iter();
    Socket {
        id: &it.id,
        client_id: &it.id,
        transport: &it.transport,
        nsp: &it.namespace,
        data: Data {
            user: it.user.as_deref(),
            attributes: attributes
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        },
        handshake: Handshake::new(it.address.clone(), it.secure, since),
        rooms: [it.id.as_str()]
            .into_iter()
            .chain(it.rooms.iter().map(String::as_str))
            .collect(),
    }
}

impl Handshake {
    fn new(address: String, secure: bool, at: SystemTime) -> Self {
        let issued = at.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            address,
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            issued: issued.map_or(0, |since| since.as_millis() as u64),
            time: iso(at),
            secure,
            xdomain: false,
            url: "",
        }
    }
}

impl<'a> Namespace<'a> {
    pub(super) fn all(info: &'a NodeInfo) -> Vec<Self> {
        let all = info.namespaces.iter().map(|it| Self {
            name: &it.path,
            sockets_count: it.connections,
        });
        all.collect()
    }
}

fn iso(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

/// `args` is a tuple: the arguments.
fn event(name: &str, args: &impl Serialize, volatile: bool) -> Event {
    Event {
        name: name.into(),
        // Texts, numbers and JSON that was checked always serialize.
        args: serde_json::to_string(args)
            .unwrap_or_else(|_| "[]".to_owned())
            .into(),
        attachments: Arc::new([]),
        volatile,
    }
}
