//! Policies that ask a back end: for the keys of tokens, or for the decision itself.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::{Value, json};
use sluice_tests::{Backend, Broker, Driver, eventually};

use crate::shared::{RELAY, own_code};

// Made with PyJWT: `alice`'s until 2033, and the public keys that have signed them.
const ED25519: &str = r#"{"x":"c1bXJN96aJLYfdlAJvC3BOJdKzrQpaDVJDB_5w4c68I","kty":"OKP","crv":"Ed25519","kid":"ed-1"}"#;
const EDDSA: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkLTEiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.JX2j4BgjCDyWbkOqO7I0DkmXHKdvDZiq7HWTBp4-JyRBR-Dk7sbPegkvAf9Xb7HA6-nNNpcxAAOzvyK3gNLNDg";
const RSA: &str = r#"{"kty":"RSA","n":"tXBrhm96QaAeOGp6_j-5K2BeO3vYm285Ct3K0UU8PHBZRQ-kmk7cCxi5Yd4-gNCgc8QDP-zuO-pPn68yo7l-kqOd9ctGUDrzySvhHLxO5CU6OiDdmBwjUI74puDeMmsYSCGOZLM2GD8odeQH6CzuHY_NyPgKYu54EAwErhqZRWi6dXaHe8BazqthFKNL6UgNPfG59F3HSO2UcjITqhfqJOSAvWJQUeipgQoKpzivM61QyKFtkZUXnYF0H8KHc0pQCCj9ytEnuzrmNwSN98Gwyx6wmErjO8Q2sIrIS5IKHzQXngdj7m0mrZfTrf6B3JgTxe6-SSaEe91riYlNuPLdCw","e":"AQAB","kid":"rsa-1","use":"sig"}"#;
const RS256: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.VXiWEdRXJWUSOV9-oHcvXh5U3PdXYUDiOzCCclfiPv_0Mi6TUza5wIQjqmQuedSPXVTeUvFHf6ChT1uKVYzylLhrBoNjT7oghkyK_iW14lpFZBLjdayNy8Ggl0r0GbYEaZojZn-k7adYw4akUDFA_08tZOs0uP7BCbJC1ZWGO_1y_Z_z7RRbX6keup1Uo4TIRP79mVDnF2VxWTlfaL9elzp-P-axd18LgLpl5fQrUEb66mMA8lxJjy1LARhHYQVD0hsnFYpjVuGCUsz4WvMoBdyFg6j4buqDL28yX0Qg_Bzwtb8m_E8LIBq1jeZDaOfbyxMIjB-ENWVbhUulAn85pw";

/// What a client presents.
fn presenting(auth: &Value) -> Value {
    json!({"transports": ["websocket"], "auth": auth})
}

/// The code of the denial, if the client is not let in.
fn outcome(node: &Driver, broker: &Broker, auth: &Value) -> Option<String> {
    // A driver's clients have names of their own.
    static TRIES: AtomicUsize = AtomicUsize::new(0);
    let name = format!("try-{}", TRIES.fetch_add(1, Relaxed));
    match node.try_connect(&name, &broker.url("/"), &presenting(auth)) {
        Ok(client) => {
            client.disconnect();
            None
        }
        Err(refusal) => Some(refusal.code().to_owned()),
    }
}

fn start(backend: &Backend, name: &str, config: &str) -> Broker {
    let hosts = backend.url();
    let config = format!(
        r#"
        [[policy]]
        name = "{name}"
        grant = ["http"]
        [policy.http]
        hosts = ["{hosts}"]
        [policy.config]
        {config}
        {RELAY}"#
    );
    Broker::start(&config, &[name])
}

