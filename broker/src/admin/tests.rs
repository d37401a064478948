mod drain;
mod emit;
mod fake;
mod live;
mod openapi;
mod policies;
mod shown;
mod sockets;
mod state;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

use self::fake::Fake;
use super::auth::Auth;
use super::router::router;
use super::*;
use crate::backend::{
    Emit, EmitError, Emitted, Listed, NamespaceCensus, RoomFilter, RoomInfo, SocketFilter,
    SocketInfo, Steer, SteerError, Steered,
};
use crate::config::{self, Change, Secret};
use crate::drain::Ending;
use crate::record::{Busy, Recorder, Recording, Wanted};
use crate::state::{After, Filter, Shown};
use crate::tls::{Listener, Tls};

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The members of a problem that are for programs.
    fn problem(&self) -> (u16, String, Option<String>) {
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let problem = self.json();
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(problem["title"].is_string());
        assert!(problem["detail"].is_string());
        let text = |name: &str| problem[name].as_str().map(str::to_owned);
        (
            self.status.as_u16(),
            text("code").expect("a code"),
            text("field"),
        )
    }
}

fn auth(token: Option<&str>) -> Arc<Auth> {
    let admin = config::Admin {
        tls: None,
        listen: SocketAddr::from(([127, 0, 0, 1], 9090)),
        token: token.map(|token| Secret::new(token.to_owned())),
        tokens: Vec::new(),
        ui: None,
    };
    Arc::new(Auth::new(&admin, true))
}

async fn ask(node: &Arc<Fake>, token: Option<&str>, request: Request<Body>) -> Answer {
    let response = router(node.clone(), auth(token))
        .oneshot(request)
        .await
        .expect("infallible");
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("a body");
    assert_eq!(head.headers[header::CACHE_CONTROL], "no-store");
    Answer {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).expect("text"),
    }
}

fn get(path: &str) -> Request<Body> {
    Request::get(path)
        .header(header::HOST, "127.0.0.1:9090")
        .body(Body::empty())
        .expect("a request")
}

fn post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/api/v1/emit")
        .header(header::HOST, "127.0.0.1:9090")
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .body(body.into())
        .expect("a request")
}

fn problem(status: u16, code: &str, field: Option<&str>) -> (u16, String, Option<String>) {
    (status, code.to_owned(), field.map(str::to_owned))
}

