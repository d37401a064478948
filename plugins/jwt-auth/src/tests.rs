//! The policy from a client's point of view: who comes in as whom, and who does not.

mod chosen;
mod identity;
mod keys;
mod pss_and_p384;
mod refusals;
mod sessions;
mod standards;
mod tokens;
mod vectors;

use crate::JwtAuth;
use serde_json::{Value, json};
use sluice_plugin_sdk::Admission;
use sluice_plugin_sdk::testing::{self, Harness};

/// Configured with these keys beside the secret.
fn policy(config: Value) -> Harness<JwtAuth> {
    let mut all = json!({ "secret": tokens::SECRET });
    all.as_object_mut()
        .unwrap()
        .extend(config.as_object().unwrap().clone());
    testing::policy(all).unwrap()
}

/// Configured with exactly this.
fn with(config: Value) -> Harness<JwtAuth> {
    testing::policy(config).unwrap()
}

/// Who comes in with this token, or with which code it is refused.
fn who(policy: &mut Harness<JwtAuth>, token: &str) -> Result<String, String> {
    match policy.connect(json!({ "token": token })) {
        Admission::Accept(identity) => Ok(identity.user.unwrap()),
        Admission::Deny(denial) => Err(denial.code),
        other => panic!("{other:?}"),
    }
}
