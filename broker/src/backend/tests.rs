use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::emit::Wait;
use super::*;

fn one(body: &serde_json::Value) -> Result<Emit, Mistake> {
    match read(body.to_string().as_bytes(), None)? {
        Request::One(emit) => Ok(emit),
        Request::Batch(_) => panic!("it is one"),
    }
}

#[test]
fn whoever_is_meant_is_named() {
    let emit = one(&json!({
        "namespace": "/chat", "rooms": ["a"], "users": ["u"], "except": ["b"], "event": "e",
        "args": [1], "volatile": true, "id": "k",
    }));
    let emit = emit.unwrap();
    assert_eq!(emit.recipients(), ["a", "\0user:u"]);
    assert_eq!((&*emit.namespace, emit.volatile), ("/chat", true));
    assert_eq!(emit.except, ["b"]);
    assert_eq!(emit.id.as_deref(), Some("k"));
    assert!(one(&json!({"event": "e"})).unwrap().recipients().is_empty());
}

#[test]
fn attachments_stand_where_their_placeholders_are() {
    let emit = one(&json!({
        "event": "e",
        "args": [{"_placeholder": true, "num": 0}],
        "attachments": ["AAH/"],
    }));
    assert_eq!(*emit.unwrap().attachments, [vec![0, 1, 255]]);
    for (args, attachments, code, field) in [
        (json!([]), json!(["?"]), "bad_field", "attachments[0]"),
        (json!([]), json!("AA=="), "bad_field", "attachments"),
        (
            json!([{"_placeholder": true, "num": 1}]),
            json!(["AA=="]),
            "bad_args",
            "args",
        ),
        (
            json!([]),
            json!(vec!["AA=="; 65]),
            "bad_field",
            "attachments",
        ),
    ] {
        let wrong = one(&json!({"event": "e", "args": args, "attachments": attachments}));
        let wrong = wrong.unwrap_err();
        assert_eq!(
            (wrong.code, wrong.field.as_deref()),
            (code, Some(field)),
            "{wrong}"
        );
    }
    // Without attachments it is an object like others.
    let object = json!({"event": "e", "args": [{"_placeholder": true, "num": 0}]});
    assert!(one(&object).is_ok());
}

#[test]
fn answers_are_asked_for_with_a_time_or_without() {
    let ack = |ack: serde_json::Value| one(&json!({"event": "e", "ack": ack})).map(|it| it.ack);
    assert_eq!(ack(json!(null)), Ok(None));
    assert_eq!(ack(json!(false)), Ok(None));
    assert_eq!(ack(json!(true)), Ok(Some(Wait(None))));
    assert_eq!(ack(json!({})), Ok(Some(Wait(None))));
    let seconds = |s| Ok(Some(Wait(Some(Duration::from_secs(s)))));
    assert_eq!(ack(json!({"timeout": "5s"})), seconds(5));
    assert_eq!(ack(json!({"timeout": 60_000})), seconds(60));
    for wrong in [json!(5), json!("5s"), json!({"timeout": "5s", "more": 1})] {
        let wrong = ack(wrong).unwrap_err();
        assert_eq!(wrong.field.as_deref(), Some("ack"), "{wrong}");
    }
    for wrong in [json!("61s"), json!(0), json!("soon")] {
        let wrong = ack(json!({"timeout": wrong})).unwrap_err();
        assert_eq!(wrong.field.as_deref(), Some("ack.timeout"), "{wrong}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (body, code, field) in [
        (json!({"event": "e", "users": []}), "no_users", "users"),
        (
            json!({"event": "e", "rooms": ["a", "\0user:u"]}),
            "reserved_name",
            "rooms[1]",
        ),
        (
            json!({"event": "e", "except": ["\0"]}),
            "reserved_name",
            "except[0]",
        ),
        (json!({"event": "e", "id": ""}), "bad_field", "id"),
        (
            json!({"event": "e", "volatile": 1}),
            "bad_field",
            "volatile",
        ),
    ] {
        let wrong = one(&body).unwrap_err();
        assert_eq!(
            (wrong.code, wrong.field.as_deref()),
            (code, Some(field)),
            "{wrong}"
        );
        assert!(!wrong.is_malformed());
    }
    assert!(read(b"[", None).unwrap_err().is_malformed());
    assert!(read(b"{", None).unwrap_err().is_malformed());
}

#[test]
fn a_batch_is_read_one_by_one() {
    let batch = json!([{"event": "a"}, {"event": 5}, {"event": "c"}]);
    let Ok(Request::Batch(items)) = read(format!(" {batch}").as_bytes(), None) else {
        panic!("it is a batch");
    };
    let names: Vec<_> = items
        .iter()
        .map(|item| item.as_ref().map(|emit| emit.event.clone()))
        .collect();
    let name = |name: &str| Arc::<str>::from(name);
    assert_eq!(names[0], Ok(name("a")));
    assert_eq!(
        names[1].as_ref().unwrap_err().field.as_deref(),
        Some("event")
    );
    assert_eq!(names[2], Ok(name("c")));
    assert_eq!(read(b"[]", None), Ok(Request::Batch(vec![])));
}

#[test]
fn a_request_belongs_to_the_namespace_that_it_was_sent_to() {
    let at = |body: &[u8], at| match read(body, at) {
        Ok(Request::One(emit)) => emit.namespace,
        other => panic!("{other:?}"),
    };
    assert_eq!(at(br#"{"event":"e"}"#, Some("/a")), "/a");
    assert_eq!(at(br#"{"event":"e","namespace":"/a"}"#, Some("/a")), "/a");
    assert_eq!(at(br#"{"event":"e"}"#, None), "/");
    let wrong = read(br#"{"event":"e","namespace":"/b"}"#, Some("/a")).unwrap_err();
    assert_eq!(wrong.code, "other_namespace");
}
