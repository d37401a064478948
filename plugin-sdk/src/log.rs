//! Lines for the broker's log, which adds the policy, the socket and the namespace. The host bounds their length
//! and their number. Never log what clients authenticate with.
//!
//! ```
//! use sluice_plugin_sdk::{log, prelude::*, testing};
//! use serde_json::json;
//!
//! #[policy]
//! struct Watch {}
//!
//! #[policy]
//! impl Watch {
//!     #[on_event("alarm")]
//!     fn alarm(&mut self) {
//!         log::warn(format!("alarm in {}", current::namespace()));
//!     }
//! }
//!
//! let mut watch = testing::policy::<Watch>(json!({})).unwrap();
//! watch.event("alarm", json!([]));
//! assert_eq!(watch.logs(), [(log::Level::Warn, "alarm in /".to_owned())]);
//! ```

use crate::host;

/// How much a line matters.
///
/// ```
/// use sluice_plugin_sdk::log::Level;
///
/// assert!(Level::Error > Level::Info);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Of use to the policy's author.
    Debug,
    /// Of use to the operator.
    Info,
    /// Something is not as it should be.
    Warn,
    /// Something failed.
    Error,
}

/// Writes a line at [`Level::Debug`].
///
/// ```
/// sluice_plugin_sdk::log::debug("something happened");
/// ```
pub fn debug(message: impl AsRef<str>) {
    host::log(Level::Debug, message.as_ref());
}

/// Writes a line at [`Level::Info`].
///
/// ```
/// sluice_plugin_sdk::log::info("something happened");
/// ```
pub fn info(message: impl AsRef<str>) {
    host::log(Level::Info, message.as_ref());
}

/// Writes a line at [`Level::Warn`].
///
/// ```
/// sluice_plugin_sdk::log::warn("something happened");
/// ```
pub fn warn(message: impl AsRef<str>) {
    host::log(Level::Warn, message.as_ref());
}

/// Writes a line at [`Level::Error`].
///
/// ```
/// sluice_plugin_sdk::log::error("something happened");
/// ```
pub fn error(message: impl AsRef<str>) {
    host::log(Level::Error, message.as_ref());
}
