//! `POST /api/v1/emit`, and what is wrong with requests in general.

use super::*;
use crate::admin::router::MAX_BODY;

async fn emit(body: Value) -> Answer {
    ask(&Arc::default(), None, post(body.to_string())).await
}

fn plain(event: &str) -> Emit {
    Emit {
        namespace: "/".to_owned(),
        rooms: vec![],
        users: vec![],
        except: vec![],
        event: event.into(),
        args: "[]".into(),
        attachments: Arc::new([]),
        volatile: false,
        ack: None,
        id: None,
    }
}

#[tokio::test]
async fn an_event_is_handed_on_as_it_came() {
    let node = Arc::<Fake>::default();
    let body = r#"{"namespace":"/chat","rooms":["a","b"],"except":["c"],"event":"caf\u00e9","args":[1e400,"\ud800", {}]}"#;
    let answer = ask(&node, None, post(body)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), json!({"deliveries": 2}));
    let answer = ask(&node, None, post(r#" {"event":""} "#)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        *node.emitted.lock(),
        [
            Emit {
                namespace: "/chat".to_owned(),
                rooms: vec!["a".to_owned(), "b".to_owned()],
                except: vec!["c".to_owned()],
                args: r#"[1e400,"\ud800", {}]"#.into(),
                ..plain("café")
            },
            plain(""),
        ]
    );
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_named() {
    for (body, code, field) in [
        (json!({}), "bad_field", Some("event")),
        (
            json!({"event": "x", "room": "a"}),
            "bad_field",
            Some("room"),
        ),
        (json!({"event": 5}), "bad_field", Some("event")),
        (
            json!({"event": "x", "rooms": "a"}),
            "bad_field",
            Some("rooms"),
        ),
        (
            json!({"event": "x", "rooms": ["a", 5]}),
            "bad_field",
            Some("rooms[1]"),
        ),
        (
            json!({"event": "x", "rooms": []}),
            "no_rooms",
            Some("rooms"),
        ),
        (
            json!({"event": "x", "except": {}}),
            "bad_field",
            Some("except"),
        ),
        (
            json!({"event": "x", "namespace": 1}),
            "bad_field",
            Some("namespace"),
        ),
        (json!({"event": "x", "args": {}}), "bad_args", Some("args")),
        (
            json!({"event": "x", "args": "[]"}),
            "bad_args",
            Some("args"),
        ),
        (
            json!({"event": "disconnect"}),
            "reserved_event",
            Some("event"),
        ),
        (json!("x"), "bad_field", None),
    ] {
        let answer = emit(body.clone()).await;
        let (status, got, at) = answer.problem();
        assert_eq!(
            (status, &*got, at.as_deref()),
            (422, code, field),
            "{body}: {}",
            answer.body
        );
    }
    let answer = emit(json!({"event": "x", "namespace": "/nowhere"})).await;
    assert_eq!(
        answer.problem(),
        problem(404, "unknown_namespace", Some("namespace"))
    );
    let answer = emit(json!({"event": "x", "namespace": "/late"})).await;
    assert_eq!(answer.problem(), problem(503, "draining", None));
    let deep = format!(
        "{{\"event\":\"x\",\"args\":{}{}}}",
        "[".repeat(200),
        "]".repeat(200)
    );
    let answer = ask(&Arc::default(), None, post(deep)).await;
    assert_eq!(answer.problem(), problem(422, "bad_args", Some("args")));
}

#[tokio::test]
async fn what_is_no_request_is_a_problem_too() {
    let node = Arc::<Fake>::default();
    for body in [
        "",
        "{",
        "{\"event\":\"x\"} 1",
        "{\"event\":\"\u{1}\"}",
        "{\"event\":\"x\",}",
    ] {
        let answer = ask(&node, None, post(body)).await;
        assert_eq!(
            answer.problem(),
            problem(400, "malformed_json", None),
            "{body}"
        );
    }
    let answer = ask(&node, None, post(b"{\"event\":\"\xff\"}".to_vec())).await;
    assert_eq!(answer.problem(), problem(400, "malformed_json", None));
    let answer = ask(&node, None, post(" ".repeat(MAX_BODY + 1))).await;
    assert_eq!(answer.problem(), problem(413, "too_large", None));
    let answer = ask(&node, None, get("/api/v2/node")).await;
    assert_eq!(answer.problem(), problem(404, "unknown_path", None));
    let answer = ask(&node, None, get("/api/v1/emit")).await;
    assert_eq!(answer.problem(), problem(405, "wrong_method", None));
    assert_eq!(answer.headers[header::ALLOW], "POST");
    let mut request = get("/healthz");
    *request.method_mut() = axum::http::Method::DELETE;
    let answer = ask(&node, None, request).await;
    assert_eq!(answer.problem(), problem(405, "wrong_method", None));
    assert!(node.emitted.lock().is_empty());
}

#[tokio::test]
async fn a_batch_has_a_result_for_each_of_its_events() {
    let node = Arc::<Fake>::default();
    let body = json!([
        {"event": "a"},
        {"event": "b", "rooms": []},
        {"event": "c", "namespace": "/nowhere"},
        {"event": "d", "id": "mine"},
    ]);
    let mut request = post(body.to_string());
    let headers = request.headers_mut();
    headers.insert("idempotency-key", "k".parse().unwrap());
    let answer = ask(&node, None, request).await;
    assert_eq!(answer.status, StatusCode::OK);
    let results = answer.json()["results"].clone();
    assert_eq!(results[0], json!({"deliveries": 2}));
    assert_eq!(results[1]["code"], "no_rooms");
    assert_eq!(results[1]["status"], 422);
    assert_eq!(results[2]["code"], "unknown_namespace");
    assert_eq!(results[3], json!({"deliveries": 2}));
    let emitted = node.emitted.lock();
    let keys = emitted.iter().map(|emit| emit.id.as_deref());
    assert_eq!(keys.collect::<Vec<_>>(), [Some("k[0]"), Some("mine")]);
}

#[tokio::test]
async fn a_key_may_stand_in_a_header() {
    let node = Arc::<Fake>::default();
    for (key, is_one) in [("k", true), ("", false), (&*"k".repeat(129), false)] {
        let mut request = post(r#"{"event":"x"}"#);
        let headers = request.headers_mut();
        headers.insert("idempotency-key", key.parse().unwrap());
        let answer = ask(&node, None, request).await;
        assert_eq!(answer.status.is_success(), is_one, "{key}");
    }
    assert_eq!(node.emitted.lock()[0].id.as_deref(), Some("k"));
}
