//! Which tokens are refused, with which code, and that no answer gives a token away.

use super::policy;
use super::tokens::{SECRET, encode, signed, token, unsigned};
use crate::JwtAuth;
use serde_json::{Value, json};
use sluice_plugin_sdk::testing::{self, Harness};
use sluice_plugin_sdk::{Admission, Denial};

/// The harness starts here.
const NOW: u64 = 1_700_000_000;

fn denial(policy: &mut Harness<JwtAuth>, token: &str) -> Denial {
    let admission = policy.connect(json!({ "token": token }));
    let denial = admission
        .denial()
        .unwrap_or_else(|| panic!("accepted: {token}"))
        .clone();
    if !token.is_empty() {
        for text in [&denial.message, &denial.data.clone().unwrap_or_default()] {
            assert!(!text.contains(token) && !text.contains(SECRET), "{text}");
        }
    }
    assert!(policy.logs().iter().all(|(_, line)| !line.contains(token)));
    denial
}

fn code(config: Value, token: &str) -> String {
    denial(&mut policy(config), token).code
}

fn accepted(config: Value, claims: Value) -> bool {
    let token = token(&claims);
    matches!(
        policy(config).connect(json!({ "token": token })),
        Admission::Accept(_)
    )
}

#[test]
fn without_a_token_nobody_comes_in() {
    let mut policy = policy(json!({}));
    for auth in [
        json!({}),
        json!({ "token": null }),
        json!({ "token": "" }),
        json!({ "other": "x" }),
        json!([token(&json!({ "sub": "alice" }))]),
        json!("token"),
        json!(null),
    ] {
        let admission = policy.connect(auth.clone());
        assert_eq!(admission.denial().unwrap().code, "token_missing", "{auth}");
    }
    assert_eq!(
        policy.connect(json!({})).denial().unwrap().message,
        "Authentication required"
    );
}

#[test]
fn an_optional_token_is_still_checked_when_it_is_there() {
    let mut policy = policy(json!({ "optional": true }));
    assert_eq!(policy.connect(json!({})), Admission::Pass);
    assert_eq!(denial(&mut policy, "x").code, "token_malformed");
    assert_eq!(
        denial(
            &mut policy,
            &signed(&json!({"alg": "HS256"}), "{}", "guess")
        )
        .code,
        "token_invalid"
    );
}

#[test]
fn what_is_no_token_is_malformed() {
    let good = token(&json!({ "sub": "alice" }));
    let not_utf8 = format!("{}.{}.", encode(&[0xff, 0xfe]), encode(b"{}"));
    for bad in [
        "x",
        "..",
        "a.b",
        "a.b.c.d",
        "not.a.token",
        "héllo.wörld.x",
        &format!("{good}.x"),
        &format!(" {good}"),
        &good.replacen('.', "=.", 1),
        &not_utf8,
        &format!("{}.{}.x", encode(b"[]"), encode(b"{}")),
        &signed(&json!({ "typ": "JWT" }), "{}", SECRET),
        &signed(&json!({ "alg": 256 }), "{}", SECRET),
        &"a".repeat(20_000),
        &signed(
            &json!({ "alg": "HS256" }),
            &json!({ "sub": "a".repeat(20_000) }).to_string(),
            SECRET,
        ),
    ] {
        let shown: String = bad.chars().take(40).collect();
        assert_eq!(code(json!({}), bad), "token_malformed", "{shown}");
    }
    let mut policy = policy(json!({}));
    let admission = policy.connect(json!({ "token": 17 }));
    assert_eq!(admission.denial().unwrap().code, "token_malformed");
}

