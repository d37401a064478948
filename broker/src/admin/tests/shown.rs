//! What the node says about itself: over the API, and as metrics.

use super::*;

#[tokio::test]
async fn the_node_and_its_policies_are_shown() {
    let node = Arc::<Fake>::default();
    let info = ask(&node, None, get("/api/v1/node")).await.json();
    assert_eq!(info["node"], "n1");
    assert_eq!(info["started"], "1970-01-01T00:00:00.000Z");
    assert_eq!(
        info["namespaces"],
        json!([{"path": "/", "connections": 3, "rooms": 1}])
    );
    assert_eq!(info["listen"]["server"], "127.0.0.1:3000");
    let policies = ask(&node, None, get("/api/v1/policies")).await.json();
    assert_eq!(
        policies,
        json!([
            {
                "name": "limits", "source": "configured", "mode": "enforce", "namespaces": ["/"],
                "version": "1.2.3",
                "contract": "0.2", "digest": "sha256:00",
                "signature": {"key_id": "E7620F1842B4E81F"}, "generation": 4, "hooks": ["event"],
                "since": "1970-01-01T00:00:00.000Z",
                "breaker": {
                    "state": "open", "since": "1970-01-01T00:00:00.000Z", "failures": 12,
                    "last_fault": "trap in event: asked to",
                    "retry_at": "1970-01-01T00:00:00.000Z",
                },
                "history": [{
                    "generation": 3, "version": "1.2.2", "digest": "sha256:ff",
                    "since": "1970-01-01T00:00:00.000Z", "ended": "replaced",
                }],
                "instances": 2, "memory_bytes": 3145728,
                "calls": {"event": {"verdicts": {"pass": 7}, "traps": {}, "p50_seconds": 0.5}},
            },
            {
                "name": "dropped", "source": "dropped-in", "mode": "enforce", "namespaces": [],
                "failed": {"reason": "not a component", "since": "1970-01-01T00:00:00.000Z"},
            },
        ])
    );
}

#[tokio::test]
async fn metrics_come_in_three_forms() {
    let node = Arc::<Fake>::default();
    let accept = |accept: &'static str| {
        let mut request = get("/metrics");
        let value = accept.parse().expect("a header");
        request.headers_mut().insert(header::ACCEPT, value);
        request
    };
    let answer = ask(&node, None, get("/metrics")).await;
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert!(
        answer
            .body
            .contains("# TYPE sluice_events_received_total counter\n")
    );
    let answer = ask(&node, None, accept("application/openmetrics-text")).await;
    assert!(answer.body.ends_with("# EOF\n"));
    assert!(
        answer
            .body
            .contains("sluice_policy_generation{policy=\"limits\"} 4\n")
    );
    assert!(
        answer
            .body
            .contains("sluice_policy_failed{policy=\"limits\"} 0\n")
    );
    assert!(
        answer
            .body
            .contains("sluice_policy_failed{policy=\"dropped\"} 1\n")
    );
    let numbers = ask(&node, None, accept("application/json")).await.json();
    assert_eq!(numbers["connections"], 3);
    assert_eq!(numbers["rooms"], 1);
    let time = numbers["timestamp"].as_str().expect("a time");
    assert!(humantime::parse_rfc3339(time).is_ok());
    assert!(numbers["events_received"].is_u64());
}
