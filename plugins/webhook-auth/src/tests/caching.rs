//! Whom the back end has admitted is remembered, and nothing else.

use serde_json::json;
use sluice_plugin_sdk::testing::Harness;
use sluice_plugin_sdk::{Admission, Identity};

use super::{URL, policy};
use crate::WebhookAuth;

fn asked(policy: &Harness<WebhookAuth>) -> usize {
    policy.requests().len()
}

#[test]
fn without_a_cache_every_client_is_asked_about() {
    let mut policy = policy(json!({}));
    policy.answer(URL, 200, json!({ "user": "alice" }));
    for _ in 0..2 {
        policy.connect(json!({ "token": "a" }));
    }
    assert_eq!(asked(&policy), 2);
}

#[test]
fn an_admitted_client_is_remembered_for_a_while() {
    let mut policy = policy(json!({ "cache": "30s", "headers": ["cookie"] }));
    policy.answer(
        URL,
        200,
        json!({ "user": "alice", "attributes": { "a": "b" }, "rooms": ["r"] }),
    );
    let alice: Admission = Identity::user("alice").attribute("a", "b").room("r").into();
    for _ in 0..3 {
        assert_eq!(policy.connect(json!({ "token": "a" })), alice);
    }
    assert_eq!(asked(&policy), 1);
    policy.clock().advance(30_000);
    assert_eq!(policy.connect(json!({ "token": "a" })), alice);
    assert_eq!(asked(&policy), 2);
}

#[test]
fn another_question_is_another_client() {
    let mut policy = policy(json!({ "cache": "30s", "headers": ["cookie"], "query": ["q"] }));
    policy.answer(URL, 200, json!({ "user": "alice" }));
    policy.socket("1").connect(json!({ "token": "a" }));
    policy.socket("2").connect(json!({ "token": "b" }));
    policy
        .socket("3")
        .address("192.0.2.1")
        .connect(json!({ "token": "a" }));
    policy
        .socket("4")
        .namespace("/x")
        .connect(json!({ "token": "a" }));
    policy
        .socket("5")
        .header("cookie", "c")
        .connect(json!({ "token": "a" }));
    policy
        .socket("6")
        .query("q", "c")
        .connect(json!({ "token": "a" }));
    assert_eq!(asked(&policy), 6);
    policy
        .socket("7")
        .query("other", "c")
        .connect(json!({ "token": "a" }));
    assert_eq!(asked(&policy), 6, "the back end is not told of it");
}

#[test]
fn another_back_end_decides_for_itself() {
    let mut policy = policy(json!({ "cache": "30s" }));
    policy.answer(URL, 200, json!({ "user": "alice" }));
    policy.connect(json!({ "token": "a" }));
    for (config, count) in [
        (json!({ "url": URL, "cache": "30s" }), 1),
        (
            json!({ "url": URL, "cache": "30s", "request_headers": { "x": "y" } }),
            2,
        ),
    ] {
        policy.reload(config).unwrap();
        policy.connect(json!({ "token": "a" }));
        assert_eq!(asked(&policy), count);
    }
    policy
        .reload(json!({ "url": "https://other.example/", "cache": "30s" }))
        .unwrap();
    policy.answer("https://other.example/", 401, json!({}));
    assert!(policy.connect(json!({ "token": "a" })).denial().is_some());
}

#[test]
fn denials_and_silence_are_not_remembered() {
    for status in [401, 403, 500, 204] {
        let mut policy = policy(json!({ "cache": "30s" }));
        policy.answer(URL, status, json!({}));
        policy.connect(json!({ "token": "a" }));
        policy.answer(URL, 200, json!({ "user": "alice" }));
        let admission = policy.connect(json!({ "token": "a" }));
        assert_eq!(admission, Identity::user("alice").into(), "{status}");
    }
}

#[test]
fn nobody_comes_in_on_an_admission_that_has_ended() {
    let mut policy = policy(json!({ "cache": "1h" }));
    policy.answer(
        URL,
        200,
        json!({ "user": "alice", "expires_in": 60, "token_id": "t", "issued_at": 5 }),
    );
    let expected = policy.clock().now_ms() + 60_000;
    for _ in 0..2 {
        let admission = policy.connect(json!({ "token": "a" }));
        let alice = admission.identity().unwrap();
        assert_eq!(alice.expires_ms, Some(expected));
        assert_eq!(
            (alice.token_id.as_deref(), alice.issued_ms),
            (Some("t"), Some(5_000))
        );
    }
    assert_eq!(asked(&policy), 1);
    policy.clock().advance(60_000);
    policy.connect(json!({ "token": "a" }));
    assert_eq!(asked(&policy), 2);
}
