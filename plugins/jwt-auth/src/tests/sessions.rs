//! What a token says about the session that it opens: until when, by which name, since when.

use serde_json::{Value, json};
use sluice_plugin_sdk::Identity;

use super::tokens::token;
use super::{policy, who};

fn identity(config: Value, claims: Value) -> Identity {
    let admission = policy(config).connect(json!({ "token": token(&claims) }));
    let identity = admission.identity();
    identity.unwrap_or_else(|| panic!("{admission:?}")).clone()
}

#[test]
fn a_session_ends_when_its_token_would_be_refused() {
    let exp = json!({ "sub": "a", "exp": 1_800_000_000.5 });
    let expires = |config| identity(config, exp.clone()).expires_ms;
    assert_eq!(expires(json!({})), Some(1_800_000_000_500));
    assert_eq!(expires(json!({ "leeway": "30s" })), Some(1_800_000_030_500));
    assert_eq!(identity(json!({}), json!({ "sub": "a" })).expires_ms, None);
    // As far as time goes.
    let forever = identity(json!({}), json!({ "sub": "a", "exp": 1e300 }));
    assert_eq!(forever.expires_ms, Some(u64::MAX));
}

#[test]
fn a_token_can_be_revoked_by_its_name() {
    let token_id = |jti: Value| identity(json!({}), json!({ "sub": "a", "jti": jti })).token_id;
    assert_eq!(token_id(json!("7f")).as_deref(), Some("7f"));
    assert_eq!(token_id(json!(7)).as_deref(), Some("7"));
    for none in [json!(""), json!(null), json!(["7"])] {
        assert_eq!(token_id(none), None);
    }
    let longest = "j".repeat(Identity::MAX_TOKEN_ID);
    assert_eq!(token_id(json!(longest)), Some(longest));
}

/// It could not be taken back by its name.
#[test]
fn a_token_whose_name_is_too_long_is_refused_as_malformed() {
    let name = "j".repeat(Identity::MAX_TOKEN_ID + 1);
    let token = token(&json!({ "sub": "a", "jti": name }));
    assert_eq!(
        who(&mut policy(json!({})), &token),
        Err("token_malformed".to_owned())
    );
}

#[test]
fn when_it_was_issued_is_known_if_it_says_so() {
    let issued = |iat: Value| identity(json!({}), json!({ "sub": "a", "iat": iat })).issued_ms;
    assert_eq!(issued(json!(1_700_000_000)), Some(1_700_000_000_000));
    assert_eq!(issued(json!(-1)), Some(0));
    // As good as before, and in case of doubt older than any revocation.
    assert_eq!(issued(json!("yesterday")), None);
    assert_eq!(identity(json!({}), json!({ "sub": "a" })).issued_ms, None);
}
