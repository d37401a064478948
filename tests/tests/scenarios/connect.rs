//! Who is let in: tokens good, missing, forged, expired and worse, each refused under a code of its own.

use serde_json::{Value, json};
use sluice_tests::jwt::{now, sign, unsigned, with_header};
use sluice_tests::{Broker, Client, Driver, Refusal, Setup};

use crate::shared::{RELAY, SECRET, mark};

pub(crate) const JWT: &str = r#"
    [[policy]]
    name = "jwt-auth"
    [policy.config]
    secret = "${JWT_SECRET}"
    rooms = ["user:{user}", "org-{claims.org}"]
    rooms_claim = "rooms"
"#;

fn start(policy: &str) -> Broker {
    Setup::new(&format!("{policy}{RELAY}"))
        .modules(&["jwt-auth"])
        .env("JWT_SECRET", SECRET)
        .start()
}

fn try_token(node: &Driver, broker: &Broker, name: &str, token: &str) -> Result<Client, Refusal> {
    node.try_connect(
        name,
        &broker.url("/"),
        &json!({"transports": ["websocket"], "auth": {"token": token}}),
    )
}

fn refused(node: &Driver, broker: &Broker, name: &str, token: &str) -> String {
    match try_token(node, broker, name, token) {
        Ok(_) => panic!("{name} was let in"),
        Err(refusal) => refusal.code().to_owned(),
    }
}

#[test]
fn each_bad_token_is_refused_under_its_code() {
    let node = Driver::node();
    let broker = start(JWT);
    let claims = json!({"sub": "mallory", "exp": now() + 600});
    let good = sign(&claims, SECRET);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let swapped = format!(
        "{}.{signature}",
        sign(&json!({"sub": "root"}), "x")
            .rsplit_once('.')
            .unwrap()
            .0
    );
    let mut tampered = signature.to_owned();
    tampered.replace_range(..1, if tampered.starts_with('A') { "B" } else { "A" });

    let cases = [
        (
            "expired",
            sign(&json!({"sub": "x", "exp": now() - 10}), SECRET),
            "token_expired",
        ),
        (
            "too early",
            sign(&json!({"sub": "x", "nbf": now() + 600}), SECRET),
            "token_not_yet_valid",
        ),
        (
            "another key",
            sign(&claims, "another-secret-of-another-service"),
            "token_invalid",
        ),
        ("no key", sign(&claims, ""), "token_invalid"),
        ("tampered", format!("{head}.{tampered}"), "token_invalid"),
        ("other claims", swapped, "token_invalid"),
        (
            "cut signature",
            format!("{head}.{}", &signature[..10]),
            "token_invalid",
        ),
        (
            "alg none",
            unsigned(&json!({"alg": "none"}), &claims),
            "token_algorithm",
        ),
        (
            "alg None",
            unsigned(&json!({"alg": "nOnE"}), &claims),
            "token_algorithm",
        ),
        (
            "alg none, signed",
            with_header(&json!({"alg": "none"}), &claims, SECRET),
            "token_algorithm",
        ),
        // The secret used as if it were the public key of an asymmetric algorithm.
        (
            "RS256",
            with_header(&json!({"alg": "RS256"}), &claims, SECRET),
            "token_algorithm",
        ),
        (
            "HS512",
            with_header(&json!({"alg": "HS512"}), &claims, SECRET),
            "token_algorithm",
        ),
        (
            "no user",
            sign(&json!({"exp": now() + 600}), SECRET),
            "token_no_user",
        ),
        ("garbage", "garbage".to_owned(), "token_malformed"),
        ("two parts", head.to_owned(), "token_malformed"),
        ("dots", "..".to_owned(), "token_malformed"),
        ("no base64", "a%.b%.c%".to_owned(), "token_malformed"),
        (
            "enormous",
            format!(
                "{}.{}.{}",
                "a".repeat(20_000),
                "b".repeat(20_000),
                "c".repeat(20_000)
            ),
            "token_malformed",
        ),
    ];
    for (name, token, code) in &cases {
        assert_eq!(&refused(&node, &broker, name, token), code, "{name}");
    }
    // No signature at all, though the algorithm is the right one: refused, under whichever of the two codes.
    let bare = refused(&node, &broker, "no signature", &format!("{head}."));
    assert!(
        ["token_invalid", "token_malformed"].contains(&bare.as_str()),
        "{bare}"
    );
    for (name, auth) in [
        ("no auth", json!({})),
        ("null", json!({"token": null})),
        ("empty", json!({"token": ""})),
    ] {
        let opts = json!({"transports": ["websocket"], "auth": auth});
        let refusal = node
            .try_connect(name, &broker.url("/"), &opts)
            .map(|_| ())
            .unwrap_err();
        assert_eq!(refusal.code(), "token_missing", "{name}");
    }
    for (name, auth) in [
        ("number", json!({"token": 5})),
        ("list", json!({"token": [good]})),
    ] {
        let opts = json!({"transports": ["websocket"], "auth": auth});
        let refusal = node
            .try_connect(name, &broker.url("/"), &opts)
            .map(|_| ())
            .unwrap_err();
        assert!(
            ["token_missing", "token_malformed"].contains(&refusal.code()),
            "{name}: {refusal:?}"
        );
    }
    // None of it is in the log, and the good one still opens the door.
    try_token(&node, &broker, "the good one", &good).unwrap();
    let log = broker.logs.text();
    for (name, token, _) in &cases {
        assert!(
            token.len() < 20 || !log.contains(token.as_str()),
            "the log shows the token of `{name}`"
        );
    }
    assert!(!log.contains(&good) && !log.contains(SECRET));
    assert_eq!(broker.metrics().sum("sluice_connections", &[]), 1.0);
}

