//! The host of native tests: a broker's worth of sockets, state and time, in memory and on one thread.
//!
//! ```
//! use serde_json::json;
//! use sluice_plugin_sdk::{prelude::*, testing};
//!
//! #[policy]
//! struct Doorman {
//!     code: String,
//! }
//!
//! #[policy]
//! impl Doorman {
//!     #[on_connect]
//!     fn greet(&mut self) -> Admission {
//!         match current::query("code") {
//!             Some(code) if code == self.code => Identity::user("guest").into(),
//!             _ => Admission::deny("code", "Say the code"),
//!         }
//!     }
//!
//!     #[on_event("secret:*")]
//!     fn keep(&mut self) -> Verdict {
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
//!
//! What a policy asks for in its `grants` is granted. A test sees what was done beside the verdicts
//! ([`Harness::effects`]), what was delivered and when ([`Harness::delivered`]), metrics, requests and log lines; it
//! moves the [`Clock`] and answers requests ([`Harness::answer`]).
//!
//! # The same tests in the broker's engine
//!
//! With `SLUICE_TEST_COMPONENT=policy.wasm` in the environment every harness runs the compiled policy in place of the
//! type: `$SLUICE_BIN policy test policy.wasm --serve`, where `SLUICE_BIN` is `sluice` unless it is set; a folder stands
//! for the `NAME.wasm` in it of the package that is tested. The test cases stay as they are. Only what the broker
//! never does has no meaning there: handing over what is not JSON, [`Harness::policy`], [`Harness::serve_http`]; such a
//! test asks [`is_compiled`]. A [`Clock`] that is set back makes the policy start anew.
//!
//! ```sh
//! cargo build --release --target wasm32-wasip2
//! SLUICE_TEST_COMPONENT=target/wasm32-wasip2/release/shout.wasm cargo test
//! ```

mod bare;
mod buckets;
mod client;
mod component;
mod effects;
mod engine;
mod glob;
mod harness;
pub(crate) mod host;
mod native;
mod store;
mod upstream;
mod windows;
mod world;

#[doc(hidden)]
pub use bare::Bare;
pub use client::Client;
pub use effects::{Audience, Effect};
pub use harness::{Harness, policy};
pub use windows::Delivery;
pub use world::Clock;

/// Whether harnesses run the compiled policy in the broker's engine.
///
/// ```
/// use sluice_plugin_sdk::testing;
///
/// assert_eq!(testing::is_compiled(), std::env::var_os("SLUICE_TEST_COMPONENT").is_some());
/// ```
#[must_use]
pub fn is_compiled() -> bool {
    component::from_env().is_some()
}

/// Used by `export!`.
#[doc(hidden)]
pub fn assert_policy<P: crate::Policy>() {}
