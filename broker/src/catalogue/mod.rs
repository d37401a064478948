//! The event catalogue: what clients may send and are sent, and what back ends are, as an AsyncAPI 3.0 document.
//!
//! It is made of the configuration and of what policies say of themselves: namespaces are channels, routes are
//! operations, and `shapes` are the arguments that the first-party policy `validate` declares. Nothing here does I/O.

mod clients;
mod names;
mod nats;
mod shapes;
#[cfg(test)]
mod tests;
mod yaml;

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::event::Code;
use crate::pipeline::Pipelines;
use names::Names;
pub(crate) use yaml::yaml;

/// The document of a configuration.
pub(crate) fn asyncapi(config: &Config, pipelines: &Pipelines) -> Value {
    let mut document = Document::default();
    // What the Admin UI says and is told is no application's.
    let all = pipelines.all().iter();
    for pipeline in all.filter(|it| !it.namespace.is_operators) {
        document.namespace(pipeline);
    }
    let mut servers = json!({
        CLIENTS: {
            "host": config.server.listen.to_string(),
            "pathname": config.server.path,
            "protocol": "socket.io",
            "protocolVersion": "5",
            "description": "Where Socket.IO clients connect. A channel is a namespace; a message's name is its event's, \
                            and its payload the array of the event's arguments.",
        },
    });
    if let (Some(cluster), Some(servers)) = (&config.cluster, servers.as_object_mut()) {
        for (number, url) in cluster.servers.iter().enumerate() {
            let (protocol, host) = url.split_once("://").unwrap_or(("nats", url));
            let name = if number == 0 {
                NATS.to_owned()
            } else {
                format!("{NATS}-{number}")
            };
            let server = json!({
                "host": host,
                "protocol": "nats",
                "description": format!("Where back ends take events from ({protocol})."),
            });
            servers.insert(name, server);
        }
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Events of this broker",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What its configuration says: which events clients may send and are sent, in which namespaces. \
                            Back ends may send clients any event besides, and a policy may answer an event itself.",
        },
        "defaultContentType": "application/json",
        "servers": servers,
        "channels": document.channels,
        "operations": document.operations,
        "components": { "schemas": schemas() },
    })
}

/// The server that clients connect to, and the first of NATS.
const CLIENTS: &str = "clients";
const NATS: &str = "nats";

/// What is gathered while namespaces are gone through.
#[derive(Default)]
struct Document {
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    channel_names: Names,
    operation_names: Names,
}

impl Document {
    /// Adds an operation under a name of its own.
    fn operation(&mut self, name: &str, operation: Value) {
        let name = self.operation_names.of(name);
        self.operations.insert(name, operation);
    }
}

/// The place of a message in a channel.
fn message(channel: &str, message: &str) -> Value {
    json!({ "$ref": format!("#/channels/{channel}/messages/{message}") })
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// What several messages have in common.
fn schemas() -> Value {
    let codes: Vec<_> = Code::ALL
        .iter()
        .map(|code| format!("`{}`", code.as_str()))
        .collect();
    let text = || json!({ "type": "string" });
    let socket = json!({
        "socket": { "type": "string", "description": "The client's `socket.id`." },
        "user": { "type": ["string", "null"], "description": "As which a policy has let it in." },
    });
    json!({
        "denial": {
            "type": "object",
            "description": "Why an event, or a connection, is refused.",
            "required": ["code", "message", "policy"],
            "properties": {
                "code": {
                    "type": "string",
                    "description": format!("A policy's own, or the broker's: {}.", codes.join(", ")),
                },
                "message": text(),
                "policy": {
                    "type": ["string", "null"],
                    "description": "Which policy refuses; null: the broker itself.",
                },
                "data": { "description": "What the policy says besides." },
                "retry_after_ms": {
                    "type": "integer",
                    "minimum": 0,
                    "description": "After which the same may be let through.",
                },
            },
        },
        "refused": {
            "type": "object",
            "required": ["error"],
            "properties": { "error": schema("denial") },
        },
        "accepted": {
            "type": "object",
            "required": ["ok"],
            "properties": { "ok": { "const": true } },
        },
        "members": {
            "type": "object",
            "description": "Who is in the room.",
            "required": ["ok", "members"],
            "properties": {
                "ok": { "const": true },
                "members": {
                    "type": "array",
                    "items": { "type": "object", "required": ["socket"], "properties": socket },
                },
                "silent": {
                    "type": "array",
                    "items": text(),
                    "description": "Nodes that did not answer in time.",
                },
                "truncated": { "type": "boolean", "description": "There are more." },
            },
        },
        "sender": {
            "type": "object",
            "description": "What every message to back ends has.",
            "required": ["id", "time", "node", "namespace", "socket", "user", "attributes", "event"],
            "properties": {
                "id": { "type": "string", "description": "That of the message; also in `Nats-Msg-Id`." },
                "time": { "type": "string", "format": "date-time" },
                "node": text(),
                "namespace": text(),
                "socket": text(),
                "user": { "type": ["string", "null"] },
                "attributes": { "type": "object", "additionalProperties": text() },
                "event": text(),
            },
        },
    })
}
