//! Facts about the call that is being served, asked of the host one at a time, so that a policy pays only for
//! what it reads. While a policy is being configured there is no such call: texts are empty, options are none.
//!
//! ```
//! use sluice_plugin_sdk::{prelude::*, testing};
//! use serde_json::json;
//!
//! #[policy]
//! struct Sign {}
//!
//! #[policy]
//! impl Sign {
//!     #[on_event("message")]
//!     fn sign(&mut self, (text,): (String,)) -> Verdict {
//!         Verdict::replace(&(text, current::user(), current::now_ms()))
//!     }
//! }
//!
//! let mut sign = testing::policy::<Sign>(json!({})).unwrap();
//! sign.clock().set_ms(1_800_000_000_000);
//! let verdict = sign.socket("a").user("alice").event("message", json!(["hi"]));
//! assert_eq!(verdict, Verdict::replace(&("hi", "alice", 1_800_000_000_000u64)));
//! ```

use crate::host;

/// Milliseconds since the Unix epoch.
#[must_use]
pub fn now_ms() -> u64 {
    host::now_ms()
}

/// The socket's name, which its client and everyone else may know.
#[must_use]
pub fn socket_id() -> String {
    host::socket_id()
}

/// Names the event that is being served: no other event of any socket has this id.
#[must_use]
pub fn event_id() -> String {
    host::event_id()
}

/// The name of the event; empty at the other hooks.
#[must_use]
pub fn event_name() -> String {
    host::event_name()
}

/// The namespace of the socket, for example `/` or `/chat`.
#[must_use]
pub fn namespace() -> String {
    host::namespace()
}

/// The user that a policy has given the client when it connected.
#[must_use]
pub fn user() -> Option<String> {
    host::user()
}

/// An attribute that a policy has given the client.
#[must_use]
pub fn attribute(name: &str) -> Option<String> {
    host::attribute(name)
}

/// The client's IP address, without a port.
#[must_use]
pub fn address() -> String {
    host::address()
}

/// A header of the client's handshake; names are case-insensitive.
#[must_use]
pub fn header(name: &str) -> Option<String> {
    host::header(name)
}

/// A parameter of the client's handshake query, decoded.
#[must_use]
pub fn query(name: &str) -> Option<String> {
    host::query(name)
}

/// Whether the socket is in a room.
#[must_use]
pub fn in_room(room: &str) -> bool {
    host::in_room(room)
}

/// The rooms that the socket is in.
#[must_use]
pub fn rooms() -> Vec<String> {
    host::rooms()
}

/// How many binary attachments the event has.
#[must_use]
pub fn attachment_count() -> u32 {
    host::attachment_count()
}

/// The length of an attachment in bytes; 0 for one that is not there.
#[must_use]
pub fn attachment_len(index: u32) -> u32 {
    host::attachment_len(index)
}

/// A part of an attachment: at most `max_len` bytes from `offset` on.
#[must_use]
pub fn attachment(index: u32, offset: u32, max_len: u32) -> Vec<u8> {
    host::attachment(index, offset, max_len)
}
