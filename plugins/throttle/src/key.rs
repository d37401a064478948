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

/// A value whose text is longer counts by its hash: what a client sends is kept as a key for the length of a window.
const MAX_LEN: usize = 64;

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

    pub(crate) fn of(&self, call: &EventCall<'_>) -> String {
        let mut key = self.name.clone().unwrap_or_else(current::event_name);
        let value = self.pointer.as_deref().and_then(|at| call.get_text(at));
        if let Some(value) = value {
            // No name of an event is told from a name and a value otherwise.
            key.push('\0');
            if value.len() <= MAX_LEN {
                key.push_str(value);
            } else {
                // Two values with one hash are two of the same client, who has nothing to gain by it.
                let mut hasher = DefaultHasher::new();
                value.hash(&mut hasher);
                key.push_str(&format!("#{:016x}", hasher.finish()));
            }
        }
        key
    }
}
