//! What nearly every policy names: `use sluice_plugin_sdk::prelude::*;`.
//!
//! ```
//! use sluice_plugin_sdk::prelude::*;
//!
//! let verdict: Verdict = denial!("closed", "Come back tomorrow").into();
//! assert!(verdict.denial().is_some());
//! ```
//!
//! `#[policy]` and `#[config]` bring serde with them; to derive its traits without these attributes, a policy needs
//! the `serde` crate among its own dependencies.

pub use crate::{
    Admission, Advance, Answer, ArgsError, Bucket, Capabilities, ConnectCall, Decision, Denial,
    DisconnectReason, EventCall, Hooks, Identity, Interests, Metric, Policy, Scope, Subject,
    SubscribeCall, Subscription, Target, Verdict, config, current, denial, deny, effects, export,
    http, log, metrics, store, take,
};
pub use serde::{Deserialize, Serialize};
pub use sluice_plugin_sdk_macros::{
    buckets, configure, on_connect, on_disconnect, on_event, on_subscribe, policy,
};
