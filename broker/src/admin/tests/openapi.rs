//! The document says what the router does, and answers are what it says.

use super::*;
use crate::admin::describe::PROBLEM;
use crate::admin::router::table;

fn document() -> Value {
    serde_json::from_str(&table().document).expect("JSON")
}

/// Every operation: its method, its path and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().expect("operations");
        operations
            .iter()
            .map(|(verb, said)| (verb.to_uppercase(), path.clone(), said.clone()))
    });
    each.collect()
}

/// Those whose answers end; the others, which go on for as long as somebody reads, are tested in `live`.
fn ending(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = operations(document);
    all.retain(|(_, path, _)| !["/api/v1/live", "/api/v1/watch"].contains(&path.as_str()));
    all
}

/// A request as the document has it: its example, with what has to be in the query.
fn request(method: &str, path: &str, said: &Value) -> Request<Body> {
    let required = |parameter: &&Value| parameter["in"] == "query" && parameter["required"] == true;
    let parameters = said["parameters"].as_array().into_iter().flatten();
    let query: Vec<_> = parameters
        .filter(required)
        .map(|it| match it["schema"]["type"].as_str() {
            Some("integer") => format!(
                "{}={}",
                it["name"].as_str().unwrap(),
                it["schema"]["minimum"]
            ),
            _ => format!("{}=x", it["name"].as_str().unwrap()),
        })
        .collect();
    let path = path.replace("{name}", "limits").replace("{id}", "abc");
    let body = &said["requestBody"]["content"];
    let (kind, body) = match &body["application/json"]["example"] {
        Value::Null => ("application/wasm", Body::from("module")),
        example => ("application/json", Body::from(example.to_string())),
    };
    Request::builder()
        .method(method)
        .uri(format!("{path}?{}", query.join("&")))
        .header(header::HOST, "127.0.0.1:9090")
        .header(header::CONTENT_TYPE, kind)
        .body(body)
        .expect("a request")
}

/// What is wrong with a value by the schema at this place of the document.
fn mistakes(document: &Value, at: &str, value: &Value) -> Option<String> {
    let mut compiler = boon::Compiler::new();
    compiler.set_default_draft(boon::Draft::V2020_12);
    compiler
        .add_resource("file:///openapi.json", document.clone())
        .expect("a document");
    let mut schemas = boon::Schemas::new();
    let schema = compiler
        .compile(&format!("file:///openapi.json#{at}"), &mut schemas)
        .unwrap_or_else(|error| panic!("{at}: {error:#}"));
    let checked = schemas.validate(value, schema);
    checked.err().map(|error| format!("{at}: {error}"))
}

/// The place of something in the document (RFC 6901).
fn pointer(pieces: &[&str]) -> String {
    let escaped = |piece: &&str| format!("/{}", piece.replace('~', "~0").replace('/', "~1"));
    pieces.iter().map(escaped).collect()
}

/// As a part of a URL.
fn place(pieces: &[&str]) -> String {
    let pointer = pointer(pieces);
    pointer.replace('{', "%7B").replace('}', "%7D")
}

#[tokio::test(start_paused = true)]
async fn every_route_answers_as_the_document_says() {
    let node = Arc::<Fake>::default();
    let document = document();
    for (method, path, said) in ending(&document) {
        let answer = ask(&node, None, request(&method, &path, &said)).await;
        let status = answer.status.as_u16().to_string();
        let code = answer.headers[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let what = format!("{method} {path}: {status} {code} {}", answer.body);
        assert!(
            ![
                "unknown_path",
                "wrong_method",
                "bad_field",
                "bad_query",
                "bad_parameter"
            ]
            .iter()
            .any(|word| answer.body.contains(word)),
            "{what}"
        );
        let verb = method.to_lowercase();
        let responses = &said["responses"];
        let of = match responses[&status].is_null() {
            true => "default",
            false => &*status,
        };
        let schema = [
            "paths",
            &path,
            &verb,
            "responses",
            of,
            "content",
            &code,
            "schema",
        ];
        assert!(document.pointer(&pointer(&schema)).is_some(), "{what}");
        if ["application/json", PROBLEM].contains(&&*code) {
            let mistakes = mistakes(&document, &place(&schema), &answer.json());
            assert_eq!(mistakes, None, "{what}");
        }
    }
}

#[tokio::test]
async fn nothing_is_served_that_the_document_does_not_have() {
    let node = Arc::<Fake>::default();
    let document = document();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            if operations.get(method.to_lowercase()).is_none() {
                let answer = ask(&node, None, request(method, path, &json!({}))).await;
                let code = answer.json()["code"].clone();
                // `{id}` stands for the word of another path too.
                assert_eq!(code, "wrong_method", "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn parameters_are_those_of_the_document() {
    let node = Arc::<Fake>::default();
    for (method, path, said) in ending(&document()) {
        let parameters = said["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|it| it["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let schema = &parameter["schema"];
            let value = match (&schema["enum"], &schema["minimum"]) {
                (Value::Array(words), _) => words[0].as_str().unwrap().to_owned(),
                (_, Value::Number(least)) => least.to_string(),
                _ if name == "subject" => "user:alice".to_owned(),
                _ => "x".to_owned(),
            };
            let mut request = request(&method, &path, &said);
            let uri = request.uri().to_string();
            if !uri.contains(&format!("{name}=")) {
                // One that goes with another.
                let with = if name == "percent" && method == "PUT" {
                    "&mode=canary"
                } else {
                    ""
                };
                *request.uri_mut() = format!("{uri}&{name}={value}{with}").parse().unwrap();
            }
            let answer = ask(&node, None, request).await;
            if name == "after" {
                // Only an answer says what is good for it.
                assert!(answer.body.contains("an earlier answer"), "{}", answer.body);
                continue;
            }
            assert!(
                !answer.body.contains("bad_parameter"),
                "{path} {name}: {}",
                answer.body
            );
            assert!(
                !answer.body.contains("bad_query"),
                "{path} {name}: {}",
                answer.body
            );
        }
    }
}

#[test]
fn examples_are_what_the_document_says() {
    let document = document();
    let mut count = 0;
    for (method, path, said) in operations(&document) {
        let example = &said["requestBody"]["content"]["application/json"]["example"];
        if example.is_null() {
            continue;
        }
        count += 1;
        let verb = method.to_lowercase();
        let schema = [
            "paths",
            &path,
            &verb,
            "requestBody",
            "content",
            "application/json",
            "schema",
        ];
        assert_eq!(
            mistakes(&document, &place(&schema), example),
            None,
            "{path}"
        );
        // The check would see a mistake.
        let wrong = json!({"no such field": 1});
        assert!(
            mistakes(&document, &place(&schema), &wrong).is_some(),
            "{path}"
        );
    }
    assert!(count > 4, "{count}");
}

#[test]
fn names_are_words_and_there_once() {
    let mut names: Vec<_> = operations(&document())
        .iter()
        .map(|(.., said)| said["operationId"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        names
            .iter()
            .all(|it| it.chars().all(|c| c.is_ascii_alphabetic()))
    );
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[tokio::test]
async fn only_the_probes_are_free() {
    let node = Arc::<Fake>::default();
    for (method, path, said) in operations(&document()) {
        let answer = ask(&node, Some("t"), request(&method, &path, &said)).await;
        let is_free = said["security"] == json!([]);
        assert_eq!(
            answer.status == StatusCode::UNAUTHORIZED,
            !is_free,
            "{path}"
        );
        assert_eq!(is_free, ["/healthz", "/readyz"].contains(&&*path), "{path}");
    }
}
