//! Documents of made-up configurations. That they are valid by the standard's own schema is a scenario's business.

use std::path::Path;

use super::shapes::Shapes;
use super::*;
use crate::config::{Env, load};
use crate::pipeline::Pipeline;

fn document(toml: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sluice.toml");
    std::fs::write(&file, toml).unwrap();
    of(&file)
}

fn of(file: &Path) -> Value {
    let config = load(Some(file), Env::default()).unwrap().config;
    let pipelines = config.namespaces.iter().map(|namespace| Pipeline {
        namespace: namespace.clone(),
        steps: Vec::new(),
    });
    let pipelines = Pipelines::new(1, Vec::new(), pipelines.collect()).unwrap();
    asyncapi(&config, &pipelines)
}

/// Follows every reference in a document; answers how many there are.
fn references(value: &Value, document: &Value) -> usize {
    match value {
        Value::Object(map) => {
            let own = match map.get("$ref").and_then(Value::as_str) {
                Some(reference) => {
                    let pointer = reference.strip_prefix('#').expect("within the document");
                    assert!(
                        document.pointer(pointer).is_some(),
                        "{reference} leads nowhere"
                    );
                    1
                }
                None => 0,
            };
            own + map
                .values()
                .map(|it| references(it, document))
                .sum::<usize>()
        }
        Value::Array(items) => items.iter().map(|it| references(it, document)).sum(),
        _ => 0,
    }
}

const ROUTES: &str = r#"
    [cluster]
    name = "eu"
    nats_url = ["nats://a:4222", "tls://b"]
    [[namespace]]
    path = "/chat"
    denial_event = "refused"
    [[namespace.route]]
    event = "say"
    to = "all"
    as = "said"
    [[namespace.route]]
    event = "shout"
    to = "all"
    as = "said"
    batch = { max = 7 }
    [[namespace.route]]
    event = "who"
    action = "presence"
    room = "/0"
    [[namespace.route]]
    event = "order:*"
    action = "publish"
    [[namespace.route]]
    event = "ask me"
    action = "request"
    subject = "asks"
    [namespace.lifecycle]
    events = ["joined"]
    [[namespace]]
    path = "/org-{id}"
    [[namespace.route]]
    event = "*"
    action = "publish"
    batch = {}
"#;

#[test]
fn namespaces_are_channels_and_routes_operations() {
    let document = document(ROUTES);
    assert!(references(&document, &document) > 20, "{document:#}");
    let channels = document["channels"].as_object().unwrap();
    let addresses: Vec<_> = channels
        .values()
        .map(|it| it["address"].as_str().unwrap())
        .collect();
    let expected = [
        "/chat",
        "asks",
        "sluice.eu.event.=2Fchat.{event}",
        "sluice.eu.event.{namespace}.{event}",
        "sluice.eu.lifecycle.=2Fchat.joined",
        "/org-{id}",
    ];
    assert_eq!(addresses, expected, "{document:#}");
    let chat = &channels["chat"]["messages"];
    let names: Vec<_> = chat
        .as_object()
        .unwrap()
        .values()
        .map(|it| &it["name"])
        .collect();
    for name in [
        "say",
        "shout",
        "who",
        "order:*",
        "ask me",
        "said",
        "presence",
        "refused",
        "connect_error",
    ] {
        assert!(names.contains(&&json!(name)), "{name} is not in {chat:#}");
    }
    // Both routes tell others by one name: as an event, and as a batch of them.
    assert_eq!(
        chat["server.said"]["payload"]["anyOf"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let batch = &chat["server.said"]["payload"]["anyOf"][1]["items"][0];
    assert_eq!(batch["maxItems"], 7, "{batch}");
    assert_eq!(channels["org-_id"]["parameters"], json!({ "id": {} }));
    let operations = document["operations"].as_object().unwrap();
    let ask = &operations["chat.receive.ask_me"];
    assert_eq!(ask["action"], "receive");
    assert_eq!(
        ask["reply"]["messages"][0]["$ref"],
        "#/channels/chat/messages/ack_reply"
    );
    let replied = operations
        .values()
        .filter(|it| it["action"] == "send" && it.get("reply").is_some());
    assert_eq!(replied.count(), 1, "the subject that a back end replies on");
    assert_eq!(document["servers"]["nats"]["host"], "a:4222");
    assert_eq!(document["servers"]["nats-1"]["host"], "b");
}

#[test]
fn arguments_are_what_validate_declares() {
    let settings = json!({ "events": [
        {
            "event": "message",
            "args": [{ "type": "string", "non_empty": true, "max_length": 500, "escape": true }],
            "envelope": { "from": "by" },
        },
        {
            "event": "room:*",
            "args": [
                { "keys": {
                    "room": { "type": "string" },
                    "tags": { "items": { "type": ["integer", "null"] }, "optional": true, "max_items": 3 },
                }, "unknown_keys": "allow" },
                { "type": ["binary", "boolean"], "optional": true },
                { "min": 1.5 },
            ],
        },
        { "event": "loose", "min_args": 1 },
    ], "unknown_events": "deny" });
    let shapes = Shapes::new([&settings].into_iter());
    let message = shapes.arguments("message").unwrap();
    let text = json!({ "type": "string", "minLength": 1, "maxLength": 500 });
    assert_eq!(
        message.received,
        json!({ "type": "array", "items": [text], "minItems": 1, "maxItems": 1 })
    );
    let envelope = &message.delivered["items"][0];
    assert_eq!(envelope["properties"]["text"], text);
    assert_eq!(envelope["required"], json!(["by", "text", "timestamp"]));
    let room = shapes.arguments("room:join").unwrap().received;
    assert_eq!(
        room["items"],
        json!([
            {
                "type": "object",
                "required": ["room"],
                "properties": {
                    "room": { "type": "string" },
                    "tags": { "type": "array", "items": { "type": ["integer", "null"] }, "maxItems": 3 },
                },
                "additionalProperties": true,
            },
            { "anyOf": [
                { "type": "boolean" },
                { "title": "binary", "description": "An attachment, such as an ArrayBuffer." },
            ]},
            { "type": "number", "minimum": 1.5 },
        ])
    );
    assert_eq!(
        (&room["minItems"], &room["maxItems"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(
        shapes.arguments("loose").unwrap().received,
        json!({ "type": "array", "minItems": 1 })
    );
    assert!(shapes.arguments("other").is_none());
    assert!(Shapes::new(std::iter::empty()).arguments("other").is_some());
}

#[test]
fn operators_are_not_in_it() {
    let document = document(
        r#"
        [admin.ui]
        enabled = true
        username = "admin"
        password = "$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS"
        "#,
    );
    let channels = document["channels"].as_object().unwrap();
    assert_eq!(channels.keys().collect::<Vec<_>>(), ["root"]);
}

#[test]
fn yaml_says_the_same() {
    let document = document(ROUTES);
    let yaml = yaml(&document);
    let read = yaml_rust2::YamlLoader::load_from_str(&yaml).unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0]["asyncapi"].as_str(), Some("3.0.0"), "{yaml}");
    let addresses = document["channels"].as_object().unwrap().len();
    assert_eq!(read[0]["channels"].as_hash().unwrap().len(), addresses);
}
