//! The policy from a client's point of view: who comes in as whom, and who does not.

mod identity;
mod refusals;
mod tokens;

use crate::JwtAuth;
use serde_json::{Value, json};
use sluice_plugin_sdk::testing::{self, Harness};

/// Configured with these keys beside the secret.
fn policy(config: Value) -> Harness<JwtAuth> {
    let mut all = json!({ "secret": tokens::SECRET });
    all.as_object_mut()
        .unwrap()
        .extend(config.as_object().unwrap().clone());
    testing::policy(all).unwrap()
}
