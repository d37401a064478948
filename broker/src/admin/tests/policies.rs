//! Requests that change policies: what they ask for, and what is answered.

use super::*;

/// What the node answers: each kind of refusal is the name of a policy.
pub(super) fn answer(change: &PolicyChange) -> Result<PolicyChanged, PolicyRefusal> {
    let policy = match change {
        PolicyChange::Reload { policy: None } => {
            return Ok(PolicyChanged {
                changed: false,
                policy: None,
            });
        }
        PolicyChange::Reload {
            policy: Some(policy),
        }
        | PolicyChange::Upload { policy, .. }
        | PolicyChange::Promote { policy }
        | PolicyChange::SetPercent { policy, .. }
        | PolicyChange::RollBack { policy, .. } => &**policy,
    };
    let kind = match policy {
        "limits" => {
            return Ok(PolicyChanged {
                changed: true,
                policy: Some(ChangedPolicy {
                    generation: 5,
                    version: "1.2.4".to_owned(),
                    digest: "sha256:01".to_owned(),
                    persisted: false,
                    not_persisted: Some("it is a link".to_owned()),
                }),
            });
        }
        "nobody" => RefusalKind::UnknownPolicy,
        "no-generation" => RefusalKind::UnknownGeneration,
        "first" => RefusalKind::Conflict,
        "bad" => RefusalKind::Refused,
        "unsigned" => RefusalKind::Untrusted,
        "broken" => RefusalKind::ReloadFailed,
        "busy" => RefusalKind::Busy,
        "slow" => RefusalKind::TimedOut,
        _ => RefusalKind::Stopped,
    };
    Err(PolicyRefusal {
        kind,
        detail: "why".to_owned(),
    })
}

fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "127.0.0.1:9090")
        .body(body.into())
        .expect("a request")
}

async fn post(path: &str) -> (Arc<Fake>, Answer) {
    let node = Arc::<Fake>::default();
    let answer = ask(&node, None, request("POST", path, Body::empty())).await;
    (node, answer)
}

#[tokio::test]
async fn one_policy_is_shown() {
    let node = Arc::<Fake>::default();
    let all = ask(&node, None, get("/api/v1/policies")).await.json();
    let one = ask(&node, None, get("/api/v1/policies/limits")).await;
    assert_eq!(one.json(), all[0]);
    let none = ask(&node, None, get("/api/v1/policies/other")).await;
    assert_eq!(none.problem(), problem(404, "unknown_policy", None));
}

#[tokio::test]
async fn a_module_is_taken_as_it_is() {
    let node = Arc::<Fake>::default();
    // Larger than any other body may be.
    let module = vec![7; 2 << 20];
    let mut upload = request("PUT", "/api/v1/policies/limits", module.clone());
    let signature = "bGluZXM=".parse().expect("a header");
    upload.headers_mut().insert("sluice-signature", signature);
    let answer = ask(&node, None, upload).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.json(),
        json!({
            "changed": true, "generation": 5, "version": "1.2.4", "digest": "sha256:01",
            "persisted": false, "not_persisted": "it is a link",
        })
    );
    let upload = PolicyChange::Upload {
        policy: "limits".to_owned(),
        module: module.into(),
        signature: Some("lines".to_owned()),
        mode: UploadMode::Enforce,
    };
    assert_eq!(*node.changes.lock(), [upload]);
}

#[tokio::test]
async fn an_upload_that_is_not_understood_changes_nothing() {
    let node = Arc::<Fake>::default();
    let mut signed = request("PUT", "/api/v1/policies/limits", "x");
    let signature = "not base64!".parse().expect("a header");
    signed.headers_mut().insert("sluice-signature", signature);
    let answer = ask(&node, None, signed).await;
    assert_eq!(answer.problem(), problem(422, "bad_signature", None));
    let large = vec![7; (64 << 20) + 1];
    let answer = ask(
        &node,
        None,
        request("PUT", "/api/v1/policies/limits", large),
    )
    .await;
    assert_eq!(answer.problem(), problem(413, "too_large", None));
    let odd = request("PUT", "/api/v1/policies/limits?force=1", "x");
    let answer = ask(&node, None, odd).await;
    assert_eq!(answer.problem(), problem(422, "bad_query", Some("force")));
    assert!(node.changes.lock().is_empty());
}

