//! Facts about the call that is being served.

use std::sync::Arc;

use super::{Current, CurrentEvent, Host};
use crate::event::Client;
use crate::plugin::bindings::current;

impl Host {
    pub(super) fn client(&self) -> Option<&Arc<Client>> {
        self.current.as_ref().map(|current| &current.client)
    }

    fn event(&self) -> Option<&CurrentEvent> {
        self.current.as_ref()?.event.as_ref()
    }

    fn attachments(&self) -> &[bytes::Bytes] {
        let attachments = self.event().and_then(|event| event.attachments.as_ref());
        attachments.map_or(&[], |attachments| attachments)
    }
}

impl current::Host for Host {
    fn now_ms(&mut self) -> u64 {
        self.terms.clock.epoch_ms()
    }

    fn socket_id(&mut self) -> String {
        let client = self.client();
        client.map_or_else(String::new, |client| client.peer.name.to_string())
    }

    fn event_id(&mut self) -> String {
        match &self.current {
            // Where sockets are tried out, all events are counted together.
            Some(Current {
                event: Some(event), ..
            }) if self.terms.clock.rehearsal().is_some() => format!("event-{}", event.number),
            Some(Current {
                client,
                event: Some(event),
                ..
            }) => format!("{}-{}", client.peer.name, event.number),
            _ => String::new(),
        }
    }

    fn event_name(&mut self) -> String {
        let event = self.event();
        event.map_or_else(String::new, |event| event.name.to_string())
    }

    fn namespace(&mut self) -> String {
        let client = self.client();
        client.map_or_else(String::new, |client| client.namespace.to_string())
    }

    fn user(&mut self) -> Option<String> {
        let identity = self.client()?.identity.read();
        identity.user.as_ref().map(ToString::to_string)
    }

    fn attribute(&mut self, name: String) -> Option<String> {
        let identity = self.client()?.identity.read();
        identity.attribute(&name).map(ToOwned::to_owned)
    }

    fn address(&mut self) -> String {
        let client = self.client();
        client.map_or_else(String::new, |client| client.peer.address.to_string())
    }

    fn header(&mut self, name: String) -> Option<String> {
        let value = self.client()?.peer.handshake.header(&name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    fn query(&mut self, name: String) -> Option<String> {
        form_urlencoded::parse(self.client()?.peer.handshake.query().as_bytes())
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.into_owned())
    }

    fn client_certificate(&mut self) -> Option<current::Certificate> {
        let shown = self.client()?.peer.handshake.certificate()?;
        Some(current::Certificate {
            subject: shown.subject.clone(),
            common_name: shown.common_name.clone(),
            alternative_names: shown.alternative_names.clone(),
            fingerprint: shown.fingerprint.clone(),
        })
    }

    fn in_room(&mut self, room: String) -> bool {
        self.client()
            .is_some_and(|client| client.rooms.lock().contains(room.as_str()))
    }

    fn rooms(&mut self) -> Vec<String> {
        self.client().map_or_else(Vec::new, |client| {
            let rooms = client.rooms_seen();
            rooms.iter().map(ToString::to_string).collect()
        })
    }

    fn attachment_count(&mut self) -> u32 {
        self.attachments().len() as u32
    }

    fn attachment_len(&mut self, index: u32) -> u32 {
        self.attachments()
            .get(index as usize)
            .map_or(0, |bytes| bytes.len() as u32)
    }

    fn attachment(&mut self, index: u32, offset: u32, max_len: u32) -> Vec<u8> {
        let Some(bytes) = self.attachments().get(index as usize) else {
            return Vec::new();
        };
        let start = (offset as usize).min(bytes.len());
        let end = start.saturating_add(max_len as usize).min(bytes.len());
        bytes[start..end].to_vec()
    }
}