#[test]
fn signed_nonsense_is_malformed() {
    let header = json!({ "alg": "HS256" });
    for payload in [
        "",
        "null",
        "[]",
        "\"alice\"",
        "{\"sub\":",
        "{\"sub\": \"a\"} x",
        r#"{"sub": "a", "exp": "1800000000"}"#,
        r#"{"sub": "a", "exp": null}"#,
        r#"{"sub": "a", "exp": 1e999}"#,
        r#"{"sub": "a", "nbf": {}}"#,
        r#"{"sub": "a", "aud": 7.5, "iss": 3}"#,
        r#"{"sub": "a", "aud": [true]}"#,
        r#"{"sub": "\ud800"}"#,
    ] {
        assert_eq!(
            code(json!({}), &signed(&header, payload, SECRET)),
            "token_malformed",
            "{payload}"
        );
    }
    let critical = json!({ "alg": "HS256", "crit": ["b64"], "b64": false });
    assert_eq!(
        code(json!({}), &signed(&critical, r#"{"sub":"a"}"#, SECRET)),
        "token_malformed"
    );
}

#[test]
fn only_hs256_counts_whatever_the_header_says() {
    let claims = r#"{"sub":"alice"}"#;
    for alg in [
        "none", "None", "NONE", "hs256", "HS384", "HS512", "RS256", "ES256", "",
    ] {
        let header = json!({ "alg": alg, "typ": "JWT" });
        // Unsigned, and signed with the secret as if it were HS256.
        for token in [
            format!("{}.", unsigned(&header, claims)),
            signed(&header, claims, SECRET),
        ] {
            assert_eq!(code(json!({}), &token), "token_algorithm", "{alg}");
        }
    }
    let hs256 = json!({ "alg": "HS256" });
    assert_eq!(
        code(json!({}), &format!("{}.", unsigned(&hs256, claims))),
        "token_invalid"
    );
}

#[test]
fn a_forged_token_is_invalid_and_its_claims_are_not_looked_at() {
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let good = token(&json!({ "sub": "alice" }));
    let (signed_part, signature) = good.rsplit_once('.').unwrap();
    let forged = unsigned(&header, r#"{"sub":"admin"}"#);
    let flipped = |at: usize| {
        let mut signature = signature.to_owned();
        let other = if &signature[at..=at] == "A" { "B" } else { "A" };
        signature.replace_range(at..=at, other);
        format!("{signed_part}.{signature}")
    };
    for token in [
        format!("{forged}.{signature}"),
        flipped(0),
        flipped(20),
        flipped(signature.len() - 1),
        format!("{signed_part}.{}", &signature[..signature.len() - 4]),
        format!("{signed_part}.{signature}AAAA"),
        format!("{signed_part}.{signature}="),
        format!("{signed_part}.!"),
        signed(&header, r#"{"sub":"alice"}"#, "another secret"),
        // Expired as well, and not even JSON: the signature comes first.
        signed(&header, r#"{"sub":"alice","exp":1}"#, "another secret"),
        signed(&header, "nonsense", "another secret"),
    ] {
        assert_eq!(code(json!({}), &token), "token_invalid", "{token}");
    }
}

#[test]
fn a_token_lives_from_nbf_until_exp() {
    let claims = |name: &str, date: Value| json!({ "sub": "alice", name: date });
    assert!(accepted(json!({}), claims("exp", json!(NOW + 1))));
    assert!(accepted(json!({}), claims("exp", json!(NOW as f64 + 0.5))));
    assert_eq!(
        code(json!({}), &token(&claims("exp", json!(NOW)))),
        "token_expired"
    );
    assert_eq!(
        code(json!({}), &token(&claims("exp", json!(-1)))),
        "token_expired"
    );
    assert!(accepted(json!({}), claims("nbf", json!(NOW))));
    assert_eq!(
        code(json!({}), &token(&claims("nbf", json!(NOW + 1)))),
        "token_not_yet_valid"
    );
}

#[test]
fn it_expires_while_the_policy_runs() {
    let mut policy = policy(json!({}));
    let token = token(&json!({ "sub": "alice", "exp": NOW + 60 }));
    assert!(
        policy
            .connect(json!({ "token": token }))
            .identity()
            .is_some()
    );
    policy.clock().advance(59_999);
    assert!(
        policy
            .connect(json!({ "token": token }))
            .identity()
            .is_some()
    );
    policy.clock().advance(1);
    assert_eq!(denial(&mut policy, &token).code, "token_expired");
}

#[test]
fn leeway_stretches_both_ends() {
    for leeway in [json!(30), json!("30s")] {
        let config = json!({ "leeway": leeway });
        let claims = |exp: u64, nbf: u64| json!({ "sub": "alice", "exp": exp, "nbf": nbf });
        assert!(accepted(config.clone(), claims(NOW - 29, NOW + 30)));
        assert_eq!(
            code(config.clone(), &token(&claims(NOW - 30, NOW))),
            "token_expired"
        );
        assert_eq!(
            code(config, &token(&claims(NOW + 9, NOW + 31))),
            "token_not_yet_valid"
        );
    }
}

#[test]
fn a_token_without_an_end_is_accepted_unless_one_is_required() {
    assert!(accepted(json!({}), json!({ "sub": "alice" })));
    let config = json!({ "require_exp": true });
    assert!(accepted(
        config.clone(),
        json!({ "sub": "alice", "exp": NOW + 1 })
    ));
    assert_eq!(
        code(config, &token(&json!({ "sub": "alice" }))),
        "token_malformed"
    );
}

#[test]
fn audience_and_issuer_are_checked_where_they_are_configured() {
    let claims = json!({ "sub": "alice", "aud": ["web", "app"], "iss": "https://id.example" });
    assert!(accepted(json!({}), claims.clone()));
    for config in [
        json!({ "audience": "app", "issuer": "https://id.example" }),
        json!({ "audience": ["chat", "web"], "issuer": ["x", "https://id.example"] }),
    ] {
        assert!(accepted(config, claims.clone()));
    }
    let token = token(&claims);
    assert_eq!(
        code(json!({ "audience": "chat" }), &token),
        "token_audience"
    );
    assert_eq!(
        code(json!({ "issuer": "https://id.example/" }), &token),
        "token_issuer"
    );

    let bare = super::tokens::token(&json!({ "sub": "alice" }));
    assert_eq!(code(json!({ "audience": "chat" }), &bare), "token_audience");
    assert_eq!(code(json!({ "issuer": "x" }), &bare), "token_issuer");
    let single = json!({ "sub": "alice", "aud": "chat" });
    assert!(accepted(json!({ "audience": "chat" }), single));
}

#[test]
fn messages_are_the_operators_to_choose() {
    let mut policy = policy(json!({ "messages": { "token_missing": "Log in first" } }));
    let message = policy.connect(json!({})).denial().unwrap().message.clone();
    assert_eq!(message, "Log in first");
    assert_eq!(denial(&mut policy, "x").message, "The token is malformed");
}

#[test]
fn a_wrong_configuration_says_which_key_and_never_the_secret() {
    for (config, says) in [
        (json!({}), "`secret` or `keys` is missing"),
        (json!({ "secret": "" }), "`secret`: it is empty"),
        (
            json!({ "secret": 918_273_645 }),
            "`secret`: it has to be a text",
        ),
        (
            json!({ "secret": "hush", "sekret": "hush" }),
            "`sekret`: unknown field",
        ),
        (
            json!({ "secret": "hush", "from": "cookie" }),
            "`from`: unknown variant `cookie`",
        ),
        (
            json!({ "secret": "hush", "header": "x-token" }),
            "`header`: `from` says",
        ),
        (
            json!({ "secret": "hush", "from": "query", "query": "" }),
            "`query` is empty",
        ),
        (
            json!({ "secret": "hush", "leeway": "soon" }),
            "`leeway`: \"soon\" is no duration",
        ),
        (
            json!({ "secret": "hush", "audience": 7 }),
            "`audience`: a text or a list",
        ),
        (
            json!({ "secret": "hush", "attributes": "org" }),
            "`attributes`: a list of claims",
        ),
        (
            json!({ "secret": "hush", "rooms": ["org-{org}"] }),
            "`rooms`: \"org-{org}\"",
        ),
        (
            json!({ "secret": "hush", "user_claims": [] }),
            "`user_claims` is empty",
        ),
        (
            json!({ "secret": "hush", "messages": { "missing": "x" } }),
            "`messages.missing`",
        ),
    ] {
        let error = testing::policy::<JwtAuth>(config.clone()).err().unwrap();
        assert!(error.contains(says), "{config}: {error}");
        assert!(!error.contains("hush") && !error.contains("918"), "{error}");
    }
}
