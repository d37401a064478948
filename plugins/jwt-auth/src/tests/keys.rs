//! Public keys: in all their forms, and never taken for something that they are not.

use super::pss_and_p384::*;
use super::vectors::*;
use super::{tokens, who, with};
use crate::JwtAuth;
use serde_json::{Value, json};
use sluice_plugin_sdk::testing;

pub(super) fn alice() -> Result<String, String> {
    Ok("alice".to_owned())
}

pub(super) fn refused(code: &str) -> Result<String, String> {
    Err(code.to_owned())
}

fn jwk(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_key_is_read_however_it_is_written() {
    for (key, token) in [
        (json!({ "pem": RSA_PEM }), RS256),
        (json!({ "pem": format!("\n{RSA_PEM}\n\n") }), RS256),
        (json!({ "pem": RSA_PEM.replace('\n', "\r\n") }), RS256),
        (json!({ "pem": RSA_PKCS1_PEM }), RS256),
        (json!({ "jwk": jwk(RSA_JWK) }), RS256),
        (json!({ "jwk": RSA_JWK }), RS256),
        (json!({ "pem": RSA_PEM }), RS384),
        (json!({ "pem": RSA_PEM }), RS512),
        (json!({ "pem": RSA_PEM, "alg": "RS512" }), RS512),
        (json!({ "pem": RSA_4096_PEM }), RS256_4096),
        (json!({ "pem": PSS_PEM }), PS256),
        (json!({ "pem": PSS_PEM }), PS384),
        (json!({ "pem": PSS_PEM, "alg": "PS512" }), PS512),
        (json!({ "pem": P384_PEM }), ES384),
        (json!({ "jwk": P384_JWK, "alg": "ES384" }), ES384),
        (json!({ "pem": EC_PEM }), ES256),
        (json!({ "jwk": EC_JWK }), ES256),
        (json!({ "pem": ED_PEM }), EDDSA),
        (json!({ "jwk": ED_JWK }), EDDSA),
        (json!({ "jwk": ED_JWK, "alg": "Ed25519" }), EDDSA),
    ] {
        let mut policy = with(json!({ "keys": [key] }));
        assert_eq!(who(&mut policy, token), alice(), "{key}");
    }
}

#[test]
fn a_key_checks_only_what_it_is_for() {
    let rsa = json!({ "pem": RSA_PEM });
    for (keys, algorithms, token, wanted) in [
        // Nothing here is signed with these.
        (json!([rsa]), json!(null), ES256, "token_algorithm"),
        (json!([rsa]), json!(null), ES384, "token_algorithm"),
        (json!([rsa]), json!(["RS256"]), PS256, "token_algorithm"),
        (json!([rsa]), json!(null), PS256, "token_invalid"),
        (
            json!([{ "pem": EC_PEM }]),
            json!(null),
            ES384,
            "token_algorithm",
        ),
        (
            json!([{ "pem": PSS_PEM, "alg": "PS384" }]),
            json!(null),
            PS256,
            "token_algorithm",
        ),
        (
            json!([{ "pem": PSS_PEM }]),
            json!(null),
            PS256_SHORT,
            "token_invalid",
        ),
        (
            json!([{ "pem": EC_PEM }]),
            json!(null),
            RS256,
            "token_algorithm",
        ),
        (
            json!([{ "pem": EC_PEM }]),
            json!(null),
            EDDSA,
            "token_algorithm",
        ),
        (
            json!([{ "pem": RSA_PEM, "alg": "RS256" }]),
            json!(null),
            RS512,
            "token_algorithm",
        ),
        // The list of the operator narrows what the keys are for.
        (json!([rsa]), json!(["RS512"]), RS256, "token_algorithm"),
        (
            json!([rsa, { "pem": EC_PEM }]),
            json!(["ES256"]),
            RS256,
            "token_algorithm",
        ),
        // Another key of the same kind.
        (
            json!([{ "pem": RSA_4096_PEM }]),
            json!(null),
            RS256,
            "token_invalid",
        ),
        (json!([rsa]), json!(null), RS256_4096, "token_invalid"),
    ] {
        let mut config = json!({ "keys": keys });
        if !algorithms.is_null() {
            config["algorithms"] = algorithms;
        }
        let mut policy = with(config.clone());
        assert_eq!(who(&mut policy, token), refused(wanted), "{config}");
    }
}

/// The oldest trick: the public key, which anyone may know, as the secret of an HMAC.
#[test]
fn a_public_key_is_no_secret() {
    let hs256 = json!({ "alg": "HS256", "typ": "JWT" });
    let forgers = [RSA_PEM, EC_PEM, ED_PEM, RSA_JWK];
    for secret in forgers
        .iter()
        .flat_map(|text| [text.to_string(), format!("{text}\n")])
    {
        let forged = tokens::signed(&hs256, r#"{"sub":"admin"}"#, &secret);
        for key in [
            json!({ "pem": RSA_PEM }),
            json!({ "pem": EC_PEM }),
            json!({ "pem": ED_PEM }),
        ] {
            let mut policy = with(json!({ "keys": [key] }));
            assert_eq!(who(&mut policy, &forged), refused("token_algorithm"));
            // With a secret beside it HS256 is allowed, and still only the secret counts for it.
            let mut both = with(json!({ "secret": tokens::SECRET, "keys": [key] }));
            assert_eq!(who(&mut both, &forged), refused("token_invalid"));
        }
    }
    // The other way around: the header says RS256, the signature is the secret's.
    let header = json!({ "alg": "RS256" });
    let forged = tokens::signed(&header, r#"{"sub":"admin"}"#, tokens::SECRET);
    let mut both = with(json!({ "secret": tokens::SECRET, "keys": [{ "pem": RSA_PEM }] }));
    assert_eq!(who(&mut both, &forged), refused("token_invalid"));
    assert_eq!(
        who(&mut both, &tokens::token(&json!({ "sub": "bob" }))),
        Ok("bob".to_owned())
    );
    assert_eq!(who(&mut both, RS256), alice());
}

#[test]
fn none_is_never_an_algorithm() {
    let mut policy = with(json!({ "keys": [{ "pem": RSA_PEM }, { "pem": ED_PEM }] }));
    for alg in ["none", "None", "NONE", "nOnE", "", "rs256"] {
        let unsigned = tokens::unsigned(&json!({ "alg": alg }), r#"{"sub":"admin"}"#);
        for token in [format!("{unsigned}."), format!("{unsigned}.AAAA")] {
            assert_eq!(
                who(&mut policy, &token),
                refused("token_algorithm"),
                "{alg}"
            );
        }
    }
}

#[test]
fn what_is_no_signature_is_invalid() {
    for (pem, token) in [
        (RSA_PEM, RS256),
        (PSS_PEM, PS256),
        (EC_PEM, ES256),
        (P384_PEM, ES384),
        (ED_PEM, EDDSA),
    ] {
        let mut policy = with(json!({ "keys": [{ "pem": pem }] }));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let middle = signature.len() / 2;
        for other in [
            String::new(),
            "AAAA".to_owned(),
            "!".to_owned(),
            format!("{signature}AAAA"),
            signature[..middle].to_owned(),
            "A".repeat(signature.len()),
            format!("{}_{}", &signature[..middle], &signature[middle + 1..]),
            "_".repeat(signature.len() - 2),
            "A".repeat(12_000),
        ] {
            let forged = format!("{signed}.{other}");
            if forged != token {
                assert_eq!(
                    who(&mut policy, &forged),
                    refused("token_invalid"),
                    "{other}"
                );
            }
        }
    }
}

#[test]
fn a_refusal_says_which_algorithms_there_are() {
    let mut policy = with(json!({ "keys": [{ "pem": EC_PEM }, { "pem": ED_PEM }] }));
    let admission = policy.connect(json!({ "token": RS256 }));
    assert_eq!(
        admission.denial().unwrap().message,
        "The token is not signed with ES256 or EdDSA"
    );
}

#[test]
fn a_wrong_key_is_told_by_its_place() {
    let with_key = |key: Value| json!({ "keys": [{ "pem": ED_PEM }, key] });
    let private =
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHush\n-----END PRIVATE KEY-----";
    for (config, says) in [
        (json!({ "keys": [] }), "`secret` or `keys` is missing"),
        (
            with_key(json!({})),
            "`keys[1]`: a key is said by `pem` or by `jwk`",
        ),
        (
            with_key(json!({ "pem": EC_PEM, "jwk": EC_JWK })),
            "`keys[1]`: a key is said by",
        ),
        (
            with_key(json!({ "pen": EC_PEM })),
            "`keys[1].pen`: unknown field",
        ),
        (
            with_key(json!({ "pem": "hush" })),
            "`keys[1]`: `pem`: it is no public key that begins with",
        ),
        (
            with_key(json!({ "pem": private })),
            "`keys[1]`: `pem`: it is a private key",
        ),
        (
            with_key(
                json!({ "pem": "-----BEGIN CERTIFICATE-----\nhush\n-----END CERTIFICATE-----" }),
            ),
            "`pem`: it is a certificate",
        ),
        (
            with_key(json!({ "pem": RSA_1024_PEM })),
            "`pem`: an RSA key has from 2048 to 4096 bits",
        ),
        (
            with_key(json!({ "pem": EC_P521_PEM })),
            "`pem`: of the elliptic curves it may be on P-256 and P-384",
        ),
        (
            with_key(json!({ "pem": EC_PEM.replace("MFkw", "MFkx") })),
            "`keys[1]`: `pem`: it is",
        ),
        (
            with_key(json!({ "pem": RSA_PEM, "alg": "ES256" })),
            "`keys[1]`: `alg`: \"ES256\" is not what the key is for, which is RS256, RS384, RS512",
        ),
        (
            with_key(json!({ "pem": RSA_PEM, "alg": "HS256" })),
            "`alg`: \"HS256\" is not",
        ),
        (
            with_key(json!({ "pem": RSA_PEM, "alg": "none" })),
            "`alg`: \"none\" is not",
        ),
        (
            with_key(json!({ "jwk": "hush" })),
            "`keys[1]`: `jwk`: it is no JSON Web Key",
        ),
        (
            with_key(json!({ "jwk": 7 })),
            "`keys[1].jwk`: a JSON Web Key: a table",
        ),
        (
            with_key(json!({ "jwk": { "kty": "oct", "k": "hush" } })),
            "`jwk`: `kty`: a secret is no",
        ),
        (
            with_key(json!({ "jwk": { "kty": "DSA" } })),
            "`jwk`: `kty`: there are",
        ),
        (
            with_key(json!({ "jwk": { "kty": "RSA", "e": "AQAB" } })),
            "`jwk`: `n` is missing",
        ),
        (
            with_key(json!({ "jwk": { "kty": "RSA", "n": "ÄÖ", "e": "AQAB" } })),
            "`jwk`: `n` is not base64url",
        ),
        (
            with_key(json!({ "jwk": { "kty": "RSA", "n": "AQAB", "e": "AQAB" } })),
            "`jwk`: an RSA key has from 2048 to 4096 bits",
        ),
        (
            with_key(json!({ "jwk": { "kty": "RSA", "n": "_".repeat(2_000), "e": "AQAB" } })),
            "`jwk`: an RSA key has from 2048 to 4096 bits",
        ),
        (
            with_key(json!({ "jwk": { "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA" } })),
            "`jwk`: `crv`: there are",
        ),
        (
            with_key(json!({ "jwk": { "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" } })),
            "`jwk`: `x` and `y` have 32 bytes",
        ),
        (
            with_key(json!({ "jwk": {
                "kty": "EC", "crv": "P-256", "x": "A".repeat(43), "y": "A".repeat(43),
            } })),
            "`jwk`: it is no point on the curve",
        ),
        (
            with_key(json!({ "jwk": { "kty": "OKP", "crv": "Ed25519", "x": "A".repeat(43) } })),
            "`jwk`: it is no Ed25519 key",
        ),
        (
            with_key(json!({ "jwk": { "kty": "OKP", "crv": "Ed25519", "x": "A", "d": "hush" } })),
            "`jwk`: it is a private key",
        ),
        (
            with_key(json!({ "jwk": { "kty": "RSA", "use": "enc" } })),
            "`jwk`: `use`: it is not for signatures",
        ),
        (
            with_key(json!({ "jwk": { "kty": "RSA", "key_ops": ["sign"] } })),
            "`jwk`: `key_ops`: `verify` is not",
        ),
        (
            json!({ "secret": "hush", "keys": vec![json!({ "pem": ED_PEM }); 17] }),
            "`keys`: there can be 16",
        ),
        (
            json!({ "secret": "hush", "keys": vec![json!({ "pem": ED_PEM }); 5] }),
            "`keys`: 4 keys for one algorithm can be without a `kid`",
        ),
        (
            json!({ "secret": "hush", "algorithms": ["HS256", "RS256"] }),
            "`algorithms[1]`: no key is for RS256",
        ),
        (
            json!({ "keys": [{ "pem": ED_PEM }], "algorithms": ["none"] }),
            "`algorithms[0]`: \"none\" is none of HS256, RS256",
        ),
        (
            json!({ "secret": "hush", "algorithms": [] }),
            "`algorithms` is empty",
        ),
        (
            json!({ "secret": "hush", "jwks": { "url": "https://id.example/keys" } }),
            "`jwks`: the policy `jwks-auth` fetches keys",
        ),
    ] {
        let error = testing::policy::<JwtAuth>(config.clone()).err().unwrap();
        assert!(error.contains(says), "{config}: {error}");
        assert!(!error.contains("hush"), "{error}");
    }
}
