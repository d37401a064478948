//! Every mistake names its key, and none shows a secret.

use serde_json::json;
use sluice_plugin_sdk::testing;

use super::URL;
use crate::WebhookAuth;

#[test]
fn a_wrong_configuration_says_which_key() {
    for (config, says) in [
        (json!({}), "missing field `url`"),
        (
            json!({ "url": "auth.example" }),
            "`url` has to begin with https://",
        ),
        (json!({ "url": URL, "uri": "hush" }), "`uri`: unknown field"),
        (
            json!({ "url": URL, "headers": "cookie" }),
            "`headers`: invalid type",
        ),
        (
            json!({ "url": URL, "headers": ["a", ""] }),
            "`headers[1]` is empty",
        ),
        (json!({ "url": URL, "query": [""] }), "`query[0]` is empty"),
        (json!({ "url": URL, "auth": false }), "`auth` is false and"),
        (
            json!({ "url": URL, "timeout": "soon" }),
            "`timeout`: \"soon\" is no duration",
        ),
        (json!({ "url": URL, "timeout": 0 }), "`timeout` is 0"),
        (
            json!({ "url": URL, "cache": "2h" }),
            "`cache` has to be from 1ms to 1h",
        ),
        (
            json!({ "url": URL, "cache": 0 }),
            "`cache` has to be from 1ms to 1h",
        ),
        (
            json!({ "url": URL, "on_unavailable": "maybe" }),
            "`on_unavailable`: unknown variant",
        ),
        (
            json!({ "url": URL, "request_headers": ["hush"] }),
            "`request_headers`: invalid type",
        ),
    ] {
        let error = testing::policy::<WebhookAuth>(config.clone())
            .err()
            .unwrap();
        assert!(error.contains(says), "{config}: {error}");
        assert!(!error.contains("hush"), "{error}");
    }
}
