//! The operator at the command line, and programs that ask in his name: `sluice` as a client of the API, tokens with
//! scopes, the record of what was changed, and the API's own description.

use boon::{Compiler, Draft, Schemas};
use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, Exited, Setup, eventually, http};

use crate::shared::{RELAY, clients, signed_in, websocket};

/// Runs a command against a broker; what it prints.
fn ask(broker: &Broker, arguments: &[&str]) -> Exited {
    let admin = broker.admin().to_string();
    let arguments = [arguments, &["--admin", &admin]].concat();
    broker.run(&arguments)
}

fn table(broker: &Broker, arguments: &[&str]) -> Vec<Vec<String>> {
    let exited = ask(broker, arguments);
    assert_eq!(exited.code, Some(0), "{arguments:?}: {exited:?}");
    let lines = exited.stdout.lines();
    let words = |line: &str| {
        line.split("  ")
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect()
    };
    lines.map(words).collect()
}

fn answer(broker: &Broker, arguments: &[&str]) -> Value {
    let exited = ask(broker, &[arguments, &["--json"]].concat());
    assert_eq!(exited.code, Some(0), "{arguments:?}: {exited:?}");
    serde_json::from_str(&exited.stdout).unwrap()
}

#[test]
fn the_command_line_shows_what_there_is() {
    let node = Driver::node();
    let config = format!(
        "[[policy]]\nname = \"jwt-auth\"\nconfig = {{ secret = \"{}\" }}\n{RELAY}policies = [\"jwt-auth\"]\n",
        crate::shared::SECRET
    );
    // The policies of a namespace stand before its routes.
    let config = config.replace("policies = [\"jwt-auth\"]\n", "").replacen(
        "path = \"/\"",
        "path = \"/\"\n    policies = [\"jwt-auth\"]",
        1,
    );
    let broker = Broker::start(&config, &["jwt-auth"]);
    let alice = node.connect("alice", &broker.url("/"), &signed_in("alice"));
    let bob = node.connect("bob", &broker.url("/"), &signed_in("bob"));
    alice.ok("join", json!(["general"]));
    bob.ok("join", json!(["general"]));
    bob.ok("join", json!(["green"]));

    let shown = ask(&broker, &["node"]);
    for word in [
        broker.ready["node"].as_str().unwrap(),
        &broker.listen.to_string(),
        "connections  2",
        "ready        yes",
    ] {
        assert!(shown.stdout.contains(word), "{word}: {shown:?}");
    }
    assert_eq!(answer(&broker, &["node"])["readiness"]["ready"], true);
    let cluster = table(&broker, &["cluster"]);
    assert_eq!(cluster[0], ["the node is alone"]);
    assert_eq!(cluster[3][0], broker.ready["node"].as_str().unwrap());

    let sockets = table(&broker, &["sockets"]);
    assert_eq!(sockets[0][..3], ["ID", "NAMESPACE", "USER"]);
    let users: Vec<_> = sockets[1..].iter().map(|row| &*row[2]).collect();
    assert_eq!(users, ["alice", "bob"]);
    let green = table(&broker, &["sockets", "--room", "green"]);
    assert_eq!(
        green[1..].iter().map(|row| &*row[0]).collect::<Vec<_>>(),
        [bob.sid.as_str()]
    );
    let listed = answer(&broker, &["sockets", "--user", "alice"]);
    assert_eq!(listed["sockets"][0]["id"], alice.sid, "{listed}");
    let one = ask(&broker, &["sockets", &alice.sid]);
    assert!(
        one.stdout.contains("general") && one.stdout.contains("127.0.0.1"),
        "{one:?}"
    );
    let some = ask(&broker, &["sockets", "--limit", "1"]);
    assert_eq!(some.stdout.lines().count(), 2, "{some:?}");
    assert!(some.stderr.contains("there are more"), "{some:?}");

    let rooms = table(&broker, &["rooms"]);
    assert_eq!(rooms[1..], [["general", "2", "1"], ["green", "1", "1"]]);
    let rooms = table(&broker, &["rooms", "--prefix", "gr"]);
    assert_eq!(rooms[1..], [["green", "1", "1"]]);
    let policies = table(&broker, &["policies"]);
    assert_eq!(policies[1][0], "jwt-auth");
}

