//! Everything that a Sluice policy is written with.
//!
//! A policy is a struct: its fields are its configuration, its methods are the hooks. [`#[policy]`](macro@policy) makes a
//! WebAssembly component of it when the crate is built for `wasm32-wasip2`; on every other target the same type runs
//! inside a test, against the host in [`testing`].
//!
//! ```
//! use sluice_plugin_sdk::prelude::*;
//!
//! #[policy]
//! struct Shout { event: String }
//!
//! #[policy]
//! impl Shout {
//!     #[on_event(self.event)]
//!     fn shout(&mut self, text: String) -> Verdict {
//!         Verdict::replace(&[text.to_uppercase()])
//!     }
//! }
//!
//! // What a test of it looks like:
//! # use sluice_plugin_sdk::testing;
//! # use serde_json::json;
//! let mut shout = testing::policy::<Shout>(json!({ "event": "message" })).unwrap();
//! assert_eq!(shout.event("message", json!(["hi"])), Verdict::replace(&["HI"]));
//! assert_eq!(shout.event("message", json!([1])).denial().unwrap().code, "invalid_arguments");
//! assert_eq!(shout.event("other", json!([1])), Verdict::Pass);
//! ```
//!
//! | module | what lives there |
//! |---|---|
//! | crate root | [`#[policy]`](macro@policy), [`Policy`], [`Interests`], the calls and what answers them, [`deny!`] |
//! | [`current`] | facts about the call that is being served |
//! | [`effects`] | emitting, joining, leaving, disconnecting, attributes |
//! | [`store`] | counters and values that outlive a call, an instance and a reload; [`take`] is about buckets |
//! | [`http`] | requests to back ends when a client connects |
//! | [`metrics`](mod@metrics), [`log`](mod@log) | numbers and lines for the operator |
//! | [`config`](mod@config) | reading a configuration, durations in it |
//! | [`testing`] | the in-memory host of native tests, and the compiled policy in the broker's engine |
//!
//! The contract itself is `wit/policy.wit`; nothing here adds to it.

#![deny(missing_docs)]

mod admission;
mod advance;
mod answer;
mod args;
mod call;
mod certificate;
pub mod config;
pub mod current;
mod denial;
pub mod effects;
#[cfg(any(target_family = "wasm", test))]
#[doc(hidden)]
pub mod heap;
mod hooks;
pub mod http;
mod interests;
mod limits;
pub mod log;
pub mod metrics;
mod pointer;
mod policy;
pub mod prelude;
pub mod store;
mod verdict;

// The host behind `current`, `take` and the others: the broker in a component, memory in a test.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
#[cfg(target_family = "wasm")]
use guest::host;

#[cfg(not(target_family = "wasm"))]
pub mod testing;
#[cfg(not(target_family = "wasm"))]
use testing::host;

