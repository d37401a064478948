//! The API's own description, held against what the node answers; and what no client of it sends.

use boon::{Compiler, Draft, Schemas};
use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, http};

use crate::shared::{RELAY, clients};

/// What is wrong with a value by the schema at a place of the document.
fn mistake(document: &Value, pointer: &str, value: &Value) -> Option<String> {
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    compiler
        .add_resource("file:///openapi.json", document.clone())
        .unwrap();
    let mut schemas = Schemas::new();
    let pointer = pointer.replace('{', "%7B").replace('}', "%7D");
    let schema = compiler
        .compile(&format!("file:///openapi.json#{pointer}"), &mut schemas)
        .unwrap();
    schemas
        .validate(value, schema)
        .err()
        .map(|error| error.to_string())
}

/// Everything that can be looked at, with something there to see.
#[test]
fn the_node_answers_as_its_document_says() {
    let node = Driver::node();
    let config = format!(
        "[[policy]]\nname = \"rate-limit\"\nconfig = {{ limit = \"1000 per minute\" }}\n{RELAY}"
    );
    let broker = Broker::start(&config, &["rate-limit"]);
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    a.ok("join", json!(["r"]));
    b.ok("join", json!(["r"]));
    a.ok("x", json!([1]));
    b.expect("x");
    let document = broker.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut seen = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(get) = operations.get("get") else {
            continue;
        };
        // Those that go on for as long as somebody reads have tests of their own.
        let content = &get["responses"]["200"]["content"];
        let endless = ["text/event-stream", "application/x-ndjson"];
        if endless.iter().any(|it| content.get(it).is_some()) {
            continue;
        }
        let at = path.replace("{name}", "rate-limit").replace("{id}", &a.sid);
        let query = match &**path {
            "/api/v1/presence" => "?room=r",
            _ => "",
        };
        let headers = [("Accept", "application/json")];
        let answer = http::request(
            broker.admin(),
            "GET",
            &format!("{at}{query}"),
            &headers,
            &[],
        )
        .unwrap();
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        // A node that is alone rolls nothing out.
        let expected = if path.contains("cluster/policies") {
            404
        } else {
            200
        };
        assert_eq!(answer.status, expected, "{path}: {answer:?}");
        let escaped = path.replace('/', "~1");
        let kind = kind.replace('/', "~1");
        let pointer = format!(
            "/paths/{escaped}/get/responses/{}/content/{kind}",
            answer.status
        );
        assert!(document.pointer(&pointer).is_some(), "{pointer}");
        if kind.ends_with("json") {
            let mistake = mistake(&document, &format!("{pointer}/schema"), &answer.json());
            assert_eq!(mistake, None, "{path}: {}", answer.text());
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn hostile_requests_are_refused_and_change_nothing() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let [a] = clients(&node, &broker, ["a"]);
    let json = [("Content-Type", "application/json")];
    let ask = |method: &str, path: &str, body: &[u8]| {
        http::request(broker.admin(), method, path, &json, body).unwrap()
    };
    let big = vec![b' '; (1 << 20) + 1];
    let deep = "[".repeat(100_000);
    for (method, path, body, status) in [
        ("POST", "/api/v1/drain", &b"{"[..], 400),
        ("POST", "/api/v1/drain", b"{\"exit\":false}{}", 400),
        ("POST", "/api/v1/drain", b"{\"exit\":\"\"}", 422),
        ("POST", "/api/v1/drain", b"{\"period\":\"-1s\"}", 422),
        ("POST", "/api/v1/drain", b"{\"stay\":true}", 422),
        ("POST", "/api/v1/drain", &big, 413),
        ("POST", "/api/v1/drain", deep.as_bytes(), 422),
        ("PUT", "/api/v1/drain", b"{}", 405),
        ("PATCH", "/api/v1/config", b"{}", 405),
        ("POST", "/openapi.json", b"{}", 405),
        ("POST", "/api/v1/sockets/disconnect", &big, 413),
        (
            "POST",
            "/api/v1/sockets/disconnect",
            b"{\"user\":[\"a\"]}",
            422,
        ),
        ("POST", "/api/v1/sockets/disconnect", b"{\"users\":[]}", 422),
        ("POST", "/api/v1/../v1/drain", b"{}", 404),
        ("POST", "/api/v1/drain/", b"{}", 404),
        ("GET", "/api/v1/sockets/%00", b"", 404),
    ] {
        let response = ask(method, path, body);
        let body = String::from_utf8_lossy(&body[..body.len().min(30)]);
        assert_eq!(
            response.status, status,
            "{method} {path} {body}: {response:?}"
        );
        let kind = response.header("content-type").unwrap_or_default();
        assert_eq!(kind, "application/problem+json", "{method} {path}");
    }
    let form = [("Content-Type", "text/plain")];
    let form = http::request(broker.admin(), "POST", "/api/v1/drain", &form, b"{}").unwrap();
    assert_eq!(form.status, 415);
    assert_eq!(broker.get("/readyz").status, 200);
    assert_eq!(broker.get("/api/v1/drain").json()["state"], "serving");
    a.ok("x", json!([]));
}