#[test]
fn the_command_line_reaches_clients_and_moves_them() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let [a, b, c] = clients(&node, &broker, ["a", "b", "c"]);
    let said = ask(
        &broker,
        &["join", "one", "--socket", &a.sid, "--socket", &b.sid],
    );
    assert!(said.stdout.starts_with("2 sockets joined"), "{said:?}");
    let said = ask(
        &broker,
        &[
            "emit",
            "/",
            "news",
            "{\"n\":1}",
            "--room",
            "one",
            "--except",
            &b.sid,
        ],
    );
    assert_eq!(said.stdout, "handed to 1 clients\n", "{said:?}");
    assert_eq!(a.expect("news"), [json!({"n": 1})]);
    ask(&broker, &["emit", "/", "news", "--text", "5"]);
    for client in [&a, &b, &c] {
        assert_eq!(client.expect("news"), [json!("5")]);
    }
    let said = ask(&broker, &["leave", "one", "--room", "one"]);
    assert!(said.stdout.starts_with("2 sockets left"), "{said:?}");
    assert_eq!(answer(&broker, &["rooms"])["rooms"], json!([]));

    // Nobody is at a terminal, so nobody is asked.
    let said = ask(&broker, &["disconnect", &c.sid, &b.sid]);
    assert_eq!(said.stdout, "2 sockets disconnected\n", "{said:?}");
    for client in [&b, &c] {
        assert_eq!(client.disconnected(), "io server disconnect");
    }
    let said = ask(&broker, &["disconnect", "--all", "--close", "--yes"]);
    assert_eq!(said.stdout, "1 sockets disconnected\n", "{said:?}");
    a.disconnected();
}

