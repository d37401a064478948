//! What holds for arguments about which nothing is declared: they are JSON, and not too deep.

use super::*;

#[test]
fn depth_has_an_end_also_where_nothing_is_declared() {
    let nested = |depth: usize| format!("[{}{}]", "[".repeat(depth), "]".repeat(depth));
    let mut policy = event(json!({ "max_depth": 2 }));
    assert_eq!(policy.event_text("e", &nested(2)), Verdict::Pass);
    assert_eq!(policy.event_text("e", r#"["a",{"b":{}}]"#), Verdict::Pass);
    let denial = denied(&mut policy, &nested(3));
    assert_eq!(denial.message, "/0/0/0 is nested more than 2 deep");
    assert_eq!(
        reason(&mut policy, r#"[{"b":{"c":[]}}]"#),
        at("/0/b/c", "too_deep")
    );

    let mut flat = event(json!({ "max_depth": 0 }));
    assert_eq!(flat.event_text("e", r#"["a",1,null]"#), Verdict::Pass);
    assert_eq!(reason(&mut flat, "[{}]"), at("/0", "too_deep"));

    let mut default = event(json!({}));
    assert_eq!(default.event_text("e", &nested(32)), Verdict::Pass);
    assert_eq!(denied(&mut default, &nested(33)).code, "invalid_arguments");
    // The broker hands no policy what is nested deeper than that.
    if testing::is_compiled() {
        return;
    }
    let mut deepest = event(json!({ "max_depth": 128 }));
    assert_eq!(deepest.event_text("e", &nested(128)), Verdict::Pass);
    assert_eq!(
        denied(&mut deepest, &nested(100_000)).code,
        "invalid_arguments"
    );
}

#[test]
fn what_is_not_json_is_denied() {
    // The broker hands no policy what is not JSON.
    if testing::is_compiled() {
        return;
    }
    let mut policy = event(json!({}));
    for args in [
        "",
        "{}",
        "[",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1]]",
        "[1] x",
        "[\"a]",
        "[tru]",
        "[nul]",
        "[01]",
        "[{\"a\"}]",
        "[{\"a\":}]",
        "[{a:1}]",
        "[{\"a\":1,}]",
        "[{,}]",
        "[\u{0}]",
        "[\"\n\"]",
        "['a']",
    ] {
        let denial = denied(&mut policy, args);
        assert_eq!(data(&denial)["reason"], "malformed", "{args}");
    }
    assert_eq!(
        denied(&mut policy, "").message,
        "The event has arguments that are not JSON"
    );
}

#[test]
fn it_takes_for_json_what_serde_takes_for_json() {
    // The broker hands no policy what is not JSON.
    if testing::is_compiled() {
        return;
    }
    let mut policy = event(json!({ "max_depth": 128 }));
    let base = r#"[{"a":[1,-2.5e+3,true],"b\u00e9":null},"x\"\\\ud83d",0,{}]"#;
    let mut seed = 11u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut text: Vec<char> = base.chars().collect();
        for _ in 0..=random(2) {
            let at = random(text.len());
            let char = [
                '"', '\\', '{', '}', '[', ']', ',', ':', '0', '-', '.', 'e', 'u', 't', ' ', '\n',
            ][random(16)];
            match random(3) {
                0 => text[at] = char,
                1 => text.insert(at, char),
                _ => drop(text.remove(at)),
            }
        }
        let text: String = text.into_iter().collect();
        let is_json = serde_json::from_str::<Vec<serde::de::IgnoredAny>>(&text).is_ok();
        accepted += usize::from(is_json);
        let verdict = policy.event_text("e", &text);
        assert_eq!(verdict == Verdict::Pass, is_json, "{text}: {verdict:?}");
    }
    assert!((1_000..19_000).contains(&accepted), "{accepted}");
}
