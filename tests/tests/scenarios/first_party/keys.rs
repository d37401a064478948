//! Tokens that a key pair has signed, checked by the public half in the configuration.

use serde_json::json;
use sluice_tests::{Broker, Driver, jwt};

use crate::shared::RELAY;

// Made with OpenSSL and PyJWT; the tokens are `alice`'s until 2033.
const ED25519: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAc1bXJN96aJLYfdlAJvC3BOJdKzrQpaDVJDB/5w4c68I=\n\
    -----END PUBLIC KEY-----";
const EDDSA: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.yfhS_OcMbnb5HyUbTVkQZ9xhSYcGEVPf24AR2NaoxJkctQD3KybL3FIe3srmmmxf-bZq_cwWolDryaBiNWcZCg";
const RSA: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtXBrhm96QaAeOGp6/j+5\n\
    K2BeO3vYm285Ct3K0UU8PHBZRQ+kmk7cCxi5Yd4+gNCgc8QDP+zuO+pPn68yo7l+\n\
    kqOd9ctGUDrzySvhHLxO5CU6OiDdmBwjUI74puDeMmsYSCGOZLM2GD8odeQH6Czu\n\
    HY/NyPgKYu54EAwErhqZRWi6dXaHe8BazqthFKNL6UgNPfG59F3HSO2UcjITqhfq\n\
    JOSAvWJQUeipgQoKpzivM61QyKFtkZUXnYF0H8KHc0pQCCj9ytEnuzrmNwSN98Gw\n\
    yx6wmErjO8Q2sIrIS5IKHzQXngdj7m0mrZfTrf6B3JgTxe6+SSaEe91riYlNuPLd\n\
    CwIDAQAB\n\
    -----END PUBLIC KEY-----";
const RS256: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.S3UeynrcLfBVLsIk3Nx-FBWrpTwlBRPG_uXVjsCtOZpsl7Y1HAz92gytbWHk2MJoKQ-rlsnsAVMfascR9hRb3ljdHrbtnZYnLKbiqYvaoFjPtqwS4o9SCTLJvW-KuOw42SgTdnVlwEZQK7EeLlFQLH8YhP_7yx_ryj_ox__obRns05VZceDwWQq8UpH1UZg75dfMTwkqRmM7ToRkX238q4Y3iNqXUNd6n9fZEnBAjA4PiOvzr3TISxOdfKHtwov36xkjiZypfv98ekMmQX_MVmwQOcWHgmX1lfhr1En-765mL-HdjmyFrgUn0y107QB3aFbhzxsNCCfEzFF6m7uTwQ";

fn options(token: &str) -> serde_json::Value {
    json!({"transports": ["websocket"], "auth": {"token": token}})
}

#[test]
fn a_public_key_checks_tokens_and_is_no_secret() {
    let node = Driver::node();
    let broker = Broker::start(
        &format!(
            r#"
            [[policy]]
            name = "jwt-auth"
            [[policy.config.keys]]
            pem = """{ED25519}"""
            [[policy.config.keys]]
            kid = "rsa"
            pem = """{RSA}"""
            {RELAY}"#
        ),
        &["jwt-auth"],
    );
    for (name, token) in [("ed", EDDSA), ("rsa", RS256)] {
        let client = node.connect(name, &broker.url("/"), &options(token));
        let record = broker
            .logs
            .wait(name, |record| record.has("socket", client.logged_as()));
        assert!(record.has("user", "alice"), "{}", record.line);
    }
    let claims = json!({"sub": "root"});
    for (owner, secret) in [("ed", ED25519), ("rsa", RSA)] {
        let forged = jwt::sign(&claims, secret);
        let other = jwt::with_header(&json!({"alg": "EdDSA"}), &claims, secret);
        let none = jwt::unsigned(&json!({"alg": "none"}), &claims);
        for (trick, token, code) in [
            ("secret", forged, "token_algorithm"),
            ("other", other, "token_invalid"),
            ("none", none, "token_algorithm"),
        ] {
            let refusal = node
                .try_connect(
                    &format!("{owner}-{trick}"),
                    &broker.url("/"),
                    &options(&token),
                )
                .map(|_| ())
                .unwrap_err();
            assert_eq!(refusal.code(), code);
        }
    }
}
