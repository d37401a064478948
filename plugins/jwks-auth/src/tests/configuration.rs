//! Every mistake names its key.

use serde_json::{Value, json};
use sluice_plugin_sdk::testing;

use super::URL;
use crate::JwksAuth;

#[test]
fn a_wrong_configuration_says_which_key() {
    let with = |key: &str, value: Value| {
        let mut config = json!({ "jwks": { "url": URL } });
        config["jwks"][key] = value;
        config
    };
    for (config, says) in [
        (json!({}), "`jwks` is missing"),
        (json!({ "secret": "hush" }), "`jwks` is missing"),
        (json!({ "jwks": {} }), "`jwks`: missing field `url`"),
        (
            json!({ "jwks": { "url": "id.example" } }),
            "`jwks.url` has to begin with https://",
        ),
        (with("uri", json!("x")), "`jwks.uri`: unknown field"),
        (
            with("max_age", json!("soon")),
            "`jwks.max_age`: \"soon\" is no duration",
        ),
        (
            with("max_age", json!("10s")),
            "`jwks.max_age` is less than `jwks.refresh_after`",
        ),
        (
            with("max_stale", json!("1m")),
            "`jwks.max_stale` is less than `jwks.max_age`",
        ),
        (
            with("refresh_after", json!(0.5)),
            "`jwks.refresh_after` has to be at least 1s",
        ),
        (
            with("pins", json!(["abc"])),
            "`jwks.pins[0]`: \"abc\" is no thumbprint",
        ),
        (with("pins", json!("abc")), "`jwks.pins`: invalid type"),
        (
            json!({ "jwks": { "url": URL }, "algorithms": ["HS256"] }),
            "`algorithms[0]`: no key is for HS256",
        ),
        (
            json!({ "jwks": { "url": URL }, "from": "x" }),
            "`from`: unknown variant",
        ),
    ] {
        let error = testing::policy::<JwksAuth>(config.clone()).err().unwrap();
        assert!(error.contains(says), "{config}: {error}");
    }
}

#[test]
fn algorithms_narrow_what_published_keys_are_for() {
    let mut policy: testing::Harness<JwksAuth> =
        testing::policy(json!({ "jwks": { "url": URL }, "algorithms": ["RS256"] })).unwrap();
    let token = super::Pair::new("a").token();
    assert_eq!(super::outcome(&mut policy, &token), "token_algorithm");
    assert!(policy.requests().is_empty());
}
