//! What operators ask over HTTP.

use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, Setup, http};

use crate::shared::{RELAY, clients, mark, websocket};

#[test]
fn a_lone_node_is_healthy_and_ready() {
    let broker = Broker::start("", &[]);
    assert_eq!(broker.get("/healthz").status, 200);
    assert_eq!(broker.get("/readyz").status, 200);
    // Not on the public listener, unless asked for.
    assert_eq!(
        http::request(broker.listen, "GET", "/healthz", &[], &[])
            .unwrap()
            .status,
        404
    );
    let broker = Broker::start("[server]\nprobes = true\n", &[]);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            http::request(broker.listen, "GET", path, &[], &[])
                .unwrap()
                .status,
            200,
            "{path}"
        );
    }
    assert_eq!(
        http::request(broker.listen, "GET", "/metrics", &[], &[])
            .unwrap()
            .status,
        404
    );
}

#[test]
fn metrics_come_as_prometheus_text_or_json() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    a.ok("join", json!(["r"]));
    for _ in 0..5 {
        a.ok("x", json!([1]));
        b.expect("x");
    }
    a.denied("join", json!([]));
    let response = broker.get("/metrics");
    assert!(
        response
            .header("content-type")
            .is_some_and(|kind| kind.contains("text")),
        "{response:?}"
    );
    let metrics = broker.metrics();
    assert_eq!(
        metrics.sum("sluice_connections", &[]),
        2.0,
        "{}",
        metrics.text()
    );
    assert_eq!(metrics.sum("sluice_rooms", &[]), 1.0);
    // Joins are events too; what is refused has been received all the same.
    assert_eq!(
        metrics.sum("sluice_events_received_total", &[]),
        7.0,
        "{}",
        metrics.text()
    );
    assert_eq!(
        metrics.sum("sluice_deliveries_total", &[]),
        5.0,
        "{}",
        metrics.text()
    );

    let headers = [("Accept", "application/json")];
    let response = http::request(broker.admin(), "GET", "/metrics", &headers, &[]).unwrap();
    assert!(
        response
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/json")),
        "{response:?}"
    );
    let numbers = response.json();
    assert_eq!(numbers["connections"], 2, "{numbers}");
    assert_eq!(numbers["rooms"], 1, "{numbers}");
    assert!(!numbers["timestamp"].is_null(), "{numbers}");
}

#[test]
fn the_node_and_its_policies_describe_themselves() {
    let config = "[[policy]]\nname = \"fixture-stamp\"\n";
    let broker = Broker::start(config, &["fixture-stamp"]);
    let node = broker.get("/api/v1/node").json();
    let name = broker.ready["node"].as_str().expect("a node name");
    assert!(node.to_string().contains(name), "{node}");
    assert!(
        node.to_string().contains(env!("CARGO_PKG_VERSION")),
        "the version: {node}"
    );
    let policy = broker.policy("fixture-stamp");
    assert!(policy["version"].is_string(), "{policy}");
    assert_eq!(policy["generation"], 1, "{policy}");
}

#[test]
fn an_event_can_be_emitted_to_all_or_to_rooms() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let [a, b, c] = clients(&node, &broker, ["a", "b", "c"]);
    a.ok("join", json!(["one"]));
    b.ok("join", json!(["one"]));
    b.ok("join", json!(["two"]));
    let args = json!(["text", {"n": 1}, null]);
    let emit = |extra: Value| {
        let mut body = json!({"namespace": "/", "event": "news", "args": args});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        broker.post("/api/v1/emit", &body)
    };
    let expect = |response: http::Response, receivers: &[&sluice_tests::Client]| {
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(
            response.json()["deliveries"],
            receivers.len(),
            "{response:?}"
        );
        for receiver in receivers {
            assert_eq!(
                Value::Array(receiver.expect("news")),
                args,
                "{}",
                receiver.name
            );
        }
        mark(&a, &[&a, &b, &c]);
    };
    expect(emit(json!({})), &[&a, &b, &c]);
    expect(emit(json!({"rooms": ["one"]})), &[&a, &b]);
    // In both rooms, told once.
    expect(emit(json!({"rooms": ["one", "two"]})), &[&a, &b]);
    expect(emit(json!({"rooms": ["one"], "except": ["two"]})), &[&a]);
    expect(emit(json!({"except": ["one"]})), &[&c]);
    expect(emit(json!({"rooms": ["nowhere"]})), &[]);
}

