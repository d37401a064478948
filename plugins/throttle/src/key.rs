//! What belongs together: the events of one name, or those of one name and one value in their arguments.

use std::hash::{DefaultHasher, Hash, Hasher};

use sluice_plugin_sdk::prelude::*;

/// Where a key comes from.
#[derive(Debug)]
pub(crate) struct Key {
    /// The name of the event, where there can be no other.
    name: Option<String>,
    /// A JSON Pointer (RFC 6901) into the arguments.
    pointer: Option<String>,
}

/// The broker takes 256 bytes. What is longer counts by its hash.
const MAX_LEN: usize = 128;

impl Key {
    /// Of the events that these globs match.
    pub(crate) fn new(events: &[String], pointer: Option<String>) -> Self {
        let name = match events {
            [one] if !one.contains('*') => Some(one.clone()),
            _ => None,
        };
        Self { name, pointer }
    }

    pub(crate) fn needs_args(&self) -> bool {
        self.pointer.is_some()
    }

    /// The key of all events alike, if they have one.
    pub(crate) fn of_all(&self) -> Option<&str> {
        let name = self.name.as_deref().filter(|_| !self.needs_args());
        name.filter(|name| name.len() <= MAX_LEN)
    }

    pub(crate) fn of(&self, call: &EventCall<'_>) -> String {
        let mut key = self.name.clone().unwrap_or_else(current::event_name);
        let value = self.pointer.as_deref().and_then(|at| call.get_text(at));
        let value = value.unwrap_or_default();
        if key.len() + value.len() > MAX_LEN {
            return hash(&key, value);
        }
        if !value.is_empty() {
            // No name of an event is told from a name and a value otherwise.
            key.push('\0');
            key.push_str(value);
        }
        key
    }
}

/// Two that have the same are of the same client, who has nothing to gain by it.
fn hash(name: &str, value: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (name, value).hash(&mut hasher);
    format!("\0{:016x}", hasher.finish())
}