#[tokio::test]
async fn probes_answer_without_a_token() {
    let node = Arc::<Fake>::default();
    let answer = ask(&node, Some("t"), get("/healthz")).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "ok"));
    let answer = ask(&node, Some("t"), get("/readyz")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), json!({"ready": true}));

    *node.reasons.lock() = vec![
        Reason {
            code: "policy_failed",
            policy: Some("x".to_owned()),
            message: "x.wasm: not a component".to_owned(),
        },
        Reason {
            code: "draining",
            policy: None,
            message: "shutting down".to_owned(),
        },
    ];
    let answer = ask(&node, Some("t"), get("/readyz")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(
        answer.json(),
        json!({"ready": false, "reasons": [
            {"code": "policy_failed", "policy": "x", "message": "x.wasm: not a component"},
            {"code": "draining", "message": "shutting down"},
        ]})
    );
    // On the public listener, without what is nobody's business.
    let (status, kind, body) = probe("/readyz", &*node).expect("a probe");
    assert_eq!((status, kind), (503, "application/json"));
    assert_eq!(
        serde_json::from_str::<Value>(&body).expect("JSON"),
        json!({"ready": false, "reasons": [
            {"code": "policy_failed", "policy": "x"},
            {"code": "draining"},
        ]})
    );
    assert_eq!(
        probe("/healthz", &*node).map(|(status, ..)| status),
        Some(200)
    );
    assert_eq!(probe("/metrics", &*node), None);
    // What waits for a restart makes nobody unready, and is not for everyone.
    node.reasons.lock().clear();
    node.waiting.lock().push(Change {
        key: "server.listen".to_owned(),
        old: Some("127.0.0.1:3000".to_owned()),
        new: None,
    });
    let answer = ask(&node, Some("t"), get("/readyz")).await;
    assert_eq!(answer.status, StatusCode::OK);
    let expected = json!({"ready": true, "restart_needed": ["server.listen"]});
    assert_eq!(answer.json(), expected);
    let (_, _, body) = probe("/readyz", &*node).unwrap();
    assert_eq!(body, r#"{"ready":true}"#);
}

#[tokio::test]
async fn a_node_whose_reactors_hang_is_not_healthy() {
    let node = Arc::<Fake>::default();
    *node.silent.lock() = vec![0, 3];
    let answer = ask(&node, Some("t"), get("/healthz")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(&*answer.body, "reactors that do not answer: 0, 3");
    let public = probe("/healthz", &*node).expect("a probe");
    assert_eq!((public.0, public.2), (503, answer.body));
}

#[tokio::test]
async fn everything_else_asks_for_the_token() {
    let node = Arc::<Fake>::default();
    for path in [
        "/metrics",
        "/api/v1/node",
        "/api/v1/policies",
        "/api/v1/emit",
        "/api/v1/live",
        "/api/v1/watch",
        "/page",
        "/x",
    ] {
        let answer = ask(&node, Some("t0ken"), get(path)).await;
        assert_eq!(answer.problem(), problem(401, "no_token", None), "{path}");
        assert_eq!(
            answer.headers[header::WWW_AUTHENTICATE],
            "Bearer realm=\"sluice\""
        );
    }
    let with = |token: &str| {
        let mut request = get("/api/v1/node");
        let value = format!("Bearer {token}").parse().expect("a header");
        request.headers_mut().insert(header::AUTHORIZATION, value);
        request
    };
    let answer = ask(&node, Some("t0ken"), with("t0kem")).await;
    assert_eq!(answer.problem(), problem(401, "wrong_token", None));
    assert!(!answer.body.contains("t0ke"));
    let answer = ask(&node, Some("t0ken"), with("t0ken")).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn without_a_token_pages_of_other_sites_are_refused() {
    let node = Arc::<Fake>::default();
    let mut request = post(r#"{"event":"x"}"#);
    let origin = "http://evil.example".parse().expect("a header");
    request.headers_mut().insert(header::ORIGIN, origin);
    let answer = ask(&node, None, request).await;
    assert_eq!(answer.problem(), problem(403, "foreign_origin", None));

    let mut request = get("/api/v1/node");
    let host = "evil.example:9090".parse().expect("a header");
    request.headers_mut().insert(header::HOST, host);
    let answer = ask(&node, None, request).await;
    assert_eq!(answer.problem(), problem(403, "foreign_host", None));

    let mut request = post(r#"{"event":"x"}"#);
    let form = "text/plain".parse().expect("a header");
    request.headers_mut().insert(header::CONTENT_TYPE, form);
    let answer = ask(&node, None, request).await;
    assert_eq!(answer.problem(), problem(415, "not_json", None));
    assert!(node.emitted.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_not_waited_for() {
    let body = futures_util::stream::pending::<Result<bytes::Bytes, std::convert::Infallible>>();
    let answer = ask(&Arc::default(), None, post(Body::from_stream(body))).await;
    assert_eq!(answer.problem(), problem(408, "timeout", None));
}

#[tokio::test]
async fn it_serves_and_stops() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let plain = Arc::new(Tls::new(Listener::Admin));
    let fake = Arc::<Fake>::default();
    let server = tokio::spawn(serve(listener, fake, auth(None), plain, async {
        let _ = stopped.await;
    }));
    let mut client = tokio::net::TcpStream::connect(address)
        .await
        .expect("a connection");
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("read");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    stop.send(()).expect("still serving");
    server.await.expect("it ends");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