fn start_jwks(backend: &Backend) -> Broker {
    let url = backend.url();
    let jwks = format!(r#"jwks = {{ url = "{url}/keys", max_age = "1s", refresh_after = "1s" }}"#);
    start(backend, "jwks-auth", &jwks)
}

fn publish(backend: &Backend, keys: &[&str]) {
    backend.answer("/keys", 200, format!(r#"{{"keys":[{}]}}"#, keys.join(",")));
}

#[test]
fn a_key_that_the_issuer_adds_counts_and_one_that_it_takes_back_does_not() {
    let node = Driver::node();
    let backend = Backend::start();
    publish(&backend, &[ED25519]);
    let broker = start_jwks(&backend);
    let (ed, rsa) = (json!({"token": EDDSA}), json!({"token": RS256}));
    assert_eq!(outcome(&node, &broker, &ed), None);
    publish(&backend, &[RSA]);
    eventually("the new key", || {
        outcome(&node, &broker, &rsa).is_none().then_some(())
    });
    assert_eq!(outcome(&node, &broker, &ed).as_deref(), Some("token_key"));
}

#[test]
fn keys_serve_on_while_the_issuer_is_down() {
    let node = Driver::node();
    let backend = Backend::start();
    let broker = start_jwks(&backend);
    let ed = json!({"token": EDDSA});
    assert_eq!(
        outcome(&node, &broker, &ed).as_deref(),
        Some("keys_unavailable")
    );

    publish(&backend, &[ED25519]);
    eventually("the keys", || {
        outcome(&node, &broker, &ed).is_none().then_some(())
    });
    backend.answer("/keys", 503, "");
    let asked = backend.asked().len();
    eventually("a request that fails", || {
        assert_eq!(outcome(&node, &broker, &ed), None);
        (backend.asked().len() > asked).then_some(())
    });
    assert_eq!(outcome(&node, &broker, &ed), None);
    broker.logs.wait("the outage", |record| {
        record.line.contains("those from before go on serving")
    });
}

fn start_webhook(backend: &Backend, more: &str) -> Broker {
    let url = backend.url();
    let config = format!("url = \"{url}/admit\"\nheaders = [\"user-agent\"]\n{more}");
    start(backend, "webhook-auth", &config)
}

#[test]
fn a_back_end_says_who_comes_in() {
    let node = Driver::node();
    let backend = Backend::start();
    let broker = start_webhook(&backend, "cache = \"10m\"");
    let ticket = json!({"ticket": "hush-hush"});

    backend.answer(
        "/admit",
        403,
        r#"{"deny":{"code":"banned","message":"Until May"}}"#,
    );
    assert_eq!(outcome(&node, &broker, &ticket).as_deref(), Some("banned"));

    backend.answer("/admit", 200, r#"{"user":"alice","rooms":["court"]}"#);
    let alice = node.connect("alice", &broker.url("/"), &presenting(&ticket));
    let record = broker
        .logs
        .wait("alice", |record| record.has("socket", alice.logged_as()));
    assert!(record.has("user", "alice"), "{}", record.line);
    broker.emit("/", &["court"], "hello", &json!([]));
    alice.expect("hello");
    let asked = backend.asked();
    let question: Value = serde_json::from_slice(&asked[1].body).expect("JSON");
    assert_eq!(asked[1].method, "POST");
    assert_eq!(question["auth"], ticket);
    assert_eq!(question["namespace"], "/");
    assert!(!question["address"].as_str().expect("an address").is_empty());

    // Remembered, whatever the back end says by now; for this ticket and no other.
    backend.answer("/admit", 500, "");
    assert_eq!(outcome(&node, &broker, &ticket), None);
    assert_eq!(backend.asked().len(), 2);
    assert_eq!(
        outcome(&node, &broker, &json!({"ticket": "x"})).as_deref(),
        Some("auth_unavailable")
    );
    let state = broker.get("/api/v1/policies/webhook-auth/state");
    assert!(!state.text().contains("hush"), "{}", state.text());
    assert!(!broker.logs.text().contains("hush"));
}

#[test]
fn clients_come_in_without_the_back_end_where_that_is_wanted() {
    let node = Driver::node();
    let backend = Backend::start();
    let broker = start_webhook(&backend, "on_unavailable = \"allow\"");
    backend.answer("/admit", 500, "");
    assert_eq!(outcome(&node, &broker, &json!({"ticket": "x"})), None);
    let long = json!({"ticket": "x".repeat(70_000)});
    assert_eq!(
        outcome(&node, &broker, &long).as_deref(),
        Some("auth_too_large")
    );
}

#[test]
fn a_back_end_says_how_long_a_client_may_stay() {
    let node = Driver::node();
    let backend = Backend::start();
    let broker = start_webhook(&backend, "");
    backend.answer("/admit", 200, r#"{"user":"bob"}"#);
    let stays = node.connect(
        "bob",
        &broker.url("/"),
        &presenting(&json!({"ticket": "b"})),
    );
    backend.answer("/admit", 200, r#"{"user":"alice","expires_in":4}"#);
    let begun = std::time::Instant::now();
    let both = ["websocket", "polling"].map(|transport| {
        let options = json!({"transports": [transport], "auth": {"ticket": "a"}});
        let alice = node.connect(transport, &broker.url("/"), &options);
        let shown = broker.get(&format!("/api/v1/sockets/{}", alice.sid)).json();
        assert!(shown["expires"].is_string(), "{shown}");
        alice
    });
    for alice in both {
        let told = alice.expect("error");
        assert_eq!(own_code(&told[0]), "token_expired");
        assert_eq!(alice.disconnected(), "io server disconnect");
        assert!(begun.elapsed().as_secs_f64() >= 3.9, "too early");
    }
    // A time that has passed is none to come in with.
    backend.answer("/admit", 200, r#"{"user":"alice","expires_at":1000000000}"#);
    let late = outcome(&node, &broker, &json!({"ticket": "c"}));
    assert_eq!(late.as_deref(), Some("token_expired"));
    stays.ok("all:still", json!(["here"]));
    let reason = [("reason", "token expired")];
    eventually("both to be counted", || {
        let ended = broker.metrics().sum("sluice_disconnects_total", &reason);
        (ended == 2.0).then_some(())
    });
}
