//! What a good token makes of a client: user, attributes, rooms.

use super::policy;
use super::tokens::{SECRET, signed, token};
use serde_json::{Value, json};
use sluice_plugin_sdk::{Admission, Identity};

fn identity(config: Value, claims: Value) -> Identity {
    let token = token(&claims);
    let admission = policy(config).connect(json!({ "token": token }));
    admission
        .identity()
        .unwrap_or_else(|| panic!("{admission:?}"))
        .clone()
}

fn user(config: Value, claims: Value) -> String {
    identity(config, claims).user.unwrap()
}

fn refused(config: Value, claims: Value) -> String {
    let token = token(&claims);
    let admission = policy(config).connect(json!({ "token": token }));
    admission.denial().unwrap().code.clone()
}

#[test]
fn a_token_that_others_have_signed_is_read() {
    // The example that jwt.io has shown for years.
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
                 eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.\
                 SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
    let mut policy = policy(json!({ "secret": "your-256-bit-secret", "attributes": ["name"] }));
    let admission = policy.connect(json!({ "token": token }));
    assert_eq!(
        admission,
        Admission::Accept(
            Identity::user("1234567890")
                .attribute("name", "John Doe")
                .issued_ms(1_516_239_022_000)
        )
    );
}

#[test]
fn the_user_is_the_first_claim_that_names_one() {
    assert_eq!(
        user(json!({}), json!({ "sub": "alice", "userId": "a" })),
        "alice"
    );
    assert_eq!(user(json!({}), json!({ "userId": "a" })), "a");
    assert_eq!(user(json!({}), json!({ "sub": null, "userId": "a" })), "a");
    assert_eq!(user(json!({}), json!({ "sub": "", "userId": "a" })), "a");
    assert_eq!(user(json!({}), json!({ "sub": 42 })), "42");
    assert_eq!(
        user(
            json!({ "user_claims": ["email"] }),
            json!({ "sub": "x", "email": "a@b" })
        ),
        "a@b"
    );
    for claims in [
        json!({}),
        json!({ "sub": "" }),
        json!({ "sub": true, "userId": "a" }),
        json!({ "sub": ["a"] }),
        json!({ "sub": {} }),
    ] {
        assert_eq!(
            refused(json!({}), claims.clone()),
            "token_no_user",
            "{claims}"
        );
    }
    assert_eq!(
        refused(json!({ "user_claims": ["email"] }), json!({ "sub": "x" })),
        "token_no_user"
    );
}

#[test]
fn a_long_number_stays_the_number_it_is() {
    let token = signed(
        &json!({ "alg": "HS256" }),
        r#"{"sub":123456789012345678901234567890}"#,
        SECRET,
    );
    let admission = policy(json!({})).connect(json!({ "token": token }));
    assert_eq!(
        admission.identity().unwrap().user.as_deref(),
        Some("123456789012345678901234567890")
    );
}

#[test]
fn attributes_are_texts_whatever_the_claim_is() {
    let claims = json!({
        "sub": "alice", "plan": "pro", "level": 3, "admin": true, "tags": ["a", 1], "none": null
    });
    let config = json!({ "attributes": ["plan", "level", "admin", "tags", "none", "missing"] });
    assert_eq!(
        identity(config, claims.clone()),
        Identity::user("alice")
            .attribute("plan", "pro")
            .attribute("level", "3")
            .attribute("admin", "true")
            .attribute("tags", r#"["a",1]"#)
    );
    let renamed = json!({ "attributes": { "plan": "tier" } });
    assert_eq!(
        identity(renamed, claims),
        Identity::user("alice").attribute("tier", "pro")
    );
}

#[test]
fn rooms_come_from_templates_and_from_a_claim() {
    let config = json!({
        "rooms": ["user:{user}", "org-{claims.org}", "lobby"],
        "rooms_claim": "rooms",
    });
    let rooms = |claims| identity(config.clone(), claims).rooms;
    assert_eq!(
        rooms(json!({ "sub": "alice", "org": "acme", "rooms": ["r1", 2] })),
        ["user:alice", "org-acme", "lobby", "r1", "2"]
    );
    assert_eq!(
        rooms(json!({ "sub": "bob", "rooms": "r1" })),
        ["user:bob", "lobby", "r1"]
    );
    assert_eq!(
        rooms(json!({ "sub": "bob", "rooms": null })),
        ["user:bob", "lobby"]
    );
    for wrong in [
        json!({ "sub": "a", "rooms": [{}] }),
        json!({ "sub": "a", "rooms": true }),
    ] {
        assert_eq!(refused(config.clone(), wrong), "token_malformed");
    }
}

#[test]
fn the_token_is_where_the_configuration_says() {
    let token = token(&json!({ "sub": "alice" }));
    let alice = Admission::Accept(Identity::user("alice"));
    let elsewhere = json!({ "token": "not this one" });

    let mut field = policy(json!({ "auth_field": "jwt" }));
    assert_eq!(field.connect(json!({ "jwt": token, "token": 1 })), alice);

    let mut header = policy(json!({ "from": "header" }));
    for value in [
        format!("Bearer {token}"),
        format!("bearer  {token} "),
        token.clone(),
    ] {
        let client = header.socket("alice").header("Authorization", &value);
        assert_eq!(client.connect(elsewhere.clone()), alice, "{value}");
    }
    for value in ["", "Bearer", "Bearer "] {
        let client = header.socket("alice").header("Authorization", value);
        let admission = client.connect(elsewhere.clone());
        assert_eq!(
            admission.denial().unwrap().code,
            "token_missing",
            "{value:?}"
        );
    }
    let basic = header
        .socket("bob")
        .header("authorization", "Basic YTpi")
        .connect(json!({}));
    assert_eq!(basic.denial().unwrap().code, "token_malformed");

    let mut named = policy(json!({ "from": "header", "header": "X-Token" }));
    assert_eq!(
        named
            .socket("alice")
            .header("x-token", &token)
            .connect(json!({})),
        alice
    );

    let mut query = policy(json!({ "from": "query" }));
    assert_eq!(
        query
            .socket("alice")
            .query("token", &token)
            .connect(json!({})),
        alice
    );
    assert_eq!(
        query
            .socket("bob")
            .connect(json!({}))
            .denial()
            .unwrap()
            .code,
        "token_missing"
    );
    let mut named = policy(json!({ "from": "query", "query": "jwt" }));
    assert_eq!(
        named
            .socket("alice")
            .query("jwt", &token)
            .connect(json!({})),
        alice
    );
}
