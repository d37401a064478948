//! The policy as clients meet it.

mod configuration;
mod patterns;

use serde_json::{Value, json};
use sluice_plugin_sdk::Verdict;
use sluice_plugin_sdk::testing::{self, Harness};

use crate::RoomAccess;

fn policy(config: Value) -> Harness<RoomAccess> {
    testing::policy(config).unwrap()
}

/// With these rules, for events that say their room first.
fn rules(rules: Value) -> Harness<RoomAccess> {
    policy(json!({
        "publish": [{ "event": "say", "room": "/0" }],
        "leave": [{ "event": "leave", "room": "/0" }],
        "rules": rules,
    }))
}

fn joins(policy: &mut Harness<RoomAccess>, room: &str) -> bool {
    policy.subscribe(room).denial().is_none()
}

fn says(policy: &mut Harness<RoomAccess>, room: &str) -> bool {
    policy.event("say", json!([room, "hi"])) == Verdict::Pass
}

fn leaves(policy: &mut Harness<RoomAccess>, room: &str) -> bool {
    policy.event("leave", json!([room])) == Verdict::Pass
}

#[test]
fn the_room_of_a_user_is_its_own() {
    let mut policy = rules(json!([{ "room": "user:{user}" }]));
    policy.socket("a").user("alice");
    assert!(joins(&mut policy, "user:alice"));
    assert!(says(&mut policy, "user:alice"));
    assert!(leaves(&mut policy, "user:alice"));
    for room in [
        "user:bob",
        "user:",
        "user:alice2",
        "user:alice ",
        "lobby",
        "",
    ] {
        assert!(!joins(&mut policy, room), "{room}");
    }
    policy.socket("b");
    for room in ["user:", "user:alice", "user:{user}"] {
        assert!(!joins(&mut policy, room), "nobody in particular: {room}");
    }
}

