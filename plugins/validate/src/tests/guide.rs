//! The practice that the policy replaces: check that it is a text, escape it, check its length, say who said it and when.

use super::*;

fn guide(policy_keys: Value) -> Harness<Validate> {
    let mut keys = json!({
        "args": [{ "type": "string", "non_empty": true, "escape": true, "max_length": 500 }],
        "envelope": true,
    });
    keys.as_object_mut()
        .unwrap()
        .extend(policy_keys.as_object().unwrap().clone());
    event(keys)
}

fn enveloped(verdict: &Verdict) -> Value {
    let Verdict::Replace(text) = verdict else {
        panic!("{verdict:?}");
    };
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_message_becomes_what_the_guide_emits() {
    let mut policy = guide(json!({}));
    policy.clock().set_ms(1_700_000_000_123);
    let verdict = policy
        .socket("alice")
        .user("user-1")
        .event_text("e", "[ \"<b>hi</b>\" ]");
    assert_eq!(
        verdict,
        Verdict::Replace(
            r#"[{"from":"user-1","text":"&lt;b&gt;hi&lt;&#x2F;b&gt;","timestamp":"2023-11-14T22:13:20.123Z"}]"#.into()
        )
    );
}

#[test]
fn what_the_guide_refuses_is_refused() {
    let mut policy = guide(json!({}));
    for args in [
        "[]",
        "[\"\"]",
        "[null]",
        "[17]",
        "[{\"text\":\"hi\"}]",
        "[\"hi\",\"again\"]",
    ] {
        denied(&mut policy, args);
    }
    // 125 times `&lt;` is 500, which is not too long.
    let verdict = policy.event("e", json!(["<".repeat(125)]));
    assert_eq!(enveloped(&verdict)[0]["text"], "&lt;".repeat(125));
    assert_eq!(
        reason(&mut policy, &json!(["<".repeat(126)]).to_string()),
        at("/0", "too_long")
    );
    assert_eq!(
        reason(&mut policy, &json!(["a".repeat(501)]).to_string()),
        at("/0", "too_long")
    );
}

#[test]
fn messages_can_be_the_guides() {
    let mut policy = guide(json!({ "message": "Invalid message" }));
    let denial = denied(&mut policy, "[17]");
    assert_eq!(denial.message, "Invalid message");
    assert_eq!(data(&denial)["reason"], "type");
}

#[test]
fn nobody_in_particular_is_null() {
    let verdict = guide(json!({})).event("e", json!(["hi"]));
    assert_eq!(enveloped(&verdict)[0]["from"], Value::Null);
}

#[test]
fn a_user_can_be_called_anything() {
    let mut policy = guide(json!({}));
    for user in ["\"}],[", "a\\b", "é\n😀", "<b>"] {
        let verdict = policy.socket(user).user(user).event("e", json!(["hi"]));
        assert_eq!(enveloped(&verdict)[0]["from"], user);
    }
}

#[test]
fn the_names_can_be_chosen() {
    let mut policy = guide(json!({ "envelope": { "from": "user \"id\"", "timestamp": "at" } }));
    let verdict = policy
        .socket("alice")
        .user("alice")
        .event("e", json!(["hi"]));
    assert_eq!(
        enveloped(&verdict),
        json!([{ "user \"id\"": "alice", "text": "hi", "at": "2023-11-14T22:13:20.000Z" }])
    );
    let mut off = guide(json!({ "envelope": false }));
    assert_eq!(off.event("e", json!(["hi"])), Verdict::Pass);
}

#[test]
fn only_the_first_argument_goes_in_whatever_it_is() {
    let mut policy = event(json!({
        "args": [{ "keys": { "n": { "type": "number" }, "t": { "escape": true } } }, { "escape": true, "optional": true }],
        "min_args": 0,
        "envelope": true,
    }));
    let verdict = policy.event_text("e", r#"[ {"n": 1e400, "t":"<"} , ">"]"#);
    let Verdict::Replace(text) = verdict else {
        panic!("{verdict:?}");
    };
    assert!(
        text.contains(r#""text":{"n": 1e400, "t":"&lt;"},"timestamp""#),
        "{text}"
    );
    assert_eq!(
        reason(&mut policy, r#"[{"n":1,"t":"a"},7]"#),
        at("/1", "type"),
        "the others are still checked"
    );
    assert_eq!(
        enveloped(&policy.event("e", json!([])))[0]["text"],
        Value::Null
    );
}
