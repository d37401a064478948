//! What back ends are sent: an event, and who sent it, as one value in JSON or msgpack.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Serialize;

use super::Happened;
use crate::config::Encoding;
use crate::event::{Attachments, Client, Event};
use crate::packet::{self, msgpack};

/// What every envelope has of its own.
pub(super) struct Envelope {
    pub id: String,
    time: SystemTime,
}

/// Writes the envelopes of a node.
pub(super) struct Writer {
    node: Arc<str>,
}

/// The fields in front of the arguments.
#[derive(Serialize)]
struct Head<'a> {
    id: &'a str,
    time: String,
    node: &'a str,
    namespace: &'a str,
    socket: &'a str,
    user: Option<&'a str>,
    attributes: BTreeMap<&'a str, &'a str>,
    event: &'a str,
}

impl Envelope {
    pub(super) fn new() -> Self {
        Self {
            id: format!("{:032x}", rand::random::<u128>()),
            time: SystemTime::now(),
        }
    }
}

impl Writer {
    pub(super) fn new(node: &str) -> Self {
        Self { node: node.into() }
    }

    /// An event with its arguments. Binary values stand where their placeholders stood: in JSON as base64.
    pub(super) fn event(
        &self,
        envelope: &Envelope,
        client: &Client,
        event: &Event,
        encoding: Encoding,
    ) -> Bytes {
        let mut text = self.head(envelope, client, &event.name);
        text.push_str(r#","arguments":"#);
        text.push_str(&event.args);
        text.push('}');
        encoded(text, &event.attachments, encoding)
    }

    /// What has happened to a socket.
    pub(super) fn lifecycle(
        &self,
        envelope: &Envelope,
        client: &Client,
        happened: Happened<'_>,
        encoding: Encoding,
    ) -> Bytes {
        let mut text = self.head(envelope, client, happened.event().as_str());
        if let Some((name, value)) = happened.detail() {
            // A text always serializes.
            let value = serde_json::to_string(value).unwrap_or_default();
            text.extend([",\"", name, "\":", &value]);
        }
        text.push('}');
        encoded(text, &Attachments::default(), encoding)
    }

    /// All but the closing brace.
    fn head(&self, envelope: &Envelope, client: &Client, event: &str) -> String {
        let identity = client.identity.read();
        let head = Head {
            id: &envelope.id,
            time: humantime::format_rfc3339_millis(envelope.time).to_string(),
            node: &self.node,
            namespace: &client.namespace,
            socket: &client.peer.name,
            user: identity.user.as_deref(),
            attributes: identity
                .attributes
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            event,
        };
        // Texts always serialize.
        let mut text = serde_json::to_string(&head).unwrap_or_else(|_| "{}".to_owned());
        text.pop();
        text
    }
}

fn encoded(text: String, attachments: &Attachments, encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Msgpack => msgpack::data(&text, attachments).into(),
        Encoding::Json if attachments.is_empty() => text.into(),
        Encoding::Json => packet::replaced(&text, |text, number| {
            text.push('"');
            let attachment = attachments.get(number).map(Bytes::as_ref);
            BASE64_STANDARD.encode_string(attachment.unwrap_or_default(), text);
            text.push('"');
        })
        .into(),
    }
}