#[test]
fn a_denial_says_what_one_may_not_and_nothing_else() {
    let mut policy = rules(json!([{ "room": "lobby" }]));
    let denial = policy.subscribe("secret").denial().unwrap().clone();
    assert_eq!(denial.code, "room_denied");
    assert_eq!(denial.message, "You may not join this room");
    assert_eq!(denial.data.as_deref(), Some(r#"{"action":"join"}"#));
    for (event, message) in [
        ("say", "You may not publish to this room"),
        ("leave", "You may not leave this room"),
    ] {
        let verdict = policy.event(event, json!(["secret"]));
        assert_eq!(verdict.denial().unwrap().message, message);
    }
    let mut own = self::policy(json!({ "code": "no", "message": "Members only" }));
    let denial = own.subscribe("x").denial().unwrap().clone();
    assert_eq!((&*denial.code, &*denial.message), ("no", "Members only"));
}

#[test]
fn the_first_rule_that_matches_decides() {
    let mut policy = rules(json!([
        { "room": "staff:*", "where": { "role": ["admin", "mod"] } },
        { "room": "staff:*", "effect": "deny" },
        { "room": "*", "user": "banned-*", "effect": "deny" },
        { "room": "*" },
    ]));
    policy.socket("a").user("alice").attribute("role", "admin");
    assert!(joins(&mut policy, "staff:1") && joins(&mut policy, "lobby"));
    policy
        .socket("b")
        .user("bob")
        .attribute("role", "administrator");
    assert!(!joins(&mut policy, "staff:1") && joins(&mut policy, "lobby"));
    policy
        .socket("c")
        .user("banned-carl")
        .attribute("role", "mod");
    assert!(joins(&mut policy, "staff:1") && !joins(&mut policy, "lobby"));
    policy.socket("d");
    assert!(!joins(&mut policy, "staff:1") && joins(&mut policy, "lobby"));
}

#[test]
fn all_conditions_of_a_rule_have_to_hold() {
    let mut policy = rules(json!([{
        "room": ["a", "b"],
        "user": ["alice", "bo*"],
        "where": { "plan": "pro*", "org": "acme" },
    }]));
    for (user, plan, org, room, wanted) in [
        ("alice", "pro", "acme", "a", true),
        ("bob", "pro-2", "acme", "b", true),
        ("carl", "pro", "acme", "a", false),
        ("alice", "free", "acme", "a", false),
        ("alice", "pro", "other", "a", false),
        ("alice", "pro", "acme", "c", false),
    ] {
        let name = format!("{user}{plan}{org}");
        let client = policy.socket(&name).user(user);
        client.attribute("plan", plan).attribute("org", org);
        assert_eq!(joins(&mut policy, room), wanted, "{name} {room}");
    }
    policy.socket("poor").user("alice").attribute("plan", "pro");
    assert!(!joins(&mut policy, "a"), "an attribute that is not there");
    policy
        .socket("nobody")
        .attribute("plan", "pro")
        .attribute("org", "acme");
    assert!(!joins(&mut policy, "a"), "no user");
}

#[test]
fn only_members_publish_where_a_rule_says_so() {
    let mut policy = rules(json!([
        { "room": "room:*", "actions": ["join", "leave"] },
        { "room": "room:*", "actions": ["publish"], "member": true },
    ]));
    policy.socket("in").room("room:1");
    assert!(says(&mut policy, "room:1"));
    assert!(!says(&mut policy, "room:2"));
    policy.socket("out");
    assert!(!says(&mut policy, "room:1"));
    assert!(joins(&mut policy, "room:1"));
    assert!(says(&mut policy, "room:1"));
}

#[test]
fn a_rule_is_about_its_actions() {
    let mut policy = rules(json!([
        { "room": "news", "actions": ["join", "leave"] },
        { "room": "box", "actions": ["publish"] },
    ]));
    assert!(joins(&mut policy, "news") && leaves(&mut policy, "news"));
    assert!(!says(&mut policy, "news"));
    assert!(says(&mut policy, "box"));
    assert!(!joins(&mut policy, "box") && !leaves(&mut policy, "box"));
}

#[test]
fn what_no_rule_is_about_is_denied_or_allowed() {
    let deny = json!([{ "room": "private:*", "effect": "deny" }]);
    let with = |default: Value| {
        policy(json!({
            "default": default,
            "publish": [{ "event": "say", "room": "/0" }],
            "rules": deny,
        }))
    };
    let mut open = with(json!("allow"));
    assert!(joins(&mut open, "lobby") && says(&mut open, "lobby"));
    assert!(!joins(&mut open, "private:1") && !says(&mut open, "private:1"));
    assert_eq!(
        open.interests().rooms(),
        ["private:*"],
        "others are not asked about"
    );

    let mut closed = with(json!("deny"));
    assert!(!joins(&mut closed, "lobby") && !says(&mut closed, "lobby"));

    let mut mixed = with(json!({ "publish": "allow" }));
    assert!(!joins(&mut mixed, "lobby") && says(&mut mixed, "lobby"));
}

#[test]
fn rooms_that_a_rule_with_a_placeholder_is_about_are_asked_about() {
    let mut policy = policy(json!({
        "default": "allow",
        "rules": [
            { "room": "user:{user}" },
            { "room": "user:*", "effect": "deny" },
            { "room": "org-{attributes.org}-*", "effect": "deny" },
        ],
    }));
    assert_eq!(policy.interests().rooms(), ["user:*", "user:*", "org-*-*"]);
    policy.socket("a").user("alice").attribute("org", "x");
    assert!(joins(&mut policy, "user:alice") && !joins(&mut policy, "user:bob"));
    assert!(!joins(&mut policy, "org-x-1") && joins(&mut policy, "org-y-1"));
}

#[test]
fn a_room_is_read_as_the_routes_read_it() {
    let mut policy = policy(json!({
        "publish": [
            { "event": "say", "room": "/0/to/room" },
            { "event": ["all", "shout:*"], "room": "lobby" },
        ],
        "rules": [{ "room": ["lobby", "7", "-7", "é"] }],
    }));
    for (args, wanted) in [
        (r#"[{"to":{"room":"lobby"}}]"#, None),
        (r#"[{"to":{"room":"l\u006fbby"}}]"#, None),
        (r#"[{"to":{"room":"secret","room":"lobby"}}]"#, None),
        (
            r#"[{"to":{"room":"lobby","room":"secret"}}]"#,
            Some("room_denied"),
        ),
        (
            r#"[{"to":{"room":"lobby"},"to":{"room":"secret"}}]"#,
            Some("room_denied"),
        ),
        (r#"[{"to":{"room":7}}]"#, None),
        (r#"[{"to":{"room":-7}}]"#, None),
        (r#"[{"to":{"room":"é"}}]"#, None),
        (r#"[{"to":{"room":7.0}}]"#, Some("room_missing")),
        (r#"[{"to":{"room":7e0}}]"#, Some("room_missing")),
        (r#"[{"to":{"room":["lobby"]}}]"#, Some("room_missing")),
        (r#"[{"to":{"room":null}}]"#, Some("room_missing")),
        (r#"[{"to":{"room":""}}]"#, Some("room_missing")),
        (r#"[{"to":{}}]"#, Some("room_missing")),
        ("[]", Some("room_missing")),
    ] {
        let verdict = policy.event_text("say", args);
        let code = verdict.denial().map(|denial| denial.code.as_str());
        assert_eq!(code, wanted, "{args}");
    }
    for event in ["all", "shout:x"] {
        assert_eq!(policy.event(event, json!(["secret"])), Verdict::Pass);
    }
    let rules = policy.interests().events();
    let args: Vec<_> = rules.iter().map(|rule| rule.args).collect();
    assert_eq!(
        args,
        [true, false, false],
        "a room that is known needs no arguments"
    );
}