pub use admission::{Admission, Identity, Subscription};
pub use advance::Advance;
pub use answer::{Answer, Globs};
pub use args::ArgsError;
pub use call::{ConnectCall, DisconnectReason, EventCall, SubscribeCall};
pub use certificate::ClientCertificate;
pub use denial::{Denial, Refusal};
pub use effects::Target;
pub use hooks::{Capabilities, Hooks};
pub use interests::{Bucket, EventRule, Interests, Metric, MetricKind, Scope};
pub use limits::{Decision, Subject, take};
pub use policy::Policy;
/// Reads a struct or an enum that lies in a configuration.
///
/// ```
/// use sluice_plugin_sdk::prelude::*;
///
/// #[config]
/// struct Limit { event: String, most: u32 }
///
/// let error = sluice_plugin_sdk::config::parse::<Limit>(r#"{"event": "a", "mst": 1}"#).err();
/// assert!(error.unwrap().starts_with("`mst`: unknown field"));
/// ```
pub use sluice_plugin_sdk_macros::config;
/// Makes a policy of a struct and its methods.
///
/// ```
/// use sluice_plugin_sdk::prelude::*;
///
/// #[policy]
/// struct Polite { words: Vec<String> }
///
/// #[policy]
/// impl Polite {
///     #[on_event("message")]
///     fn check(&mut self, text: String) -> Result<(), Denial> {
///         if let Some(word) = self.words.iter().find(|word| text.contains(*word)) {
///             deny!("rude", "Please do not say {word}");
///         }
///         Ok(())
///     }
///
///     #[on_subscribe("staff:*")]
///     fn guard(&mut self) -> Result<(), Denial> {
///         if current::attribute("role").as_deref() != Some("staff") {
///             deny!("staff_only", "This room is for our staff");
///         }
///         Ok(())
///     }
/// }
/// # use {sluice_plugin_sdk::testing, serde_json::json};
/// # let mut polite = testing::policy::<Polite>(json!({ "words": ["darn"] })).unwrap();
/// # assert_eq!(polite.event("message", json!(["hello"])), Verdict::Pass);
/// # assert_eq!(polite.event("message", json!(["darn it"])).denial().unwrap().code, "rude");
/// # assert_eq!(polite.subscribe("staff:1").denial().unwrap().code, "staff_only");
/// ```
pub use sluice_plugin_sdk_macros::policy;
pub use sluice_plugin_sdk_macros::{
    buckets, configure, metrics, on_connect, on_disconnect, on_event, on_subscribe,
};
pub use verdict::Verdict;

/// What the attributes write.
#[doc(hidden)]
pub mod __private {
    pub use crate::answer::Configured;
    pub use serde;

    /// A rule that is none of the policy's is a mistake of the host: the trap leaves it to the operator's failure
    /// policy.
    #[cold]
    #[expect(clippy::panic, reason = "see above")]
    pub fn no_such_rule(rule: usize) -> ! {
        panic!("rule {rule} is not among the policy's interests")
    }
}

/// Makes a component of a [`Policy`]; written once in a policy's crate, and by [`#[policy]`](macro@policy) for whoever
/// uses that.
///
/// The component describes itself with the name and the version of that crate. The crate is built as a
/// `cdylib`; with `rlib` beside it, others can use its types. On targets other than WebAssembly nothing is
/// exported.
///
/// ```
/// use sluice_plugin_sdk::prelude::*;
///
/// #[derive(Deserialize)]
/// struct Quiet {}
///
/// impl Policy for Quiet {
///     const HOOKS: Hooks = Hooks::EVENT;
///
///     fn interests(&self) -> Interests {
///         Interests::new().event("typing")
///     }
///
///     fn on_event(&mut self, _call: &EventCall<'_>) -> Verdict {
///         Verdict::Drop
///     }
/// }
///
/// export!(Quiet);
/// ```
///
/// What is no policy is an error on every target:
///
/// ```compile_fail,E0277
/// struct Nothing;
/// sluice_plugin_sdk::export!(Nothing);
/// ```
#[macro_export]
macro_rules! export {
    ($policy:ty) => {
        $crate::__export!($policy);
    };
}

#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($policy:ty) => {
        const _: () = {
            ::std::thread_local! {
                static POLICY: $crate::guest::Slot<$policy> =
                    const { ::core::cell::RefCell::new(::core::option::Option::None) };
            }

            impl $crate::guest::Exported for $policy {
                const NAME: &'static str = ::core::env!("CARGO_PKG_NAME");
                const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");

                fn slot() -> &'static ::std::thread::LocalKey<$crate::guest::Slot<Self>> {
                    &POLICY
                }
            }

            #[global_allocator]
            static HEAP: $crate::guest::Heap = $crate::guest::Heap::new();

            type Component = $crate::guest::Component<$policy>;
            $crate::guest::export_component!(Component with_types_in $crate::guest::exports::instead);
        };
    };
}

#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($policy:ty) => {
        const _: fn() = $crate::testing::assert_policy::<$policy>;
    };
}
