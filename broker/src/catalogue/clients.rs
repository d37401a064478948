//! The channels of clients: a namespace with the events that it takes, and those that it sends.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::names::{Names, plain};
use super::shapes::{Arguments, Shapes};
use super::{CLIENTS, Document, message, schema};
use crate::config::{Action, Namespace, Route, Want};
use crate::pipeline::Pipeline;

/// What one namespace sends, by the event's name.
type Sent = BTreeMap<String, Vec<Value>>;

/// An event of clients that some route takes.
struct Taken<'a> {
    event: &'a str,
    route: &'a Route,
    arguments: Arguments,
}

impl Document {
    pub(super) fn namespace(&mut self, pipeline: &Pipeline) {
        let namespace = &pipeline.namespace;
        let channel = self.channel_names.of(&namespace.path);
        let mut messages = Map::new();
        let mut names = Names::default();
        let mut sent = Sent::new();
        let shapes = Shapes::of(pipeline);
        for taken in taken(namespace, &shapes) {
            let received = names.of(&format!("client.{}", plain(taken.event)));
            messages.insert(
                received.clone(),
                event(taken.event, &taken.arguments.received, taken.route),
            );
            let ack = acknowledged(&mut messages, taken.route);
            self.operation(
                &format!("{channel}.receive.{}", plain(taken.event)),
                json!({
                    "action": "receive",
                    "channel": { "$ref": format!("#/channels/{channel}") },
                    "messages": [message(&channel, &received)],
                    "reply": {
                        "channel": { "$ref": format!("#/channels/{channel}") },
                        "messages": [message(&channel, ack)],
                    },
                }),
            );
            passed_on(&taken, &mut sent);
            if let Action::Publish(outbound) = &taken.route.action {
                let batched = taken.route.batch.is_some();
                self.published(
                    namespace,
                    taken.event,
                    outbound,
                    &taken.arguments.delivered,
                    batched,
                );
            }
        }
        let refused =
            json!({ "type": "array", "items": [schema("denial")], "minItems": 1, "maxItems": 1 });
        sent.entry(namespace.denial_event.clone())
            .or_default()
            .push(refused);
        for (name, payloads) in sent {
            let key = names.of(&format!("server.{}", plain(&name)));
            messages.insert(key.clone(), told(&name, payloads, &namespace.denial_event));
            self.operation(
                &format!("{channel}.send.{}", plain(&name)),
                json!({
                    "action": "send",
                    "channel": { "$ref": format!("#/channels/{channel}") },
                    "messages": [message(&channel, &key)],
                }),
            );
        }
        messages.insert(
            "connect_error".to_owned(),
            json!({
                "name": "connect_error",
                "summary": "The namespace does not let the client in; `data` says why.",
                "payload": {
                    "type": "object",
                    "required": ["message"],
                    "properties": { "message": { "type": "string" }, "data": schema("denial") },
                },
            }),
        );
        self.told_of_sockets(namespace);
        self.channels
            .insert(channel, self::channel(namespace, messages));
    }
}

/// The namespace's own channel.
fn channel(namespace: &Namespace, messages: Map<String, Value>) -> Value {
    let (address, parameters) = expressions(&namespace.path);
    let mut channel = json!({
        "address": address,
        "title": format!("Namespace {}", namespace.path),
        "servers": [{ "$ref": format!("#/servers/{CLIENTS}") }],
        "messages": messages,
    });
    if !parameters.is_empty() {
        channel["parameters"] = parameters.into();
    }
    channel
}

/// An address with what stands for many names in it, as AsyncAPI writes both.
pub(super) fn expressions(text: &str) -> (String, Map<String, Value>) {
    let mut address = String::new();
    let mut parameters = Map::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else {
            break;
        };
        let name = plain(name.trim_start_matches('*'));
        address.push_str(before);
        address.push_str(&format!("{{{name}}}"));
        parameters.insert(name, json!({}));
        rest = behind;
    }
    address.push_str(rest);
    (address, parameters)
}

/// The events that a namespace takes: those of its routes, and those that its policies tell apart.
fn taken<'a>(namespace: &'a Namespace, shapes: &'a Shapes<'a>) -> Vec<Taken<'a>> {
    let routes = namespace.routes.iter().map(|route| route.event.as_str());
    let mut events: Vec<&str> = shapes.events().chain(routes).collect();
    let mut seen = std::collections::HashSet::new();
    events.retain(|event| seen.insert(*event));
    let taken = events.into_iter().filter_map(|event| {
        // Of a glob, the route that takes all of it.
        let route = namespace
            .routes
            .iter()
            .find(|route| route.event.matches(event))?;
        let arguments = shapes.arguments(event)?;
        Some(Taken {
            event,
            route,
            arguments,
        })
    });
    taken.collect()
}

