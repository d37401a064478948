//! What is told for as long as somebody listens, and the page that shows it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::BodyDataStream;
use futures_util::StreamExt;

use super::*;

/// A request whose answer does not end.
async fn open(router: &axum::Router, path: &str) -> BodyDataStream {
    let response = router.clone().oneshot(get(path)).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    response.into_body().into_data_stream()
}

async fn next(body: &mut BodyDataStream) -> String {
    let bytes = body.next().await.expect("not the end").expect("bytes");
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[tokio::test(start_paused = true)]
async fn all_who_watch_are_told_the_same_and_nobody_costs_nothing() {
    let node = Arc::<Fake>::default();
    let router = router(node.clone(), auth(None));
    let mut one = open(&router, "/api/v1/live").await;
    let first = next(&mut one).await;
    let mut other = open(&router, "/api/v1/live").await;
    assert_eq!(next(&mut other).await, first);
    let json = first.strip_prefix("data: ").expect("an event");
    assert!(json.ends_with("\n\n"));
    let moment: Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(moment["node"], "n1");
    assert_eq!(moment["connections"], 3);
    assert_eq!(moment["ready"], true);
    assert_eq!(moment["cluster"]["name"], "eu");
    assert_eq!(moment["policies"][0]["name"], "limits");
    assert_eq!(moment["denials"]["limits"], 0);
    assert!(moment.get("rates").is_none());
    let second = next(&mut one).await;
    assert_eq!(next(&mut other).await, second);
    let moment: Value = serde_json::from_str(&second["data: ".len()..]).expect("JSON");
    assert!(moment["rates"]["events_per_second"].is_number(), "{moment}");
    drop((one, other));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let infos = node.infos.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(node.infos.load(Ordering::Relaxed), infos);
    // And again, for whoever comes later.
    next(&mut open(&router, "/api/v1/live").await).await;
}

/// Who watched is to come again, and is told as if nothing had been.
#[tokio::test(start_paused = true)]
async fn a_look_that_fails_is_not_the_last() {
    let node = Arc::<Fake>::default();
    let router = router(node.clone(), auth(None));
    let mut before = open(&router, "/api/v1/live").await;
    next(&mut before).await;
    node.fails.store(true, Ordering::Relaxed);
    assert!(before.next().await.is_none(), "the end");
    let mut after = open(&router, "/api/v1/live").await;
    assert!(next(&mut after).await.starts_with("data: "));
}

#[tokio::test]
async fn so_many_may_watch_and_no_more() {
    let router = router(Arc::<Fake>::default(), auth(None));
    let mut all = Vec::new();
    for _ in 0..32 {
        all.push(open(&router, "/api/v1/live").await);
    }
    let response = router.clone().oneshot(get("/api/v1/live")).await;
    let response = response.expect("infallible");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[header::RETRY_AFTER], "10");
    all.pop();
    drop(open(&router, "/api/v1/live").await);
}

#[tokio::test(start_paused = true)]
async fn one_socket_is_watched_and_silence_is_told_too() {
    let node = Arc::<Fake>::default();
    let router = router(node.clone(), auth(None));
    let mut lines = open(&router, "/api/v1/watch?socket=s&namespace=/chat").await;
    assert_eq!(next(&mut lines).await, "\n");
    assert!(node.feed.is_on());
    assert_eq!(next(&mut lines).await, "\n");
    drop(lines);
    assert!(!node.feed.is_on());
    for (query, field) in [
        ("", None),
        ("?namespace=/", None),
        ("?socket=a&user=b", Some("user")),
        ("?socket=a&redact=none", Some("redact")),
        ("?room=a&namespace=/&namespace=/", Some("namespace")),
    ] {
        let answer = ask(&node, None, get(&format!("/api/v1/watch{query}"))).await;
        assert_eq!(
            answer.problem(),
            problem(400, "bad_parameter", field),
            "{query}"
        );
    }
}

#[tokio::test]
async fn the_page_is_for_everyone_and_runs_nothing_but_its_own() {
    let node = Arc::<Fake>::default();
    let index = ask(&node, Some("t"), get("/")).await;
    assert_eq!(index.status, StatusCode::OK);
    let mut files: Vec<_> = index
        .body
        .split(['"', '\''])
        .filter(|it| it.starts_with("page/"))
        .map(str::to_owned)
        .collect();
    assert!(files.len() >= 3, "{files:?}");
    let mut seen = Vec::new();
    while let Some(file) = files.pop() {
        if seen.contains(&file) {
            continue;
        }
        let answer = ask(&node, Some("t"), get(&format!("/{file}"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{file}");
        let policy = &answer.headers[header::CONTENT_SECURITY_POLICY];
        let policy = policy.to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
        assert!(!policy.contains("unsafe"));
        // What its scripts import is served too.
        let imports = answer.body.split("from \"./").skip(1);
        let imports = imports.filter_map(|rest| Some(format!("page/{}", rest.split('"').next()?)));
        files.extend(imports);
        seen.push(file);
    }
    assert!(seen.len() >= 10, "{seen:?}");
    // Neither names another host.
    assert!(!index.body.contains("//"), "{}", index.body);
}
