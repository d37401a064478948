//! Number, type and shape of arguments.

use super::*;

#[test]
fn there_are_exactly_the_declared_arguments() {
    let mut policy = event(json!({ "args": [{ "type": "string" }, { "type": "number" }] }));
    assert_eq!(policy.event_text("e", r#"["a",1]"#), Verdict::Pass);
    assert_eq!(policy.event_text("e", " [ \"a\" ,\n 1 ] "), Verdict::Pass);
    assert_eq!(reason(&mut policy, r#"["a"]"#), at("", "too_few_arguments"));
    assert_eq!(reason(&mut policy, "[]"), at("", "too_few_arguments"));
    let denial = denied(&mut policy, r#"["a",1,2]"#);
    assert_eq!(denial.message, "The event takes at most 2 arguments");
    assert_eq!(
        data(&denial),
        json!({ "path": "", "reason": "too_many_arguments", "max_args": 2 })
    );
}

#[test]
fn optional_ones_may_be_missing_at_the_end() {
    let mut policy = event(json!({ "args": [
        { "type": "string" }, { "type": "number", "optional": true }, { "type": "boolean", "required": false },
    ] }));
    for args in [r#"["a"]"#, r#"["a",1]"#, r#"["a",1,true]"#] {
        assert_eq!(policy.event_text("e", args), Verdict::Pass, "{args}");
    }
    assert_eq!(reason(&mut policy, "[]"), at("", "too_few_arguments"));
    assert_eq!(reason(&mut policy, r#"["a",null]"#), at("/1", "type"));
}

#[test]
fn the_number_can_be_declared_by_itself() {
    let mut policy = event(json!({ "args": [{ "type": "string" }], "min_args": 0, "max_args": 2 }));
    for args in ["[]", r#"["a"]"#, r#"["a",{"any":1}]"#] {
        assert_eq!(policy.event_text("e", args), Verdict::Pass, "{args}");
    }
    assert_eq!(
        reason(&mut policy, r#"["a",1,2]"#),
        at("", "too_many_arguments")
    );

    let mut undeclared = event(json!({ "max_args": 3 }));
    assert_eq!(undeclared.event_text("e", "[1,[],{}]"), Verdict::Pass);
    assert_eq!(
        reason(&mut undeclared, "[1,2,3,4]"),
        at("", "too_many_arguments")
    );

    let mut none = event(json!({ "args": [] }));
    assert_eq!(none.event_text("e", "[]"), Verdict::Pass);
    assert_eq!(reason(&mut none, "[1]"), at("", "too_many_arguments"));
}

#[test]
fn each_type_is_told_from_the_others() {
    let values = [
        ("string", r#""a""#),
        ("number", "1.5"),
        ("boolean", "false"),
        ("object", "{}"),
        ("array", "[]"),
        ("null", "null"),
    ];
    for (wanted, _) in values {
        let mut policy = argument(json!({ "type": wanted }));
        for (actual, value) in values {
            let args = format!("[{value}]");
            if wanted == actual {
                assert_eq!(policy.event_text("e", &args), Verdict::Pass);
                continue;
            }
            let denial = denied(&mut policy, &args);
            assert_eq!(
                denial.message,
                format!("/0 has to be {wanted}, not {actual}")
            );
            assert_eq!(
                data(&denial),
                json!({ "path": "/0", "reason": "type", "expected": [wanted], "actual": actual })
            );
        }
    }
    let mut any = argument(json!({ "type": "any" }));
    let mut either = argument(json!({ "type": ["string", "null"] }));
    for (_, value) in values {
        assert_eq!(any.event_text("e", &format!("[{value}]")), Verdict::Pass);
    }
    assert_eq!(either.event_text("e", "[null]"), Verdict::Pass);
    assert_eq!(
        denied(&mut either, "[1]").message,
        "/0 has to be string or null, not number"
    );
}

#[test]
fn an_integer_is_one_however_it_is_written() {
    let mut policy = argument(json!({ "type": "integer" }));
    for number in ["0", "-7", "1.0", "12e1", "12345678901234567890", "1e3"] {
        assert_eq!(
            policy.event_text("e", &format!("[{number}]")),
            Verdict::Pass,
            "{number}"
        );
    }
    for number in ["0.5", "1e-1", "1e400"] {
        assert_eq!(
            reason(&mut policy, &format!("[{number}]")),
            at("/0", "type"),
            "{number}"
        );
    }
    let mut nullable = argument(json!({ "type": ["integer", "null"] }));
    assert_eq!(nullable.event_text("e", "[null]"), Verdict::Pass);
    assert_eq!(reason(&mut nullable, "[0.5]"), at("/0", "type"));
}

#[test]
fn numbers_have_bounds() {
    let mut policy = argument(json!({ "type": "number", "min": -1, "max": 2.5 }));
    for number in ["-1", "0", "2.5", "25e-1"] {
        assert_eq!(
            policy.event_text("e", &format!("[{number}]")),
            Verdict::Pass,
            "{number}"
        );
    }
    assert_eq!(denied(&mut policy, "[-1.01]").message, "/0 is less than -1");
    assert_eq!(denied(&mut policy, "[2.6]").message, "/0 is more than 2.5");
    assert_eq!(reason(&mut policy, "[1e400]"), at("/0", "too_large"));
    assert_eq!(reason(&mut policy, "[-1e400]"), at("/0", "too_small"));
}

#[test]
fn lengths_are_counted_in_characters() {
    let mut policy = argument(json!({ "type": "string", "min_length": 2, "max_length": 4 }));
    for text in [
        "ab",
        "abcd",
        "éééé",
        "😀😀😀😀",
        r"\u00e9\n",
        r"\ud83d\ude00\ud83d\ude00\ud83d\ude00\ud83d\ude00",
    ] {
        assert_eq!(
            policy.event_text("e", &format!("[\"{text}\"]")),
            Verdict::Pass,
            "{text}"
        );
    }
    assert_eq!(
        denied(&mut policy, r#"["a"]"#).message,
        "/0 is shorter than 2 characters"
    );
    let denial = denied(&mut policy, r#"["abcde"]"#);
    assert_eq!(denial.message, "/0 is longer than 4 characters");
    assert_eq!(
        data(&denial),
        json!({ "path": "/0", "reason": "too_long", "max_length": 4 })
    );
}

#[test]
fn what_has_to_hold_something_is_not_empty() {
    for (kind, empty, full) in [
        ("string", "\"\"", "\" \""),
        ("array", "[]", "[0]"),
        ("object", "{}", "{\"a\":1}"),
    ] {
        let mut policy = argument(json!({ "type": kind, "non_empty": true }));
        assert_eq!(
            denied(&mut policy, &format!("[{empty}]")).message,
            "/0 is empty"
        );
        assert_eq!(policy.event_text("e", &format!("[{full}]")), Verdict::Pass);
    }
}

#[test]
fn objects_have_the_declared_keys_and_no_others() {
    let mut policy = argument(json!({ "keys": {
        "name": { "type": "string" },
        "age": { "type": "integer", "required": false },
    } }));
    for args in [
        r#"[{"name":"a"}]"#,
        r#"[{"age":1,"name":"a"}]"#,
        r#"[{"n\u0061me":"a"}]"#,
    ] {
        assert_eq!(policy.event_text("e", args), Verdict::Pass, "{args}");
    }
    assert_eq!(
        reason(&mut policy, "[7]"),
        at("/0", "type"),
        "keys are those of an object"
    );
    assert_eq!(denied(&mut policy, "[{}]").message, "/0/name is missing");
    assert_eq!(
        reason(&mut policy, r#"[{"name":1}]"#),
        at("/0/name", "type")
    );
    assert_eq!(
        reason(&mut policy, r#"[{"name":"a","age":"1"}]"#),
        at("/0/age", "type")
    );
    let denial = denied(&mut policy, r#"[{"name":"a","__proto__":{"admin":true}}]"#);
    assert_eq!(denial.message, "/0/__proto__ is not known");
    assert_eq!(
        data(&denial),
        json!({ "path": "/0/__proto__", "reason": "unknown_key" })
    );
    // Whichever of two a reader takes, it has been looked at.
    assert_eq!(
        reason(&mut policy, r#"[{"name":"a","name":1}]"#),
        at("/0/name", "type")
    );
    assert_eq!(
        reason(&mut policy, r#"[{"name":1,"name":"a"}]"#),
        at("/0/name", "type")
    );

    let mut open =
        argument(json!({ "keys": { "name": { "type": "string" } }, "unknown_keys": "allow" }));
    assert_eq!(
        open.event_text("e", r#"[{"name":"a","more":[{}]}]"#),
        Verdict::Pass
    );
    assert_eq!(
        reason(&mut open, r#"[{"more":1}]"#),
        at("/0/name", "missing")
    );

    let mut any = argument(json!({ "type": "object" }));
    assert_eq!(any.event_text("e", r#"[{"more":1}]"#), Verdict::Pass);
}

#[test]
fn a_path_is_a_json_pointer_and_repeats_little_of_a_key() {
    let mut policy = argument(json!({ "keys": { "a/b~c": { "items": { "type": "null" } } } }));
    assert_eq!(
        reason(&mut policy, r#"[{"a/b~c":[null,1]}]"#),
        at("/0/a~1b~0c/1", "type")
    );
    let key = "k".repeat(10_000);
    let (path, _) = reason(&mut policy, &format!("[{{\"{key}\":1}}]"));
    assert_eq!(path.len(), "/0/".len() + 64);
}

#[test]
fn lists_have_items() {
    let mut policy = argument(json!({ "items": { "type": "integer", "min": 0 }, "max_items": 3 }));
    assert_eq!(policy.event_text("e", "[[]]"), Verdict::Pass);
    assert_eq!(policy.event_text("e", "[[1,2,3]]"), Verdict::Pass);
    assert_eq!(reason(&mut policy, "[[1,\"2\"]]"), at("/0/1", "type"));
    assert_eq!(reason(&mut policy, "[[-1]]"), at("/0/0", "too_small"));
    assert_eq!(
        denied(&mut policy, "[[1,2,3,4]]").message,
        "/0 has more than 3 items"
    );
}

#[test]
fn an_attachment_is_binary_and_what_only_looks_like_one_is_an_object() {
    let args = r#"[{"_placeholder":true,"num":0}]"#;
    let mut binary = argument(json!({ "type": "binary" }));
    assert_eq!(
        binary
            .socket("a")
            .attachment([1, 2, 3])
            .event_text("e", args),
        Verdict::Pass
    );
    assert_eq!(reason(&mut binary, args), at("/0", "type"));

    let mut object = argument(json!({ "type": "object" }));
    let verdict = object.socket("a").attachment([1]).event_text("e", args);
    assert_eq!(
        verdict.denial().unwrap().message,
        "/0 has to be object, not binary"
    );
    assert_eq!(object.event_text("e", args), Verdict::Pass);

    let mut file = event(json!({ "args": [{ "keys": {
        "name": { "type": "string" }, "body": { "type": "binary" },
    } }], "max_depth": 1 }));
    let upload = r#"[{"name":"a","body":{"_placeholder":true,"num":0}}]"#;
    assert_eq!(
        file.socket("a").attachment([1]).event_text("e", upload),
        Verdict::Pass
    );

    // Nothing is declared here, so it counts no depth either.
    let mut undeclared = event(json!({ "max_depth": 0 }));
    assert_eq!(
        undeclared.socket("a").attachment([1]).event_text("e", args),
        Verdict::Pass
    );
}

#[test]
fn events_are_matched_in_order_and_unknown_ones_pass_unless_denied() {
    let events = json!([
        { "event": "chat:system", "args": [] },
        { "event": "chat:*", "args": [{ "type": "string" }], "message": "Say something" },
    ]);
    let mut policy: Harness<Validate> = testing::policy(json!({ "events": events })).unwrap();
    assert_eq!(policy.event("chat:system", json!([])), Verdict::Pass);
    assert_eq!(policy.event("chat:room", json!(["hi"])), Verdict::Pass);
    let verdict = policy.event("chat:room", json!([]));
    assert_eq!(verdict.denial().unwrap().message, "Say something");
    assert_eq!(policy.event("other", json!([{}])), Verdict::Pass);

    policy
        .reload(json!({ "events": events, "unknown_events": "deny" }))
        .unwrap();
    assert_eq!(policy.event("chat:room", json!(["hi"])), Verdict::Pass);
    assert_eq!(
        policy.event("other", json!([{}])).denial().unwrap().code,
        "unknown_event"
    );
}
