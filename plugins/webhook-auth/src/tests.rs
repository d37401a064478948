//! The policy from a client's point of view, and from the back end's.

mod answers;
mod caching;
mod configuration;

use serde_json::{Value, json};
use sluice_plugin_sdk::testing::{self, Harness};

use crate::WebhookAuth;

const URL: &str = "https://auth.example/admit";

/// Configured with these keys beside the address.
fn policy(keys: Value) -> Harness<WebhookAuth> {
    let mut all = json!({ "url": URL });
    all.as_object_mut()
        .unwrap()
        .extend(keys.as_object().unwrap().clone());
    testing::policy(all).unwrap()
}

/// What the back end was asked last.
fn asked(policy: &Harness<WebhookAuth>) -> Value {
    let requests = policy.requests();
    serde_json::from_slice(&requests.last().unwrap().body).unwrap()
}

#[test]
fn the_back_end_is_told_who_wants_to_come_in() {
    let mut policy = policy(json!({
        "headers": ["Cookie", "x-device"],
        "query": ["token", "none"],
        "request_headers": { "authorization": "Bearer service" },
        "timeout": "500ms",
    }));
    policy.answer(URL, 200, json!({ "user": "alice" }));
    let client = policy.socket("a").address("192.0.2.1").namespace("/chat");
    let client = client
        .header("cookie", "sid=1")
        .header("origin", "https://x");
    let client = client.query("token", "t").query("other", "o");
    client.connect(json!({ "ticket": 12345678901234567890_u64 }));
    assert_eq!(
        asked(&policy),
        json!({
            "namespace": "/chat",
            "address": "192.0.2.1",
            "headers": { "cookie": "sid=1" },
            "query": { "token": "t" },
            "auth": { "ticket": 12345678901234567890_u64 },
        })
    );
    let request = &policy.requests()[0];
    assert_eq!((&*request.method, &*request.url), ("POST", URL));
    assert_eq!((request.timeout_ms, request.max_age_ms), (500, 0));
    for header in [
        ("content-type", "application/json"),
        ("authorization", "Bearer service"),
    ] {
        let header = (header.0.to_owned(), header.1.to_owned());
        assert!(request.headers.contains(&header), "{header:?}");
    }
}

#[test]
fn what_the_client_authenticates_with_can_stay_here() {
    let mut policy = policy(json!({ "auth": false, "headers": ["cookie"] }));
    policy.answer(URL, 204, json!(null));
    policy.connect(json!({ "password": "hush" }));
    assert_eq!(
        asked(&policy),
        json!({ "namespace": "/", "address": "127.0.0.1", "headers": {}, "query": {} })
    );
}