#[test]
fn the_command_line_says_what_is_wrong_and_how_it_ended() {
    let broker = Broker::start(RELAY, &[]);
    for (arguments, code, word) in [
        (&["emit", "/nowhere", "x"][..], 1, "unknown_namespace"),
        (&["emit", "/", "disconnect"], 1, "reserved_event"),
        (&["emit", "/", "x", "--ack=soon"], 1, "ack.timeout"),
        (&["sockets", "nobody"], 1, "unknown_socket"),
        (&["sockets", "--limit", "0"], 1, "limit"),
        (&["drain", "--period", "soon"], 1, "period"),
        (&["emit", "/", "x", "hi"], 2, "not JSON"),
        (&["disconnect"], 2, "nobody is named"),
        (&["join", "r"], 2, "nobody is named"),
        (&["emit", "/"], 2, "EVENT"),
        (&["drain", "--stay", "--undo"], 2, "--undo"),
    ] {
        let exited = ask(&broker, arguments);
        assert_eq!(exited.code, Some(code), "{arguments:?}: {exited:?}");
        assert!(exited.stderr.contains(word), "{arguments:?}: {exited:?}");
        assert_eq!(exited.stdout, "", "{arguments:?}");
    }
    let nobody = broker.run(&["node", "--admin", "127.0.0.1:1"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(nobody.stderr.contains("127.0.0.1:1"), "{nobody:?}");
    // No other server's answer is taken for one.
    let other = broker.run(&["node", "--admin", &broker.listen.to_string()]);
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(other.stderr.contains("no admin listener"), "{other:?}");
    let nonsense = broker.run(&["node", "--admin", "localhost"]);
    assert_eq!(nonsense.code, Some(2), "{nonsense:?}");
}

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
    let admin = broker.admin().to_string();
    let shown = broker.run(&["node", "--admin", &admin, "--token", "only-looks"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let refused = broker.run(&["emit", "/", "x", "--admin", &admin, "--token", "only-looks"]);
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

/// What is wrong with a value by the schema at a place of the document.
fn mistake(document: &Value, pointer: &str, value: &Value) -> Option<String> {
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    compiler
        .add_resource("file:///openapi.json", document.clone())
        .unwrap();
    let mut schemas = Schemas::new();
    let pointer = pointer.replace('{', "%7B").replace('}', "%7D");
    let schema = compiler
        .compile(&format!("file:///openapi.json#{pointer}"), &mut schemas)
        .unwrap();
    schemas
        .validate(value, schema)
        .err()
        .map(|error| error.to_string())
}

/// Everything that can be looked at, with something there to see.
#[test]
fn the_node_answers_as_its_document_says() {
    let node = Driver::node();
    let config = format!(
        "[[policy]]\nname = \"rate-limit\"\nconfig = {{ limit = \"1000 per minute\" }}\n{RELAY}"
    );
    let broker = Broker::start(&config, &["rate-limit"]);
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    a.ok("join", json!(["r"]));
    b.ok("join", json!(["r"]));
    a.ok("x", json!([1]));
    b.expect("x");
    let document = broker.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut seen = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        if operations.get("get").is_none() {
            continue;
        }
        let at = path.replace("{name}", "rate-limit").replace("{id}", &a.sid);
        let query = match &**path {
            "/api/v1/presence" => "?room=r",
            _ => "",
        };
        let headers = [("Accept", "application/json")];
        let answer = http::request(
            broker.admin(),
            "GET",
            &format!("{at}{query}"),
            &headers,
            &[],
        )
        .unwrap();
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        // A node that is alone rolls nothing out.
        let expected = if path.contains("cluster/policies") {
            404
        } else {
            200
        };
        assert_eq!(answer.status, expected, "{path}: {answer:?}");
        let escaped = path.replace('/', "~1");
        let kind = kind.replace('/', "~1");
        let pointer = format!(
            "/paths/{escaped}/get/responses/{}/content/{kind}",
            answer.status
        );
        assert!(document.pointer(&pointer).is_some(), "{pointer}");
        if kind.ends_with("json") {
            let mistake = mistake(&document, &format!("{pointer}/schema"), &answer.json());
            assert_eq!(mistake, None, "{path}: {}", answer.text());
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
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

#[test]
fn hostile_requests_are_refused_and_change_nothing() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let [a] = clients(&node, &broker, ["a"]);
    let json = [("Content-Type", "application/json")];
    let ask = |method: &str, path: &str, body: &[u8]| {
        http::request(broker.admin(), method, path, &json, body).unwrap()
    };
    let big = vec![b' '; (1 << 20) + 1];
    let deep = "[".repeat(100_000);
    for (method, path, body, status) in [
        ("POST", "/api/v1/drain", &b"{"[..], 400),
        ("POST", "/api/v1/drain", b"{\"exit\":false}{}", 400),
        ("POST", "/api/v1/drain", b"{\"exit\":\"\"}", 422),
        ("POST", "/api/v1/drain", b"{\"period\":\"-1s\"}", 422),
        ("POST", "/api/v1/drain", b"{\"stay\":true}", 422),
        ("POST", "/api/v1/drain", &big, 413),
        ("POST", "/api/v1/drain", deep.as_bytes(), 422),
        ("PUT", "/api/v1/drain", b"{}", 405),
        ("PATCH", "/api/v1/config", b"{}", 405),
        ("POST", "/openapi.json", b"{}", 405),
        ("POST", "/api/v1/sockets/disconnect", &big, 413),
        (
            "POST",
            "/api/v1/sockets/disconnect",
            b"{\"user\":[\"a\"]}",
            422,
        ),
        ("POST", "/api/v1/sockets/disconnect", b"{\"users\":[]}", 422),
        ("POST", "/api/v1/../v1/drain", b"{}", 404),
        ("POST", "/api/v1/drain/", b"{}", 404),
        ("GET", "/api/v1/sockets/%00", b"", 404),
    ] {
        let response = ask(method, path, body);
        let body = String::from_utf8_lossy(&body[..body.len().min(30)]);
        assert_eq!(
            response.status, status,
            "{method} {path} {body}: {response:?}"
        );
        let kind = response.header("content-type").unwrap_or_default();
        assert_eq!(kind, "application/problem+json", "{method} {path}");
    }
    let form = [("Content-Type", "text/plain")];
    let form = http::request(broker.admin(), "POST", "/api/v1/drain", &form, b"{}").unwrap();
    assert_eq!(form.status, 415);
    assert_eq!(broker.get("/readyz").status, 200);
    assert_eq!(broker.get("/api/v1/drain").json()["state"], "serving");
    a.ok("x", json!([]));
}