/// A message whose payload is an event's arguments.
fn event(name: &str, arguments: &Value, route: &Route) -> Value {
    let summary = match &route.action {
        Action::Emit { .. } => "Is emitted to others.",
        Action::Join { .. } => "Joins a room.",
        Action::Leave { .. } => "Leaves a room.",
        Action::Presence { .. } => "Asks who is in a room, and to be told who joins and leaves it.",
        Action::Publish(outbound) => match outbound.want {
            Want::Nothing => "Goes to back ends.",
            Want::Stored(_) => "Goes to back ends, and is acknowledged when it is stored.",
            Want::Reply(_) => "Is answered by a back end.",
        },
        Action::Ignore => "Is taken and goes nowhere.",
    };
    let mut message = json!({ "name": name, "summary": summary, "payload": arguments });
    if name.contains('*') {
        message["description"] = "A glob: `*` stands for any characters.".into();
    }
    message
}

/// Which message a client's ack is; adds it.
fn acknowledged(messages: &mut Map<String, Value>, route: &Route) -> &'static str {
    let (name, ok) = match &route.action {
        Action::Presence { .. } => ("ack_members", schema("members")),
        Action::Publish(outbound) if matches!(outbound.want, Want::Reply(_)) => {
            ("ack_reply", json!({}))
        }
        _ => ("ack", schema("accepted")),
    };
    messages.entry(name).or_insert_with(|| {
        let answer = match name {
            "ack_reply" => json!({ "type": "array", "description": "What the back end replies, or one `{error}`." }),
            _ => json!({
                "type": "array",
                "items": [{ "anyOf": [ok, schema("refused")] }],
                "minItems": 1,
                "maxItems": 1,
            }),
        };
        json!({
            "name": name,
            "summary": "The answer to an event that was sent with an ack.",
            "payload": answer,
        })
    });
    name
}

/// What others are sent because of an event.
fn passed_on(taken: &Taken<'_>, sent: &mut Sent) {
    let (name, payload) = match &taken.route.action {
        Action::Emit { .. } => {
            let own = taken.event;
            let name = taken.route.rename.as_deref().unwrap_or(own);
            let delivered = &taken.arguments.delivered;
            match taken.route.batch {
                Some(batch) => (name, batched(delivered, batch.max)),
                None => (name, delivered.clone()),
            }
        }
        Action::Presence { name, .. } => (&**name, presence()),
        _ => return,
    };
    let payloads = sent.entry(name.to_owned()).or_default();
    if !payloads.contains(&payload) {
        payloads.push(payload);
    }
}

/// One argument: an array with an item for each event, which is its only argument or the array of them.
fn batched(arguments: &Value, max: usize) -> Value {
    let only = match (
        &arguments["items"],
        &arguments["minItems"],
        &arguments["maxItems"],
    ) {
        (Value::Array(items), min, max) if items.len() == 1 && *min == 1 && *max == 1 => {
            items.first()
        }
        _ => None,
    };
    // Where it may be one or several, either.
    let item = only.cloned().unwrap_or(json!({}));
    let events = json!({ "type": "array", "items": item, "minItems": 1, "maxItems": max });
    json!({ "type": "array", "items": [events], "minItems": 1, "maxItems": 1 })
}

fn presence() -> Value {
    let text = || json!({ "type": "string" });
    json!({
        "type": "array",
        "items": [{ "anyOf": [
            {
                "type": "object",
                "required": ["room", "event", "socket"],
                "properties": {
                    "room": text(),
                    "event": { "enum": ["join", "leave"] },
                    "socket": text(),
                    "user": { "type": ["string", "null"] },
                },
            },
            {
                "type": "object",
                "required": ["event", "node"],
                "properties": { "event": { "const": "node_gone" }, "node": text() },
            },
        ]}],
        "minItems": 1,
        "maxItems": 1,
    })
}

/// A message to clients.
fn told(name: &str, mut payloads: Vec<Value>, denial_event: &str) -> Value {
    let payload = match payloads.len() {
        1 => payloads.remove(0),
        _ => json!({ "anyOf": payloads }),
    };
    let mut message = json!({ "name": name, "payload": payload });
    if name == denial_event {
        message["summary"] = "Tells of a refused event that was sent without an ack.".into();
    }
    message
}
