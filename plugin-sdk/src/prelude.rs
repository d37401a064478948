//! What nearly every policy names: `use sluice_plugin_sdk::prelude::*;`.
//!
//! The derive macros of serde need the `serde` crate among the policy's own dependencies.

pub use crate::{
    Admission, ArgsError, Bucket, Capabilities, ConnectCall, Decision, Denial, DisconnectReason,
    EventCall, Hooks, Identity, Interests, Policy, Subject, Verdict, config, current, export, log,
    take,
};
pub use serde::{Deserialize, Serialize};
