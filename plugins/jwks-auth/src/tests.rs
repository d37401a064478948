//! The policy from a client's point of view, and from the issuer's.

mod configuration;
mod outages;
mod rotation;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sluice_plugin_sdk::testing::{self, Harness};
use sluice_plugin_sdk::{Admission, Denial, http};

use crate::JwksAuth;

const URL: &str = "https://id.example/keys";

/// Configured with these keys of `jwks` beside its address.
fn policy(jwks: Value) -> Harness<JwksAuth> {
    let mut all = json!({ "url": URL });
    all.as_object_mut()
        .unwrap()
        .extend(jwks.as_object().unwrap().clone());
    testing::policy(json!({ "jwks": all })).unwrap()
}

/// A key pair of the issuer.
struct Pair {
    kid: &'static str,
    key: SigningKey,
}

impl Pair {
    fn new(kid: &'static str) -> Self {
        let mut seed = [7; 32];
        seed[..kid.len()].copy_from_slice(kid.as_bytes());
        Self {
            kid,
            key: SigningKey::from_bytes(&seed),
        }
    }

    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.kid, "x": x })
    }

    /// RFC 7638, from its words.
    fn thumbprint(&self) -> String {
        use sha2::Digest;
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        let json = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(json))
    }

    fn token(&self) -> String {
        self.sign(&json!({ "alg": "EdDSA", "kid": self.kid }))
    }

    fn sign(&self, header: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(header), part(&json!({ "sub": "alice" })));
        let signature = self.key.sign(signed.as_bytes()).to_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn publish(policy: &mut Harness<JwksAuth>, pairs: &[&Pair]) {
    let keys: Vec<_> = pairs.iter().map(|pair| pair.jwk()).collect();
    policy.answer(URL, 200, json!({ "keys": keys }));
}

fn fail(policy: &mut Harness<JwksAuth>) {
    policy.answer_with(URL, Err(http::Error::Timeout));
}

fn denial(policy: &mut Harness<JwksAuth>, token: &str) -> Option<Denial> {
    match policy.connect(json!({ "token": token })) {
        Admission::Accept(identity) => {
            assert_eq!(identity.user.as_deref(), Some("alice"));
            None
        }
        Admission::Deny(denial) => Some(denial),
        other => panic!("{other:?}"),
    }
}

/// `ok`, or the code with which it is refused.
fn outcome(policy: &mut Harness<JwksAuth>, token: &str) -> String {
    denial(policy, token).map_or_else(|| "ok".to_owned(), |denial| denial.code)
}

#[test]
fn a_token_is_checked_with_the_key_that_is_published() {
    let (a, b) = (Pair::new("a"), Pair::new("b"));
    let mut policy = policy(json!({}));
    publish(&mut policy, &[&a, &b]);
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    assert_eq!(outcome(&mut policy, &b.token()), "ok");
    let stolen_name = Pair {
        kid: "a",
        ..Pair::new("thief")
    };
    assert_eq!(outcome(&mut policy, &stolen_name.token()), "token_invalid");
    let nameless = b.sign(&json!({ "alg": "EdDSA" }));
    assert_eq!(outcome(&mut policy, &nameless), "ok");
    assert_eq!(policy.requests().len(), 1, "and kept");
    let request = &policy.requests()[0];
    assert_eq!((&*request.method, &*request.url), ("GET", URL));
}

#[test]
fn nobody_is_asked_because_of_a_token_that_can_never_be_good() {
    let mut policy = policy(json!({}));
    publish(&mut policy, &[&Pair::new("a")]);
    let hs256 = Pair::new("a").sign(&json!({ "alg": "HS256", "kid": "a" }));
    let none = Pair::new("a").sign(&json!({ "alg": "none" }));
    for (token, code) in [
        ("", "token_missing"),
        ("x", "token_malformed"),
        (&hs256, "token_algorithm"),
        (&none, "token_algorithm"),
    ] {
        assert_eq!(outcome(&mut policy, token), code);
    }
    assert!(policy.requests().is_empty());
}

#[test]
fn what_is_of_no_use_among_the_keys_is_passed_over() {
    let a = Pair::new("a");
    let mut policy = policy(json!({}));
    let mut for_encryption = Pair::new("b").jwk();
    for_encryption["use"] = json!("enc");
    policy.answer(
        URL,
        200,
        json!({ "keys": [
            { "kty": "oct", "k": "c2VjcmV0", "kid": "a" },
            { "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA" },
            { "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "a" },
            { "kid": 7 },
            null,
            "key",
            for_encryption,
            a.jwk(),
        ], "more": true }),
    );
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    assert_eq!(outcome(&mut policy, &Pair::new("b").token()), "token_key");
}

#[test]
fn only_pinned_keys_count() {
    let (a, b) = (Pair::new("a"), Pair::new("b"));
    let mut policy = policy(json!({ "pins": [a.thumbprint()] }));
    publish(&mut policy, &[&b, &a]);
    assert_eq!(outcome(&mut policy, &a.token()), "ok");
    assert_eq!(outcome(&mut policy, &b.token()), "token_key");
    let renamed = Pair { kid: "a", ..b };
    assert_eq!(outcome(&mut policy, &renamed.token()), "token_invalid");
}

/// The examples of RFC 7638, section 3.1, and RFC 8037, appendix A.3.
#[test]
fn thumbprints_are_those_of_the_standard() {
    let rsa = json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV\
              4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7\
              d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF\
              44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
    });
    let ed = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    for (jwk, thumbprint) in [
        (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (ed, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ] {
        let jwk: policy_jwt::Jwk = serde_json::from_value(jwk).unwrap();
        assert_eq!(jwk.thumbprint(), thumbprint);
    }
}

#[test]
fn keys_in_the_configuration_count_too() {
    let (own, published) = (Pair::new("own"), Pair::new("pub"));
    let mut policy: Harness<JwksAuth> = testing::policy(json!({
        "keys": [{ "jwk": own.jwk() }],
        "jwks": { "url": URL },
    }))
    .unwrap();
    publish(&mut policy, &[&published]);
    assert_eq!(outcome(&mut policy, &own.token()), "ok");
    assert!(policy.requests().is_empty(), "nobody is asked for it");
    assert_eq!(outcome(&mut policy, &published.token()), "ok");
}