/// The refusal is the same over polling, where it travels in an HTTP body.
#[test]
fn a_refusal_reaches_polling_clients() {
    let node = Driver::node();
    let broker = start(JWT);
    let opts = json!({"transports": ["polling"], "auth": {"token": "garbage"}});
    let refusal = node
        .try_connect("a", &broker.url("/"), &opts)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refusal.code(), "token_malformed");
}

#[test]
fn a_good_token_gives_a_user_and_its_rooms() {
    let node = Driver::node();
    let broker = start(JWT);
    let claims = json!({"userId": "alice", "org": 7, "rooms": ["news", "sport"], "exp": now() + 600, "nbf": now() - 1});
    let alice = try_token(&node, &broker, "alice", &sign(&claims, SECRET)).unwrap();
    let bob = try_token(&node, &broker, "bob", &sign(&json!({"sub": "bob"}), SECRET)).unwrap();
    for room in ["user:alice", "org-7", "news", "sport"] {
        broker.emit("/", &[room], "to room", &json!([room]));
        assert_eq!(alice.expect("to room"), [json!(room)]);
    }
    broker.emit("/", &["user:bob"], "to room", &json!(["bob's"]));
    assert_eq!(bob.expect("to room"), [json!("bob's")]);
    mark(&alice, &[&alice, &bob]);
    // alice's four and bob's one.
    assert_eq!(broker.metrics().sum("sluice_rooms", &[]), 5.0);
}

