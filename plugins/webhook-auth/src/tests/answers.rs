//! What comes of what the back end says.

use serde_json::{Value, json};
use sluice_plugin_sdk::http::{Error, Response};
use sluice_plugin_sdk::{Admission, Denial, Identity};

use super::{URL, policy};

fn answered(status: u16, body: Value) -> Admission {
    let mut policy = policy(json!({}));
    policy.answer(URL, status, body);
    policy.connect(json!({ "token": "hush" }))
}

fn denial(status: u16, body: Value) -> Denial {
    let admission = answered(status, body);
    admission
        .denial()
        .unwrap_or_else(|| panic!("{admission:?}"))
        .clone()
}

#[test]
fn an_admitted_client_is_who_the_back_end_says() {
    let body = json!({
        "user": "alice",
        "attributes": { "plan": "pro", "level": 3, "tags": ["a"], "none": null },
        "rooms": ["user:alice", 7],
        "more": "is ignored",
    });
    assert_eq!(
        answered(200, body),
        Identity::user("alice")
            .attribute("level", "3")
            .attribute("plan", "pro")
            .attribute("tags", r#"["a"]"#)
            .room("user:alice")
            .room("7")
            .into()
    );
    assert_eq!(
        answered(200, json!({ "user": 42 })),
        Identity::user("42").into()
    );
    let nobody = Admission::from(Identity::new());
    assert_eq!(answered(200, json!({})), nobody);
    assert_eq!(
        answered(
            200,
            json!({ "user": null, "attributes": null, "rooms": null, "deny": false })
        ),
        nobody
    );
    assert_eq!(answered(204, json!(null)), Admission::Pass);
}

#[test]
fn an_admission_may_have_an_end_and_a_name() {
    // The clock of the tests.
    const NOW_MS: u64 = 1_700_000_000_000;
    let identity = |body: Value| {
        let admission = answered(200, body);
        admission
            .identity()
            .cloned()
            .unwrap_or_else(|| panic!("{admission:?}"))
    };
    let expires = |body: Value| identity(body).expires_ms;
    assert_eq!(expires(json!({ "expires_in": 90 })), Some(NOW_MS + 90_000));
    assert_eq!(
        expires(json!({ "expires_at": 1_700_000_001.5 })),
        Some(NOW_MS + 1_500)
    );
    let both = json!({ "expires_at": 1_700_000_060, "expires_in": 30 });
    assert_eq!(expires(both), Some(NOW_MS + 30_000), "the earlier one");
    assert_eq!(expires(json!({ "expires_at": null })), None);
    let named = identity(json!({ "user": "a", "token_id": 7, "issued_at": 1_600_000_000 }));
    assert_eq!(named.token_id.as_deref(), Some("7"));
    assert_eq!(named.issued_ms, Some(1_600_000_000_000));
    assert_eq!(identity(json!({ "token_id": "" })).token_id, None);
}

#[test]
fn a_denial_is_the_back_ends_to_word() {
    let own = json!({
        "code": "banned", "message": "Until May", "data": { "until": "May" }, "retry_after_ms": 9,
    });
    for (status, body) in [
        (200, json!({ "deny": own })),
        (403, json!({ "deny": own })),
        (403, own.clone()),
        (401, own.clone()),
    ] {
        let denial = denial(status, body);
        assert_eq!((&*denial.code, &*denial.message), ("banned", "Until May"));
        assert_eq!(denial.data.as_deref(), Some(r#"{"until":"May"}"#));
        assert_eq!(denial.retry_after_ms, Some(9));
    }
    for (status, body, code) in [
        (200, json!({ "deny": {} }), "forbidden"),
        (200, json!({ "deny": {}, "user": "alice" }), "forbidden"),
        (200, json!({ "deny": true, "user": "alice" }), "forbidden"),
        (200, json!({ "deny": "because" }), "forbidden"),
        (401, json!(null), "unauthorized"),
        (401, json!("<html>"), "unauthorized"),
        (403, json!({ "code": 7 }), "forbidden"),
        (403, json!({ "deny": true }), "forbidden"),
    ] {
        let denial = denial(status, body.clone());
        assert_eq!(denial.code, code, "{body}");
        assert!(!denial.message.is_empty());
    }
}

#[test]
fn what_is_no_decision_denies_or_lets_pass_as_configured() {
    let answer = |status, body: &str| {
        Ok(Response {
            status,
            body: body.into(),
            ..Response::default()
        })
    };
    for answer in [
        Err(Error::Timeout),
        Err(Error::TooLarge),
        Err(Error::Failed("connection refused".into())),
        answer(500, "oops"),
        answer(404, "{}"),
        answer(302, ""),
        answer(201, r#"{"user":"alice"}"#),
        answer(200, ""),
        answer(200, "<html>"),
        answer(200, "[]"),
        answer(200, r#"{"user":{}}"#),
        answer(200, r#"{"user":"alice","rooms":"all"}"#),
        answer(200, r#"{"user":"alice"} x"#),
        // Nobody could revoke it by that.
        answer(200, &json!({ "token_id": "t".repeat(1025) }).to_string()),
    ] {
        let shown = format!("{answer:?}");
        let mut strict = policy(json!({ "retry_after": "2s" }));
        strict.answer_with(URL, answer.clone());
        let admission = strict.connect(json!({ "token": "hush" }));
        let denial = admission.denial().unwrap_or_else(|| panic!("{shown}"));
        assert_eq!(denial.code, "auth_unavailable", "{shown}");
        assert_eq!(denial.retry_after_ms, Some(2_000));
        let logs = strict.logs();
        assert!(
            logs[0]
                .1
                .starts_with("the back end did not decide, the client is denied: ")
        );
        assert!(
            logs.iter()
                .all(|(_, line)| !line.contains("hush") && !line.contains("alice"))
        );

        let mut lenient = policy(json!({ "on_unavailable": "allow" }));
        lenient.answer_with(URL, answer);
        assert_eq!(lenient.connect(json!({})), Admission::Pass, "{shown}");
        assert_eq!(lenient.logs().len(), 1, "it is in the log all the same");
    }
    let mut lenient = policy(json!({ "on_unavailable": "allow" }));
    lenient.answer(URL, 401, json!({}));
    assert!(
        lenient.connect(json!({})).denial().is_some(),
        "a denial is a decision"
    );
}

/// A client must not be able to bring about what is let pass.
#[test]
fn a_question_that_cannot_be_asked_admits_nobody() {
    let mut policy = policy(json!({ "on_unavailable": "allow" }));
    policy.answer(URL, 200, json!({ "user": "alice" }));
    let admission = policy.connect(json!({ "token": "x".repeat(70_000) }));
    assert_eq!(admission.denial().unwrap().code, "auth_too_large");
    assert!(policy.requests().is_empty());

    policy.answer_with(URL, Err(Error::Refused("the host is not listed".into())));
    let admission = policy.connect(json!({}));
    assert_eq!(admission.denial().unwrap().code, "auth_unavailable");
}
