//! The host of native tests: a broker's worth of sockets, buckets and time, in memory and on one thread.
//!
//! ```
//! use serde_json::json;
//! use sluice_plugin_sdk::{prelude::*, testing};
//!
//! #[derive(Deserialize)]
//! struct Doorman {
//!     code: String,
//! }
//!
//! impl Policy for Doorman {
//!     const HOOKS: Hooks = Hooks::CONNECT.and(Hooks::EVENT);
//!
//!     fn interests(&self) -> Interests {
//!         Interests::new().event("secret:*")
//!     }
//!
//!     fn on_connect(&mut self, _call: &ConnectCall<'_>) -> Admission {
//!         match current::query("code") {
//!             Some(code) if code == self.code => Identity::user("guest").into(),
//!             _ => Denial::new("code", "Say the code").into(),
//!         }
//!     }
//!
//!     fn on_event(&mut self, _call: &EventCall<'_>) -> Verdict {
//!         if current::user().is_some() { Verdict::Pass } else { Verdict::Drop }
//!     }
//! }
//!
//! let mut doorman = testing::policy::<Doorman>(json!({ "code": "open" })).unwrap();
//!
//! // Sockets have names; calls are about the one that was named last.
//! doorman.socket("alice").query("code", "open");
//! assert_eq!(doorman.connect(json!({})).identity().unwrap().user.as_deref(), Some("guest"));
//! assert_eq!(doorman.event("secret:plan", json!(["…"])), Verdict::Pass);
//!
//! assert_eq!(doorman.socket("bob").connect(json!({})).denial().unwrap().code, "code");
//! assert_eq!(doorman.event("secret:plan", json!(["…"])), Verdict::Drop);
//! assert_eq!(doorman.event("hello", json!([])), Verdict::Pass, "no rule matches it");
//! ```

mod buckets;
mod glob;
mod harness;
pub(crate) mod host;

pub use harness::{Client, Clock, Harness, policy};

/// Used by `export!`.
#[doc(hidden)]
pub fn assert_policy<P: crate::Policy>() {}
