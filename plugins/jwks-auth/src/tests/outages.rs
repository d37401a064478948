//! The issuer does not answer, or not with keys.

use serde_json::{Value, json};
use sluice_plugin_sdk::http::{Error, Response};
use sluice_plugin_sdk::testing::Harness;

use super::{Pair, URL, denial, fail, outcome, policy, publish};
use crate::JwksAuth;

#[test]
fn without_any_keys_nobody_comes_in_and_the_denial_says_when_to_try_again() {
    let a = Pair::new("a");
    let mut policy = policy(json!({}));
    fail(&mut policy);
    let denial = denial(&mut policy, &a.token()).unwrap();
    assert_eq!(denial.code, "keys_unavailable");
    assert_eq!(denial.message, "Tokens cannot be checked at the moment");
    assert_eq!(denial.retry_after_ms, Some(5_000));
    policy.clock().advance(2_000);
    let denial = super::denial(&mut policy, &a.token()).unwrap();
    assert_eq!(denial.retry_after_ms, Some(3_000));
    assert_eq!(policy.requests().len(), 1, "nobody waits for another try");

    publish(&mut policy, &[&a]);
    policy.clock().advance(3_000);
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
}

#[test]
fn keys_from_before_go_on_serving_for_a_while() {
    let (a, b) = (Pair::new("a"), Pair::new("b"));
    let mut policy = policy(json!({ "max_age": "1m", "max_stale": "1h" }));
    publish(&mut policy, &[&a]);
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    fail(&mut policy);
    policy.clock().advance(3_600_000);
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    assert_eq!(
        outcome(&mut policy, &b.token()),
        "keys_unavailable",
        "it may be a new one"
    );
    assert_eq!(policy.requests().len(), 2);
    policy.clock().advance(1);
    assert_eq!(outcome(&mut policy, &a.token()), "keys_unavailable");
}

#[test]
fn another_instance_finds_them_too() {
    let a = Pair::new("a");
    let config = |max_age: &str| json!({ "jwks": { "url": URL, "max_age": max_age } });
    let mut policy = policy(json!({}));
    publish(&mut policy, &[&a]);
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    fail(&mut policy);
    policy.reload(config("11m")).unwrap();
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    assert_eq!(policy.requests().len(), 1, "they are new enough");
    policy.reload(config("10m")).unwrap();
    policy.clock().advance(3_600_000);
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    assert_eq!(policy.requests().len(), 2);

    let elsewhere = json!({ "jwks": { "url": "https://other.example/keys" } });
    policy.reload(elsewhere).unwrap();
    assert_eq!(
        outcome(&mut policy, &a.token()),
        "keys_unavailable",
        "the keys of one issuer are not another's"
    );
}

#[test]
fn pins_count_for_what_others_have_fetched() {
    let (a, b) = (Pair::new("a"), Pair::new("b"));
    let mut policy = policy(json!({}));
    publish(&mut policy, &[&a, &b]);
    assert_eq!(outcome(&mut policy, &b.token()), "ok");
    let pinned = json!({ "jwks": { "url": URL, "pins": [a.thumbprint()] } });
    policy.reload(pinned).unwrap();
    assert_eq!(outcome(&mut policy, &b.token()), "token_key");
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    assert_eq!(policy.requests().len(), 1);
}

fn answered(policy: &mut Harness<JwksAuth>, answer: Result<(u16, Value), Error>) {
    let answer = answer.map(|(status, body)| Response {
        status,
        body: body.to_string().into_bytes(),
        ..Response::default()
    });
    policy.answer_with(URL, answer);
}

#[test]
fn what_is_no_set_of_keys_changes_nothing() {
    let a = Pair::new("a");
    let many = vec![a.jwk(); 65];
    for answer in [
        Ok((500, json!({ "keys": [] }))),
        Ok((404, json!({ "keys": [] }))),
        Ok((204, json!(null))),
        Ok((200, json!([]))),
        Ok((200, json!({}))),
        Ok((200, json!({ "keys": {} }))),
        Ok((200, json!("<html>"))),
        Ok((200, json!({ "keys": many }))),
        Ok((200, json!({ "keys": [], "x": "y".repeat(70_000) }))),
        Err(Error::Timeout),
        Err(Error::TooLarge),
        Err(Error::Refused("the host is not listed".into())),
        Err(Error::Failed("no route".into())),
    ] {
        let mut policy = policy(json!({}));
        publish(&mut policy, &[&a]);
        assert_eq!(outcome(&mut policy, &a.token()), "ok");
        let shown = format!("{answer:?}");
        answered(&mut policy, answer);
        policy.clock().advance(700_000);
        assert_eq!(outcome(&mut policy, &a.token()), "ok", "{shown:.80}");
        let logs = policy.logs();
        let (_, line) = logs.last().unwrap();
        assert!(
            line.starts_with("the keys could not be fetched, those from before"),
            "{line}"
        );
        assert!(line.len() < 200 && !line.contains(&a.token()), "{line}");
    }
}

#[test]
fn a_clock_that_was_wrong_makes_no_key_last() {
    // A compiled policy whose clock is set back starts anew.
    if sluice_plugin_sdk::testing::is_compiled() {
        return;
    }
    let (a, b) = (Pair::new("a"), Pair::new("b"));
    let mut policy = policy(json!({}));
    let now = policy.clock().now_ms();
    policy.clock().set_ms(now + 3_600_000);
    publish(&mut policy, &[&a]);
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    policy.clock().set_ms(now);
    publish(&mut policy, &[&b]);
    assert_eq!(outcome(&mut policy, &a.token()), "token_key");
    policy.clock().set_ms(now - 10);
    fail(&mut policy);
    assert_eq!(outcome(&mut policy, &b.token()), "ok");
    assert_eq!(policy.requests().len(), 2);
}