#[test]
fn time_audience_and_issuer_are_checked_with_leeway() {
    let node = Driver::node();
    let broker = start(&format!(
        "{JWT}leeway = \"30s\"\naudience = [\"chat\", \"games\"]\nissuer = \"https://id.example\"\nrequire_exp = true\n"
    ));
    let token = |changes: Value| {
        let mut claims =
            json!({"sub": "x", "exp": now() + 600, "aud": "chat", "iss": "https://id.example"});
        for (key, value) in changes.as_object().unwrap() {
            claims[key] = value.clone();
        }
        sign(&claims, SECRET)
    };
    for (name, changes) in [
        ("as it is", json!({})),
        ("just expired", json!({"exp": now() - 20})),
        ("almost valid", json!({"nbf": now() + 20})),
        ("a list of audiences", json!({"aud": ["other", "games"]})),
        (
            "a fraction of a second",
            json!({"exp": now() as f64 + 600.5}),
        ),
    ] {
        let result = try_token(&node, &broker, name, &token(changes));
        assert!(result.is_ok(), "{name}: {:?}", result.err());
    }
    for (name, changes, code) in [
        ("long expired", json!({"exp": now() - 60}), "token_expired"),
        (
            "far too early",
            json!({"nbf": now() + 60}),
            "token_not_yet_valid",
        ),
        (
            "another audience",
            json!({"aud": "chats"}),
            "token_audience",
        ),
        ("no audience", json!({"aud": null}), "token_audience"),
        (
            "another issuer",
            json!({"iss": "https://id.example.evil"}),
            "token_issuer",
        ),
        ("no issuer", json!({"iss": null}), "token_issuer"),
        ("never expires", json!({"exp": null}), "token_malformed"),
        (
            "expiry as text",
            json!({"exp": "tomorrow"}),
            "token_malformed",
        ),
    ] {
        assert_eq!(
            refused(&node, &broker, name, &token(changes)),
            code,
            "{name}"
        );
    }
}

#[test]
fn a_token_may_come_in_a_header_or_the_query() {
    let node = Driver::node();
    let token = sign(&json!({"sub": "alice"}), SECRET);
    let by_header = start(&format!("{JWT}from = \"header\"\n"));
    let opts = json!({"transports": ["websocket"], "extraHeaders": {"Authorization": format!("Bearer {token}")}});
    node.connect("header", &by_header.url("/"), &opts);
    assert_eq!(
        refused(&node, &by_header, "auth instead", &token),
        "token_missing"
    );

    let by_query = start(&format!(
        "{JWT}from = \"query\"\nquery = \"access token\"\n"
    ));
    let opts = json!({"transports": ["polling"], "query": {"access token": token}});
    node.connect("query", &by_query.url("/"), &opts);
    assert_eq!(
        refused(&node, &by_query, "auth instead of query", &token),
        "token_missing"
    );
    assert!(
        !by_query.logs.text().contains(&token),
        "a query is not logged"
    );
}

#[test]
fn without_a_policy_everyone_is_anonymous() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    try_token(&node, &broker, "a", "whatever").unwrap();
    assert_eq!(broker.metrics().sum("sluice_rooms", &[]), 0.0);
}

/// `/` asks for a token, `/open` for nothing.
pub(crate) fn guarded() -> Broker {
    let config = format!("{JWT}{RELAY}[[namespace]]\npath = \"/open\"\npolicies = []\n");
    Setup::new(&config)
        .modules(&["jwt-auth"])
        .env("JWT_SECRET", SECRET)
        .start()
}

/// A namespace has policies of its own: those of another do not keep anyone out.
#[test]
fn each_namespace_asks_its_own_policies() {
    let node = Driver::node();
    let broker = guarded();
    let opts = json!({"transports": ["websocket"], "forceNew": false});
    node.connect("open", &broker.url("/open"), &opts);
    let refusal = node
        .try_connect("closed", &broker.url("/"), &opts)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refusal.code(), "token_missing");
}

/// `sluice token` makes what `jwt-auth` lets in.
#[test]
fn a_token_of_the_broker_s_own_command_is_good() {
    let node = Driver::node();
    let setup = Setup::new("").env("JWT_SECRET", SECRET);
    let made = setup.run(&[
        "token",
        "--user",
        "alice",
        "--claim",
        "org=7",
        "--expires",
        "5m",
    ]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let broker = start(JWT);
    let alice = try_token(&node, &broker, "alice", made.stdout.trim()).unwrap();
    for room in ["user:alice", "org-7"] {
        broker.emit("/", &[room], "to room", &json!([room]));
        assert_eq!(alice.expect("to room"), [json!(room)]);
    }
}
