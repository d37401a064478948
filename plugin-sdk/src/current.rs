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

use crate::{ClientCertificate, host};

/// Milliseconds since the Unix epoch.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let until = current::now_ms() + 60_000;
/// assert!(until >= 60_000);
/// ```
#[must_use]
pub fn now_ms() -> u64 {
    host::now_ms()
}

/// The socket's name, which its client and everyone else may know.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let welcome = format!("You are {}", current::socket_id());
/// // Outside of a call there is none.
/// assert_eq!(welcome, "You are ");
/// ```
#[must_use]
pub fn socket_id() -> String {
    host::socket_id()
}

/// Names the event that is being served: no other event of any socket has this id.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let id = current::event_id();
/// // Outside of a call there is none.
/// assert!(id.is_empty());
/// ```
#[must_use]
pub fn event_id() -> String {
    host::event_id()
}

/// The name of the event; empty at the other hooks.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let is_chat = current::event_name().starts_with("chat:");
/// assert!(!is_chat);
/// ```
#[must_use]
pub fn event_name() -> String {
    host::event_name()
}

/// The namespace of the socket, for example `/` or `/chat`.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let is_admin = current::namespace() == "/admin";
/// assert!(!is_admin);
/// ```
#[must_use]
pub fn namespace() -> String {
    host::namespace()
}

/// The user that a policy has given the client when it connected.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let who = current::user().unwrap_or_else(|| "nobody".to_owned());
/// assert_eq!(who, "nobody");
/// ```
#[must_use]
pub fn user() -> Option<String> {
    host::user()
}

/// An attribute that a policy has given the client.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let is_moderator = current::attribute("role").as_deref() == Some("moderator");
/// assert!(!is_moderator);
/// ```
#[must_use]
pub fn attribute(name: &str) -> Option<String> {
    host::attribute(name)
}

/// The client's IP address, without a port.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let is_local = current::address().starts_with("127.");
/// assert!(!is_local);
/// ```
#[must_use]
pub fn address() -> String {
    host::address()
}

/// A header of the client's handshake; names are case-insensitive.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let language = current::header("Accept-Language");
/// assert_eq!(language, None);
/// ```
#[must_use]
pub fn header(name: &str) -> Option<String> {
    host::header(name)
}

/// A parameter of the client's handshake query, decoded.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let code = current::query("code");
/// assert_eq!(code, None);
/// ```
#[must_use]
pub fn query(name: &str) -> Option<String> {
    host::query(name)
}

/// The certificate that the client has shown, where the operator asks for one (`server.tls.client_ca`).
///
/// ```
/// use sluice_plugin_sdk::{ClientCertificate, prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Devices {}
///
/// #[policy]
/// impl Devices {
///     #[on_connect]
///     fn connect(&self) -> Result<Admission, Denial> {
///         match current::client_certificate().and_then(|shown| shown.common_name) {
///             Some(device) => Ok(Identity::user(device).into()),
///             None => deny!("certificate_needed", "Devices show their certificate"),
///         }
///     }
/// }
///
/// let mut devices = testing::policy::<Devices>(json!({})).unwrap();
/// assert!(matches!(devices.socket("a").connect(json!({})), Admission::Deny(_)));
/// let admission = devices.socket("b").certificate(ClientCertificate::named("pump-7")).connect(json!({}));
/// assert_eq!(admission, Identity::user("pump-7").into());
/// ```
#[must_use]
pub fn client_certificate() -> Option<ClientCertificate> {
    host::client_certificate()
}

/// Whether the client that connects is in already and shows something newer: what its socket rests on is about to expire.
/// It keeps its user; its attributes, its expiry and its token become those of the new identity.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// // What is only for those who come in.
/// let greets = !current::is_refresh();
/// assert!(greets);
/// ```
#[must_use]
pub fn is_refresh() -> bool {
    host::is_refresh()
}

/// Whether the socket is in a room.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let may_write = current::in_room("writers");
/// assert!(!may_write);
/// ```
#[must_use]
pub fn in_room(room: &str) -> bool {
    host::in_room(room)
}

/// The rooms that the socket is in.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let teams = current::rooms().into_iter().filter(|room| room.starts_with("team:"));
/// assert_eq!(teams.count(), 0);
/// ```
#[must_use]
pub fn rooms() -> Vec<String> {
    host::rooms()
}

/// How many binary attachments the event has.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// assert_eq!(current::attachment_count(), 0);
/// ```
#[must_use]
pub fn attachment_count() -> u32 {
    host::attachment_count()
}

/// The length of an attachment in bytes; 0 for one that is not there.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let bytes: u32 = (0..current::attachment_count()).map(current::attachment_len).sum();
/// assert_eq!(bytes, 0);
/// ```
#[must_use]
pub fn attachment_len(index: u32) -> u32 {
    host::attachment_len(index)
}

/// A part of an attachment: at most `max_len` bytes from `offset` on.
///
/// ```
/// use sluice_plugin_sdk::current;
///
/// let is_png = current::attachment(0, 0, 8) == b"\x89PNG\r\n\x1a\n";
/// assert!(!is_png);
/// ```
#[must_use]
pub fn attachment(index: u32, offset: u32, max_len: u32) -> Vec<u8> {
    host::attachment(index, offset, max_len)
}
