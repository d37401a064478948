//! `/api/v1/policies/{name}/state`.

use super::*;
use crate::state::{Filter, ShownBucket, ShownEntry, ShownScope};

const STATE: &str = "/api/v1/policies/limits/state";

pub(super) fn shown() -> Shown {
    Shown {
        matched: 7,
        next: None,
        buckets: vec![ShownBucket {
            bucket: "user:*".into(),
            subject: "user:alice".to_owned(),
            scope: ShownScope::Node,
            remaining: 3,
            recovers_ms: Some(2500),
        }],
        entries: vec![ShownEntry {
            key: "raw".to_owned(),
            scope: ShownScope::Cluster,
            kind: "value",
            bytes: 9,
            ttl_ms: None,
            value: None,
        }],
    }
}

async fn request(node: &Arc<Fake>, method: &str, path: &str) -> Answer {
    let mut request = get(path);
    *request.method_mut() = method.parse().expect("a method");
    ask(node, None, request).await
}

fn filter(prefix: &str, subject: Option<&str>) -> Filter {
    Filter {
        prefix: prefix.to_owned(),
        subject: subject.map(|subject| subject.parse().expect("a subject")),
    }
}

#[tokio::test]
async fn a_state_is_shown_and_cleared() {
    let node = Arc::<Fake>::default();
    let answer = request(&node, "GET", STATE).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.json(),
        json!({
            "matched": 7,
            "buckets": [{"bucket": "user:*", "subject": "user:alice", "scope": "node", "remaining": 3, "recovers_ms": 2500}],
            "entries": [{"key": "raw", "scope": "cluster", "kind": "value", "bytes": 9, "ttl_ms": null, "value": null}],
        })
    );
    let answer = request(&node, "DELETE", STATE).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), json!({"removed": 7}));
    for (method, query) in [
        ("GET", "?prefix=&subject=user:alice&limit=5"),
        ("DELETE", "?prefix=a%20b&subject=address:%3A%3A1"),
        ("DELETE", "?prefix=&subject=global"),
    ] {
        let answer = request(&node, method, &format!("{STATE}{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
    }
    assert_eq!(
        *node.asked.lock(),
        [
            (Filter::default(), Some(100)),
            (Filter::default(), None),
            (filter("", Some("user:alice")), Some(5)),
            (filter("a b", Some("address:::1")), None),
            (filter("", Some("global")), None),
        ]
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_request_for_state_is_named() {
    let node = Arc::<Fake>::default();
    for (method, query, field) in [
        ("GET", "?limit=0", "limit"),
        ("GET", "?limit=10001", "limit"),
        ("GET", "?limit=many", "limit"),
        ("GET", "?subject=alice", "subject"),
        ("GET", "?subject=", "subject"),
        ("GET", "?prefix=a&prefix=b", "prefix"),
        // A misspelt parameter must not clear everything, and neither must an empty one.
        ("DELETE", "?prefx=a", "prefx"),
        ("DELETE", "?prefix=", "prefix"),
        ("DELETE", "?limit=5", "limit"),
    ] {
        let answer = request(&node, method, &format!("{STATE}{query}")).await;
        let expected = (400, "bad_parameter".to_owned(), Some(field.to_owned()));
        assert_eq!(answer.problem(), expected, "{method} {query}");
    }
    assert!(node.asked.lock().is_empty());
}

#[tokio::test]
async fn a_policy_that_is_unknown_has_no_state() {
    let node = Arc::<Fake>::default();
    for method in ["GET", "DELETE"] {
        for name in ["nobody", "%ff"] {
            let path = format!("/api/v1/policies/{name}/state");
            let answer = request(&node, method, &path).await;
            assert_eq!(
                answer.problem(),
                (404, "unknown_policy".to_owned(), None),
                "{method} {name}"
            );
        }
    }
    let answer = request(&node, "POST", STATE).await;
    assert_eq!(answer.problem().0, 405);
}

#[tokio::test]
async fn state_is_for_those_with_the_token() {
    let node = Arc::<Fake>::default();
    for method in ["GET", "DELETE"] {
        let mut request = get(STATE);
        *request.method_mut() = method.parse().expect("a method");
        assert_eq!(ask(&node, Some("secret"), request).await.problem().0, 401);
    }
    assert!(node.asked.lock().is_empty());
}
