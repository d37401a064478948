//! The channels of back ends: subjects that events of clients, and what happens to sockets, are published to.

use serde_json::{Map, Value, json};

use super::clients::expressions;
use super::names::plain;
use super::{Document, NATS, message, schema};
use crate::config::{Encoding, LifecycleEvent, Namespace, Outbound, Want};
use crate::nats::subject::{self, Template};

impl Document {
    /// An event of clients that goes to back ends.
    pub(super) fn published(
        &mut self,
        namespace: &Namespace,
        event: &str,
        outbound: &Outbound,
        arguments: &Value,
        batched: bool,
    ) {
        let envelope = json!({ "allOf": [schema("sender"), {
            "type": "object",
            "required": ["arguments"],
            "properties": { "arguments": arguments },
        }]});
        let payload = match batched {
            true => json!({ "type": "array", "items": envelope }),
            false => envelope,
        };
        let address = address(&outbound.subject, namespace, event);
        let reply = matches!(outbound.want, Want::Reply(_));
        self.subject(&address, event, payload, outbound.encoding, reply);
    }

    /// What back ends are told of the sockets of a namespace.
    pub(super) fn told_of_sockets(&mut self, namespace: &Namespace) {
        let Some(lifecycle) = &namespace.lifecycle else {
            return;
        };
        for event in LifecycleEvent::ALL {
            if !lifecycle.wants(event) {
                continue;
            }
            let text = || json!({ "type": "string" });
            let more = match event {
                LifecycleEvent::Connected => json!({}),
                LifecycleEvent::Disconnected => json!({ "reason": text() }),
                LifecycleEvent::Joined | LifecycleEvent::Left => json!({ "room": text() }),
            };
            let payload =
                json!({ "allOf": [schema("sender"), { "type": "object", "properties": more }] });
            let name = event.as_str();
            let address = address(&lifecycle.subject, namespace, name);
            self.subject(&address, name, payload, lifecycle.encoding, false);
        }
    }

    fn subject(
        &mut self,
        address: &str,
        event: &str,
        payload: Value,
        encoding: Encoding,
        reply: bool,
    ) {
        let (address, parameters) = expressions(address);
        let channel = self.channel_names.of(&format!("nats.{address}"));
        let content_type = match encoding {
            Encoding::Json => "application/json",
            Encoding::Msgpack => "application/msgpack",
        };
        let mut messages = Map::new();
        messages.insert(
            "message".to_owned(),
            json!({
                "name": event,
                "contentType": content_type,
                "payload": payload,
            }),
        );
        let mut operation = json!({
            "action": "send",
            "channel": { "$ref": format!("#/channels/{channel}") },
            "messages": [message(&channel, "message")],
        });
        if reply {
            messages.insert("reply".to_owned(), json!({
                "name": "reply",
                "summary": "An array is all arguments of the client's ack, anything else the only one.",
                "payload": {},
            }));
            operation["reply"] = json!({
                "channel": { "$ref": format!("#/channels/{channel}") },
                "messages": [message(&channel, "reply")],
            });
        }
        let mut described = json!({
            "address": address,
            "title": format!("NATS subject {address}"),
            "servers": [{ "$ref": format!("#/servers/{NATS}") }],
            "messages": messages,
        });
        if !parameters.is_empty() {
            described["parameters"] = parameters.into();
        }
        self.operation(&format!("{channel}.send.{}", plain(event)), operation);
        self.channels.insert(channel, described);
    }
}

/// The subject as far as its names are known: a pattern and a glob stand for many.
fn address(template: &Template, namespace: &Namespace, event: &str) -> String {
    let mut address = template.to_string();
    let known = [
        ("{namespace}", &*namespace.path, namespace.is_pattern()),
        ("{event}", event, event.contains('*')),
    ];
    for (place, name, is_many) in known {
        if let (false, Ok(token)) = (is_many, subject::token(name)) {
            address = address.replace(place, &token);
        }
    }
    address
}
