//! What comes of a socket's client, whichever way it speaks, as the text that the broker reads.

use std::borrow::Cow;
use std::sync::Arc;

use socketioxide::handler::MessageHandler;
use socketioxide::socket::Socket;
use socketioxide_core::Value;

use super::acks;
use super::adapter::Adapter;
use super::escape;
use super::outlet::SocketOutlet;
use super::socketio::{ByHand, Door};
use crate::event::{Attachments, Denial};
use crate::packet::msgpack::{self, Limits};
use crate::session::Session;

/// Hands each event to its session.
pub(super) struct Events {
    pub session: Arc<Session>,
    pub outlet: Arc<SocketOutlet>,
    pub door: Door,
}

impl MessageHandler<Adapter, ByHand> for Events {
    fn call(&self, _: Arc<Socket<Adapter>>, payload: Value, ack: Option<i64>) {
        match payload {
            Value::Str(text, attachments) => {
                let attachments: Attachments = attachments.into_iter().flatten().collect();
                if let Some(args) = acks::unmark(&text) {
                    return self.outlet.questions.answered(ack, &args, attachments);
                }
                let unmarked = escape::unmark(&text);
                let text = unmarked.as_deref().unwrap_or(&text);
                self.session.handle(text, attachments, ack);
            }
            Value::Bytes(data) => match msgpack::to_json(&data, self.door.limits()) {
                Ok((text, attachments)) => match acks::unmark_binary(&text) {
                    Some(args) => self.outlet.questions.answered(ack, &args, attachments),
                    None => self.session.handle(&text, attachments, ack),
                },
                Err(denial) => self.session.refuse(&denial, ack),
            },
        }
    }
}

/// What a client authenticates with, as JSON.
pub(super) fn auth(value: Option<&Value>, limits: Limits) -> Result<Option<Cow<'_, str>>, Denial> {
    match value {
        None => Ok(None),
        Some(Value::Str(text, _)) => Ok(Some(text.as_str().into())),
        Some(Value::Bytes(data)) => {
            let (text, _) = msgpack::to_json(data, limits)?;
            // A client that has nothing says so.
            Ok((text != "null").then_some(text.into()))
        }
    }
}
