//! What patterns match, and that nothing that a client is called can make one match more.

use serde_json::json;

use super::{joins, rules};
use crate::pattern::Pattern;
use crate::rule::Who;

fn matches(pattern: &str, name: &str) -> bool {
    let parsed = Pattern::parse(pattern).unwrap();
    let glob = Pattern::glob(pattern);
    let matches = parsed.matches(name, &Who::default());
    assert_eq!(matches, glob.matches(name, &Who::default()));
    matches
}

#[test]
fn a_star_stands_for_any_characters() {
    for (pattern, name) in [
        ("*", ""),
        ("*", "any"),
        ("a*", "a"),
        ("a*", "abc"),
        ("*c", "abc"),
        ("a*c", "ac"),
        ("a*b*c", "a-b-b-c"),
        ("a*bc*bc", "abcbc"),
        ("**", "x"),
        ("a**b", "ab"),
        ("*é*", "café!"),
        ("a?[b]", "a?[b]"),
    ] {
        assert!(matches(pattern, name), "{pattern} {name}");
    }
    for (pattern, name) in [
        ("a", "A"),
        ("a", "ab"),
        ("a*", "ba"),
        ("a*a", "a"),
        ("ab*ba", "aba"),
        ("a*bc*bc", "abc"),
        ("a*b*c", "acb"),
        ("a?c", "abc"),
    ] {
        assert!(!matches(pattern, name), "{pattern} {name}");
    }
}

/// A user may be called anything; its name is compared and never read as a pattern.
#[test]
fn a_name_is_no_pattern() {
    let mut policy = rules(json!([
        { "room": "user:{user}" },
        { "room": "org:{attributes.org}:*" },
        { "room": "*:{user}:end" },
    ]));
    for name in [
        "*",
        "**",
        "{user}",
        "{attributes.org}",
        "a*",
        "*a",
        ".*",
        "\\*",
        "",
        " ",
    ] {
        policy.socket(name).user(name).attribute("org", name);
        for room in [
            "user:alice",
            "user:a",
            "user:",
            "org:acme:1",
            "org::1",
            "x:alice:end",
            "x::end",
        ] {
            assert!(!joins(&mut policy, room), "{name:?} {room}");
        }
        let own = [
            format!("user:{name}"),
            format!("org:{name}:1"),
            format!("x:{name}:end"),
        ];
        for room in own {
            assert_eq!(
                joins(&mut policy, &room),
                !name.is_empty(),
                "{name:?} {room}"
            );
        }
    }
}

/// A room may be called anything too.
#[test]
fn a_room_is_no_pattern() {
    let mut policy = rules(json!([{ "room": "user:{user}" }, { "room": "open:*" }]));
    policy.socket("a").user("alice");
    for room in [
        "*",
        "user:*",
        "user:{user}",
        "*:alice",
        "{user}",
        "open",
        "open*",
    ] {
        assert!(!joins(&mut policy, room), "{room}");
    }
    for room in ["open:*", "open:{user}", "open:"] {
        assert!(joins(&mut policy, room), "{room}");
    }
}

#[test]
fn a_placeholder_without_a_value_matches_nothing() {
    let mut policy = rules(json!([{ "room": "org-{attributes.org}" }, { "room": "*{user}*" }]));
    policy.socket("a");
    for room in ["org-", "org-{attributes.org}", "org-null", "x", ""] {
        assert!(!joins(&mut policy, room), "{room}");
    }
    policy.socket("b").attribute("org", "");
    assert!(!joins(&mut policy, "org-"));
    policy.socket("c").attribute("org", "acme").user("c");
    assert!(joins(&mut policy, "org-acme") && joins(&mut policy, "abcd"));
}
