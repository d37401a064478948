//! What is replaced in texts, and that nothing else is touched.

use super::*;

#[test]
fn the_set_of_validator_js_is_escaped() {
    let mut policy = argument(json!({ "type": "string", "escape": true }));
    assert_eq!(
        passed(&mut policy, r#"["& < > \" ' / \\ `"]"#),
        r#"["&amp; &lt; &gt; &quot; &#x27; &#x2F; &#x5C; &#96;"]"#
    );
    assert_eq!(
        passed(&mut policy, r#"["<script>alert(\"xss\")</script>"]"#),
        r#"["&lt;script&gt;alert(&quot;xss&quot;)&lt;&#x2F;script&gt;"]"#
    );
    // However it is spelled in JSON.
    assert_eq!(
        passed(&mut policy, r#"["\u003cb\u003E \/ \u0026"]"#),
        r#"["&lt;b&gt; &#x2F; &amp;"]"#
    );
    // What is escaped already is escaped again, as validator does.
    assert_eq!(passed(&mut policy, r#"["&lt;"]"#), r#"["&amp;lt;"]"#);
}

#[test]
fn nothing_to_escape_is_nothing_replaced() {
    let mut policy = argument(json!({ "type": "string", "escape": true }));
    for args in [r#"["plain"]"#, r#"["é 😀 \n \u00e9 \ud83d"]"#, r#"[""]"#] {
        assert_eq!(policy.event_text("e", args), Verdict::Pass, "{args}");
    }
}

#[test]
fn all_that_is_not_escaped_stays_as_it_was_written() {
    let mut policy = event(json!({ "args": [
        { "type": "number" },
        { "keys": { "text": { "type": "string", "escape": true }, "title": { "type": "string" } },
            "unknown_keys": "allow" },
        { "items": { "type": "string", "escape": true } },
        { "type": "any" },
    ] }));
    assert_eq!(
        passed(
            &mut policy,
            "[ 1.0, {\"z\": 12345678901234567890, \"title\":\"<i>\", \"text\" : \"a<\\u00e9\\ud83d\\u003e\", \"a\":1e400 },\t [\"<\",\"b\"] , \"<\\/>\" ]"
        ),
        "[ 1.0, {\"z\": 12345678901234567890, \"title\":\"<i>\", \"text\" : \"a&lt;\\u00e9\\ud83d&gt;\", \"a\":1e400 },\t [\"&lt;\",\"b\"] , \"<\\/>\" ]"
    );
}

#[test]
fn the_length_counts_what_is_delivered_or_what_was_sent() {
    let declaration =
        json!([{ "type": "string", "escape": true, "max_length": 5, "min_length": 2 }]);
    // `&lt;` and one more are five; sanitize, then check, as the practice guide has it.
    for config in [
        json!({ "args": declaration }),
        json!({ "args": declaration, "escape": "before" }),
    ] {
        let mut before = event(config);
        assert_eq!(passed(&mut before, r#"["<a"]"#), r#"["&lt;a"]"#);
        assert_eq!(passed(&mut before, r#"["<"]"#), r#"["&lt;"]"#);
        assert_eq!(reason(&mut before, r#"["<ab"]"#), at("/0", "too_long"));
    }
    let mut after = event(json!({ "args": declaration, "escape": "after" }));
    assert_eq!(
        passed(&mut after, r#"["<<<<<"]"#),
        r#"["&lt;&lt;&lt;&lt;&lt;"]"#
    );
    assert_eq!(reason(&mut after, r#"["<<<<<<"]"#), at("/0", "too_long"));
    assert_eq!(reason(&mut after, r#"["<"]"#), at("/0", "too_short"));
}

#[test]
fn attachments_keep_their_places() {
    let mut policy = event(json!({ "args": [
        { "type": "string", "escape": true }, { "type": "binary" }, { "type": "string", "escape": true },
    ] }));
    let args = r#"["<",{"_placeholder":true,"num":0},">"]"#;
    let verdict = policy.socket("a").attachment([1]).event_text("e", args);
    assert_eq!(
        verdict,
        Verdict::Replace(r#"["&lt;",{"_placeholder":true,"num":0},"&gt;"]"#.into())
    );
}

#[test]
fn it_agrees_with_a_slow_and_simple_way() {
    let mut policy = argument(json!({ "type": "string", "escape": true }));
    let mut seed = 7u64;
    for _ in 0..2_000 {
        let text: String = (0..seed % 12)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                [
                    'a', '<', '&', '"', '\\', '/', '\'', '`', '>', 'é', '😀', '\n',
                ][(seed >> 33) as usize % 12]
            })
            .collect();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let args = json!([text]).to_string();
        let escaped = text
            .replace('&', "&amp;")
            .replace('"', "&quot;")
            .replace('\'', "&#x27;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('/', "&#x2F;")
            .replace('\\', "&#x5C;")
            .replace('`', "&#96;");
        let passed: Value = serde_json::from_str(&passed(&mut policy, &args)).unwrap();
        assert_eq!(passed, json!([escaped]));
    }
}
