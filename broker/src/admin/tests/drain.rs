//! The node is emptied.

use super::*;

fn drain(body: &str) -> Request<Body> {
    let mut request = post(body.to_owned());
    *request.uri_mut() = "/api/v1/drain".parse().unwrap();
    request
}

#[tokio::test]
async fn a_drain_is_as_the_request_says() {
    let node = Arc::<Fake>::default();
    let answer = ask(&node, None, get("/api/v1/drain")).await;
    assert_eq!(
        answer.json(),
        json!({"state": "serving", "total": 0, "closed": 0, "left": 0})
    );
    let answer = ask(&node, None, drain(r#"{"period": "2m", "exit": false}"#)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json()["period_seconds"], 120.0);
    assert_eq!(answer.json()["exit"], false);
    // Without a body it ends the process, over the period that is configured.
    let mut plain = drain("");
    plain.headers_mut().remove(header::CONTENT_TYPE);
    let answer = ask(&node, None, plain).await;
    assert_eq!(answer.json()["exit"], true);
    assert_eq!(answer.json().get("period_seconds"), None);
    let answer = ask(&node, None, drain(r#"{"exit": false}"#)).await;
    assert_eq!(answer.problem(), problem(409, "ending", None));
    let mut undo = get("/api/v1/drain");
    *undo.method_mut() = axum::http::Method::DELETE;
    let answer = ask(&node, None, undo).await;
    assert_eq!(answer.problem(), problem(409, "ending", None));
}

#[tokio::test]
async fn a_wrong_drain_does_nothing() {
    let node = Arc::<Fake>::default();
    for (body, status, code, field) in [
        ("{", 400, "malformed_json", None),
        ("[]", 422, "bad_field", None),
        (r#"{"perod": "1s"}"#, 422, "bad_field", Some("perod")),
        (r#"{"period": 5}"#, 422, "bad_field", Some("period")),
        (r#"{"period": "soon"}"#, 422, "bad_field", Some("period")),
        (r#"{"period": "30days"}"#, 422, "bad_field", Some("period")),
        (r#"{"exit": "no"}"#, 422, "bad_field", Some("exit")),
    ] {
        let answer = ask(&node, None, drain(body)).await;
        assert_eq!(answer.problem(), problem(status, code, field), "{body}");
    }
    assert_eq!(node.drained.lock().state, DrainState::Serving);
}