#[test]
fn a_wrong_request_is_answered_as_a_problem() {
    let broker = Broker::start(RELAY, &[]);
    let problem = |response: http::Response, status: u16| {
        assert_eq!(response.status, status, "{response:?}");
        let kind = response.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/problem+json"), "{response:?}");
        let body = response.json();
        assert_eq!(body["status"], status, "{body}");
        assert!(body["title"].is_string(), "{body}");
    };
    let emit = |body: &[u8]| {
        let headers = [("Content-Type", "application/json")];
        http::request(broker.admin(), "POST", "/api/v1/emit", &headers, body).unwrap()
    };
    problem(emit(b"{"), 400);
    for (body, status) in [
        (json!({}), 422),
        (json!({"namespace": "/", "event": 5, "args": []}), 422),
        (json!({"namespace": "/", "event": "x", "args": {}}), 422),
        (
            json!({"namespace": "/", "event": "disconnect", "args": []}),
            422,
        ),
        (
            json!({"namespace": "/", "event": "x", "args": [], "romos": ["typo"]}),
            422,
        ),
        // A list that came out empty by mistake must not reach everyone.
        (
            json!({"namespace": "/", "event": "x", "args": [], "rooms": []}),
            422,
        ),
        (
            json!({"namespace": "/nowhere", "event": "x", "args": []}),
            404,
        ),
    ] {
        problem(emit(body.to_string().as_bytes()), status);
    }
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let form = http::request(broker.admin(), "POST", "/api/v1/emit", &form, b"event=x").unwrap();
    problem(form, 415);
    problem(broker.get("/api/v1/nothing-of-the-kind"), 404);
    problem(broker.delete("/api/v1/emit"), 405);
}

#[test]
fn a_configured_token_is_asked_for() {
    const TOKEN: &str = "open-sesame-open-sesame";
    let broker = Setup::new("[admin]\ntoken = \"${ADMIN_TOKEN}\"\n")
        .env("ADMIN_TOKEN", TOKEN)
        .start();
    let ask = |method: &str, path: &str, token: Option<&str>| {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer
            .iter()
            .map(|value| ("Authorization", value.as_str()))
            .collect();
        http::request(broker.admin(), method, path, &headers, &[]).unwrap()
    };
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            ask("GET", path, None).status,
            200,
            "a probe has no token: {path}"
        );
    }
    for (method, path) in [
        ("GET", "/metrics"),
        ("GET", "/api/v1/node"),
        ("GET", "/api/v1/policies"),
        ("PUT", "/api/v1/policies/p"),
        ("POST", "/api/v1/policies/p/rollback"),
        ("POST", "/api/v1/policies/reload"),
        ("POST", "/api/v1/emit"),
    ] {
        for wrong in [None, Some("guess"), Some(""), Some(&TOKEN[1..])] {
            let response = ask(method, path, wrong);
            assert_eq!(
                response.status, 401,
                "{method} {path} with {wrong:?}: {response:?}"
            );
            assert!(
                response.header("www-authenticate").is_some(),
                "{response:?}"
            );
        }
        assert_ne!(
            ask(method, path, Some(TOKEN)).status,
            401,
            "{method} {path}"
        );
    }
}

/// Without a token, only a loopback listener starts.
#[test]
fn an_open_admin_listener_needs_a_token() {
    let exited = Setup::new("")
        .env("SLUICE_ADMIN__LISTEN", "0.0.0.0:0")
        .run(&["run", "--config", "sluice.toml"]);
    assert_eq!(exited.code, Some(78), "{exited:?}");
    assert!(exited.stderr.contains("admin.listen"), "{exited:?}");
}

/// Events from operators and from clients reach a polling client like any other.
#[test]
fn operators_reach_polling_clients() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let poll = node.connect(
        "poll",
        &broker.url("/"),
        &json!({"transports": ["polling"]}),
    );
    let web = node.connect("web", &broker.url("/"), &websocket());
    broker.emit("/", &[], "hello", &json!(["you"]));
    for client in [&poll, &web] {
        assert_eq!(client.expect("hello"), [json!("you")]);
    }
}
