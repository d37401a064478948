//! Everything that a Sluice policy is written with.
//!
//! A policy is a type that implements [`Policy`]: its fields are its configuration, its methods are the
//! hooks. [`export!`] makes a WebAssembly component of it when the crate is built for `wasm32-wasip2`; on
//! every other target the same type runs inside a test, against the host in [`testing`].
//!
//! ```
//! use sluice_plugin_sdk::prelude::*;
//!
//! /// Delivers the text of one event in capitals.
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Shout {
//!     event: String,
//! }
//!
//! impl Policy for Shout {
//!     const HOOKS: Hooks = Hooks::EVENT;
//!
//!     fn interests(&self) -> Interests {
//!         Interests::new().event_with_args(&self.event)
//!     }
//!
//!     fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
//!         match call.args::<(String,)>() {
//!             Ok((text,)) => Verdict::replace(&[text.to_uppercase()]),
//!             Err(error) => error.into(),
//!         }
//!     }
//! }
//!
//! export!(Shout);
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
//! | crate root | [`Policy`], [`Interests`], the calls and what answers them |
//! | [`current`] | facts about the call that is being served |
//! | [`log`](mod@log) | lines for the broker's log |
//! | [`config`] | reading a configuration, durations in it |
//! | [`testing`] | the in-memory host of native tests |
//!
//! The contract itself is `wit/policy.wit`; nothing here adds to it.

#![deny(missing_docs)]

mod call;
pub mod config;
pub mod current;
mod interests;
mod limits;
pub mod log;
mod policy;
pub mod prelude;
mod verdict;

// The host behind `current`, `take` and `log`: the broker in a component, memory in a test.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
#[cfg(target_family = "wasm")]
use guest::host;

#[cfg(not(target_family = "wasm"))]
pub mod testing;
#[cfg(not(target_family = "wasm"))]
use testing::host;

pub use call::{ArgsError, ConnectCall, DisconnectReason, EventCall};
pub use interests::{Bucket, EventRule, Interests};
pub use limits::{Decision, Subject, take};
pub use policy::{Capabilities, Hooks, Policy};
pub use verdict::{Admission, Denial, Identity, Verdict};

/// Makes a component of a [`Policy`]; written once in a policy's crate.
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
                static POLICY: ::core::cell::RefCell<::core::option::Option<$policy>> =
                    const { ::core::cell::RefCell::new(::core::option::Option::None) };
            }

            impl $crate::guest::Exported for $policy {
                const NAME: &'static str = ::core::env!("CARGO_PKG_NAME");
                const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");

                fn slot() -> &'static ::std::thread::LocalKey<
                    ::core::cell::RefCell<::core::option::Option<Self>>,
                > {
                    &POLICY
                }
            }

            type Component = $crate::guest::Component<$policy>;
            $crate::guest::export_component!(Component);
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