#[tokio::test]
async fn a_generation_is_named_or_not() {
    for (query, generation) in [("", None), ("?generation=3", Some(3))] {
        let (node, answer) = post(&format!("/api/v1/policies/limits/rollback{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let policy = "limits".to_owned();
        let wanted = PolicyChange::RollBack { policy, generation };
        assert_eq!(*node.changes.lock(), [wanted]);
    }
    for query in ["generation=x", "generation=1&generation=2", "generations=1"] {
        let (node, answer) = post(&format!("/api/v1/policies/limits/rollback?{query}")).await;
        let (status, code, _) = answer.problem();
        assert_eq!((status, &*code), (422, "bad_query"), "{query}");
        assert!(node.changes.lock().is_empty());
    }
}

#[tokio::test]
async fn a_module_may_be_put_on_trial() {
    let upload = async |query: &str| {
        let node = Arc::<Fake>::default();
        let path = format!("/api/v1/policies/limits?{query}");
        let answer = ask(&node, None, request("PUT", &path, "x")).await;
        let mode = node.changes.lock().pop().map(|change| match change {
            PolicyChange::Upload { mode, .. } => mode,
            other => panic!("{other:?}"),
        });
        mode.ok_or_else(|| answer.problem())
    };
    assert_eq!(upload("mode=enforce").await, Ok(UploadMode::Enforce));
    assert_eq!(upload("mode=shadow").await, Ok(UploadMode::Shadow));
    assert_eq!(
        upload("mode=canary&percent=7").await,
        Ok(UploadMode::Canary(7))
    );
    for (query, field) in [
        ("mode=other", "mode"),
        ("percent=7", "percent"),
        ("mode=canary", "percent"),
        ("mode=canary&percent=0", "percent"),
        ("mode=canary&percent=101", "percent"),
    ] {
        let wrong = problem(422, "bad_query", Some(field));
        assert_eq!(upload(query).await, Err(wrong), "{query}");
    }
    let (node, _) = post("/api/v1/policies/limits/promote").await;
    let policy = "limits".to_owned();
    assert_eq!(*node.changes.lock(), [PolicyChange::Promote { policy }]);
    let (node, _) = post("/api/v1/policies/limits/candidate?percent=50").await;
    let (policy, percent) = ("limits".to_owned(), 50);
    let wanted = PolicyChange::SetPercent { policy, percent };
    assert_eq!(*node.changes.lock(), [wanted]);
}

#[tokio::test]
async fn one_or_all_are_reloaded() {
    let (node, answer) = post("/api/v1/policies/reload").await;
    assert_eq!(answer.json(), json!({"changed": false}));
    let all = PolicyChange::Reload { policy: None };
    assert_eq!(*node.changes.lock(), [all]);
    let (node, answer) = post("/api/v1/policies/limits/reload").await;
    assert_eq!(answer.json()["generation"], 5);
    let policy = Some("limits".to_owned());
    assert_eq!(*node.changes.lock(), [PolicyChange::Reload { policy }]);
}

#[tokio::test]
async fn a_refusal_says_what_kind_it_is() {
    for (policy, status, code) in [
        ("nobody", 404, "unknown_policy"),
        ("no-generation", 404, "unknown_generation"),
        ("first", 409, "nothing_to_change"),
        ("bad", 422, "policy_refused"),
        ("unsigned", 403, "untrusted_module"),
        ("broken", 422, "reload_failed"),
        ("busy", 503, "busy"),
        ("slow", 504, "timeout"),
        ("ended", 503, "stopped"),
    ] {
        let (_, answer) = post(&format!("/api/v1/policies/{policy}/rollback")).await;
        assert_eq!(answer.problem(), problem(status, code, None), "{policy}");
        let again = answer.headers.contains_key(header::RETRY_AFTER);
        assert_eq!(again, policy == "busy", "{policy}");
    }
}
