//! Tokens with scopes, the record of what was changed with them, and what is shown to whom.

use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, Setup, eventually, http};

use super::ask;
use crate::shared::{RELAY, websocket};

const TOKENS: &str = r#"
[admin]
token = "the-owner"
[[admin.tokens]]
name = "prometheus"
token = "only-looks"
[[admin.tokens]]
name = "ci"
token = "changes-things"
scope = "write"
"#;

fn request(broker: &Broker, method: &str, path: &str, token: &str, body: &Value) -> http::Response {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", &*bearer),
        ("Content-Type", "application/json"),
    ];
    let body = match body {
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    };
    http::request(broker.admin(), method, path, &headers, &body).unwrap()
}

#[test]
fn a_token_is_good_for_its_scope() {
    let broker = Broker::start(&format!("{TOKENS}{RELAY}"), &[]);
    let event = json!({"event": "x"});
    for path in [
        "/api/v1/node",
        "/metrics",
        "/api/v1/config",
        "/openapi.json",
        "/api/v1/drain",
    ] {
        for token in ["the-owner", "only-looks", "changes-things"] {
            let response = request(&broker, "GET", path, token, &Value::Null);
            assert_eq!(response.status, 200, "{path} {token}: {response:?}");
        }
    }
    for (method, path) in [
        ("POST", "/api/v1/emit"),
        ("POST", "/api/v1/sockets/disconnect"),
        ("POST", "/api/v1/drain"),
        ("DELETE", "/api/v1/drain"),
        ("PUT", "/api/v1/policies/p"),
        ("POST", "/api/v1/record"),
        ("POST", "/api/v1/nothing"),
    ] {
        let response = request(&broker, method, path, "only-looks", &event);
        assert_eq!(response.status, 403, "{method} {path}: {response:?}");
        assert_eq!(response.json()["code"], "insufficient_scope");
        let challenge = response.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains("insufficient_scope"), "{challenge}");
    }
    for token in ["the-owner", "changes-things"] {
        let response = request(&broker, "POST", "/api/v1/emit", token, &event);
        assert_eq!(response.status, 200, "{response:?}");
    }
    // The command line brings it along, and shows it nowhere.
    let shown = ask(&broker, &["node", "--token", "only-looks"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let refused = ask(&broker, &["emit", "/", "x", "--token", "only-looks"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("insufficient_scope"), "{refused:?}");
    assert!(!refused.stderr.contains("only-looks"), "{refused:?}");
    let log = broker.logs.text();
    for token in ["the-owner", "only-looks", "changes-things"] {
        assert!(!log.contains(token), "{token} is in the log");
    }
}

#[test]
fn what_is_changed_is_written_down_with_who_and_what() {
    let node = Driver::node();
    let broker = Broker::start(&format!("{TOKENS}{RELAY}"), &[]);
    let client = node.connect("a", &broker.url("/"), &websocket());
    let wrote = |operation: &'static str, outcome: &'static str| {
        broker.logs.wait(operation, move |record| {
            record.has("kind", "admin_write")
                && record.has("operation", operation)
                && record.has("outcome", outcome)
        })
    };
    let secret = json!({"event": "x", "args": ["hunter2"]});
    request(&broker, "POST", "/api/v1/emit", "changes-things", &secret);
    let record = wrote("emit", "done");
    assert!(
        record.has("token", "ci") && record.has("status", "200"),
        "{}",
        record.line
    );
    assert!(record.has("address", "127.0.0.1"), "{}", record.line);
    assert!(record.has("target", "sluice::security"), "{}", record.line);
    let body = json!({"users": ["nobody"], "sockets": [client.sid]});
    request(
        &broker,
        "POST",
        "/api/v1/sockets/disconnect",
        "the-owner",
        &body,
    );
    let record = wrote("disconnect", "done");
    assert!(record.has("token", "admin"), "{}", record.line);
    let did = record.field("did").as_str().unwrap_or_default();
    assert!(
        did.contains(&client.sid) && did.contains("1 sockets"),
        "{}",
        record.line
    );
    client.disconnected();
    request(
        &broker,
        "POST",
        "/api/v1/policies/none/rollback?generation=3",
        "changes-things",
        &Value::Null,
    );
    let record = wrote("rollBackPolicy", "refused");
    assert!(record.has("code", "unknown_policy"), "{}", record.line);
    assert!(
        record.has("path", "/api/v1/policies/none/rollback?generation=3"),
        "{}",
        record.line
    );
    // What was not let is another record.
    request(&broker, "POST", "/api/v1/emit", "only-looks", &secret);
    let record = broker
        .logs
        .wait("a refusal", |it| it.has("kind", "admin_refused"));
    assert!(
        record.has("token", "prometheus") && record.has("code", "insufficient_scope"),
        "{}",
        record.line
    );
    assert!(!broker.logs.text().contains("hunter2"));
    let metrics = request(&broker, "GET", "/metrics", "the-owner", &Value::Null).text();
    assert!(
        metrics.contains(r#"sluice_admin_writes_total{operation="emit",outcome="done"} 1"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"sluice_admin_requests_refused_total 1"#),
        "{metrics}"
    );
}

#[test]
fn who_guesses_tokens_is_slowed_down() {
    let broker = Broker::start(TOKENS, &[]);
    let ask = |token: &str| request(&broker, "GET", "/api/v1/node", token, &Value::Null);
    let slowed = eventually("an end of guessing", || {
        let response = ask("guess");
        assert!([401, 429].contains(&response.status), "{response:?}");
        (response.status == 429).then_some(response)
    });
    assert_eq!(slowed.json()["code"], "too_many_tries");
    let seconds: u64 = slowed.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&seconds), "{slowed:?}");
    // Probes are nobody's guess.
    assert_eq!(broker.get("/readyz").status, 200);
    // It is over by itself.
    eventually("the right token", || {
        (ask("the-owner").status == 200).then_some(())
    });
}

#[test]
fn the_configuration_is_shown_without_its_secrets() {
    let broker = Setup::new(&format!("{TOKENS}[server]\nping_interval = \"7s\"\n"))
        .env("SLUICE_SERVER__PING_TIMEOUT", "3s")
        .start();
    let answer = request(&broker, "GET", "/api/v1/config", "only-looks", &Value::Null);
    let shown = answer.json();
    assert_eq!(shown["server"]["ping_interval"], "7s");
    assert_eq!(shown["server"]["ping_timeout"], "3s");
    assert_eq!(shown["server"]["max_payload"], "1MB");
    assert_eq!(shown["admin"]["tokens"][1]["name"], "ci");
    for token in ["the-owner", "only-looks", "changes-things"] {
        assert!(!answer.text().contains(token), "{token}");
    }
}

/// Whoever leaves, or loses a token, is locked out without a restart.
#[test]
fn tokens_change_while_it_runs() {
    let broker = Broker::start(&format!("{TOKENS}{RELAY}"), &[]);
    let status = |token: &str| request(&broker, "GET", "/api/v1/node", token, &Value::Null).status;
    assert_eq!((status("only-looks"), status("changes-things")), (200, 200));
    let config = format!("{TOKENS}{RELAY}").replace("only-looks", "looks-again");
    broker.reconfigure(&config);
    // Whoever asked with the new token until it is good would be taken for one who guesses.
    broker.logs.wait("the new tokens", |record| {
        record.message() == "reload applied"
    });
    assert_eq!(status("looks-again"), 200);
    assert_eq!(status("only-looks"), 401);
    assert_eq!(status("changes-things"), 200);
    let shown = request(&broker, "GET", "/api/v1/config", "the-owner", &Value::Null).text();
    assert!(!shown.contains("looks-again"), "{shown}");
}

#[test]
fn a_token_says_what_it_is_good_for() {
    let broker = Broker::start(&format!("{TOKENS}{RELAY}"), &[]);
    for (token, name, scope) in [
        ("the-owner", "admin", "write"),
        ("only-looks", "prometheus", "read"),
        ("changes-things", "ci", "write"),
    ] {
        let said = request(&broker, "GET", "/api/v1/token", token, &Value::Null);
        assert_eq!(said.json(), json!({"name": name, "scope": scope}));
    }
    let open = Broker::start(RELAY, &[]);
    let said = open.get("/api/v1/token").json();
    assert_eq!(said, json!({"name": "local", "scope": "write"}));
}

#[test]
fn the_command_line_says_where_a_token_and_an_address_come_from() {
    let broker = Broker::start(&format!("{TOKENS}{RELAY}"), &[]);
    let none = ask(&broker, &["node"]);
    assert_eq!(none.code, Some(1), "{none:?}");
    for words in ["no_token", "--token", "SLUICE_ADMIN__TOKEN"] {
        assert!(none.stderr.contains(words), "{words}: {none:?}");
    }
    let wrong = ask(&broker, &["node", "--token", "guessed"]);
    for words in [
        "wrong_token",
        "it came from `--token` or SLUICE_ADMIN__TOKEN",
    ] {
        assert!(wrong.stderr.contains(words), "{words}: {wrong:?}");
    }
    assert!(!wrong.stderr.contains("guessed"), "{wrong:?}");
    let reads = ask(&broker, &["emit", "/", "x", "--token", "only-looks"]);
    for words in ["insufficient_scope", "scope `write`"] {
        assert!(reads.stderr.contains(words), "{words}: {reads:?}");
    }
    // A module that the node would not read, and whose sender would be cut off.
    let setup = Setup::new("").file("large.wasm", vec![0; 16 << 20]);
    let admin = broker.admin().to_string();
    for (token, words) in [
        ("guessed", "wrong_token"),
        ("only-looks", "insufficient_scope"),
    ] {
        let upload = [
            "policies",
            "upload",
            "large",
            "large.wasm",
            "--token",
            token,
        ];
        let refused = setup.run(&[&upload[..], &["--admin", &admin]].concat());
        assert!(refused.stderr.contains(words), "{words}: {refused:?}");
    }
    // Nobody listens there any more.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let nobody = broker.run(&["node", "--admin", &address]);
    for words in [&*address, "`--admin`", "SLUICE_ADMIN__LISTEN"] {
        assert!(nobody.stderr.contains(words), "{words}: {nobody:?}");
    }
}
