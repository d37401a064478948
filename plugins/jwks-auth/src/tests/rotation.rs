//! Keys come and go.

use serde_json::json;

use super::{Pair, outcome, policy, publish};

#[test]
fn a_new_key_is_accepted_at_once() {
    let (a, b) = (Pair::new("a"), Pair::new("b"));
    let mut policy = policy(json!({}));
    publish(&mut policy, &[&a]);
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    policy.clock().advance(31_000);
    publish(&mut policy, &[&a, &b]);
    assert_eq!(outcome(&mut policy, &b.token()), "ok");
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    assert_eq!(policy.requests().len(), 2);
}

#[test]
fn keys_named_at_random_cost_one_request_in_a_while() {
    let mut policy = policy(json!({ "refresh_after": "10s" }));
    publish(&mut policy, &[&Pair::new("a")]);
    let nobody = Pair::new("nobody").token();
    for _ in 0..100 {
        assert_eq!(outcome(&mut policy, &nobody), "token_key");
    }
    assert_eq!(policy.requests().len(), 1);
    policy.clock().advance(10_001);
    for _ in 0..100 {
        assert_eq!(outcome(&mut policy, &nobody), "token_key");
    }
    assert_eq!(policy.requests().len(), 2);
}

#[test]
fn a_token_that_names_no_key_may_be_of_a_new_one() {
    let (a, b) = (Pair::new("a"), Pair::new("b"));
    let mut policy = policy(json!({}));
    publish(&mut policy, &[&a]);
    let token = b.sign(&json!({ "alg": "EdDSA" }));
    assert_eq!(outcome(&mut policy, &token), "token_invalid");
    publish(&mut policy, &[&a, &b]);
    assert_eq!(outcome(&mut policy, &token), "token_invalid");
    policy.clock().advance(30_001);
    assert_eq!(outcome(&mut policy, &token), "ok");
}

#[test]
fn a_key_that_is_taken_back_ends_with_its_age() {
    let (a, b) = (Pair::new("a"), Pair::new("b"));
    let mut policy = policy(json!({ "max_age": "1m" }));
    publish(&mut policy, &[&a]);
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    publish(&mut policy, &[&b]);
    policy.clock().advance(60_000);
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    policy.clock().advance(1);
    assert_eq!(outcome(&mut policy, &a.token()), "token_key");
    assert_eq!(outcome(&mut policy, &b.token()), "ok");
    policy.answer(super::URL, 200, json!({ "keys": [] }));
    policy.clock().advance(60_001);
    assert_eq!(outcome(&mut policy, &b.token()), "token_key", "all of them");
}

#[test]
fn the_cache_of_the_broker_may_answer_what_is_new_enough() {
    let mut policy = policy(json!({ "refresh_after": "7s" }));
    publish(&mut policy, &[&Pair::new("a")]);
    assert_eq!(outcome(&mut policy, &Pair::new("a").token()), "ok");
    assert_eq!(policy.requests()[0].max_age_ms, 7_000);
}
