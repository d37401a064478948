//! Which of several keys a token is checked with.

use super::keys::{alice, refused};
use super::vectors::*;
use super::{who, with};
use serde_json::json;

#[test]
fn a_token_chooses_its_key_by_name() {
    let both = json!({ "keys": [
        { "kid": "old", "pem": RSA_4096_PEM },
        { "jwk": RSA_JWK },
        { "jwk": EC_JWK },
    ] });
    let mut policy = with(both);
    assert_eq!(who(&mut policy, RS256_KID), alice());
    assert_eq!(who(&mut policy, ES256_KID), alice());
    // A token that names none may be of any.
    assert_eq!(who(&mut policy, RS256), alice());
    assert_eq!(who(&mut policy, RS256_4096), alice());

    let mut renamed = with(json!({ "keys": [{ "kid": "rsa-2", "jwk": RSA_JWK }] }));
    assert_eq!(who(&mut renamed, RS256_KID), refused("token_key"));
    assert_eq!(who(&mut renamed, RS256), alice());

    let mut nameless = with(json!({ "keys": [{ "pem": RSA_PEM }] }));
    assert_eq!(who(&mut nameless, RS256_KID), alice());

    let mut misnamed = with(json!({ "keys": [
        { "kid": "rsa-1", "pem": RSA_4096_PEM },
        { "kid": "rsa-2", "pem": RSA_PEM },
    ] }));
    assert_eq!(who(&mut misnamed, RS256_KID), refused("token_invalid"));
}

#[test]
fn a_key_without_a_name_is_tried_before_those_with_another() {
    let mut keys: Vec<_> = (0..6)
        .map(|number| json!({ "kid": number.to_string(), "pem": RSA_4096_PEM }))
        .collect();
    keys.push(json!({ "pem": RSA_PEM }));
    let mut policy = with(json!({ "keys": keys }));
    assert_eq!(who(&mut policy, RS256), alice());
    assert_eq!(who(&mut policy, RS256_KID), alice());
}
