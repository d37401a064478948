//! The configuration is followed while clients are served: what can change changes together, what cannot is named and
//! kept, and what is wrong changes nothing.

use serde_json::{Value, json};
use sluice_tests::raw::upgrade_status;
use sluice_tests::{Broker, Driver, Record, Setup, eventually, http, policy};

use crate::operator::ask;
use crate::shared::{RELAY, websocket};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const PAGE: (&str, &str) = ("Origin", "https://app.example");

/// Files are not watched, so everything that changes was asked for.
pub(crate) fn unwatched(config: &str) -> Setup {
    Setup::new(config).env("SLUICE_PLUGINS__WATCH", "false")
}

/// Writes another configuration, hangs up, and waits for what the log says it came to.
pub(crate) fn hang_up(broker: &Broker, config: &str) -> Record {
    broker.reconfigure(config);
    hang_up_as_it_is(broker)
}

fn hang_up_as_it_is(broker: &Broker) -> Record {
    let answers = |record: &Record| record.message() == "reload asked for";
    let before = broker.logs.find(|record| answers(record)).len();
    broker.signal_hangup();
    let mut seen = 0;
    broker.logs.wait("the answer to a hang-up", |record| {
        seen += usize::from(answers(record));
        answers(record) && seen > before
    })
}

fn page_status(broker: &Broker) -> u16 {
    http::request(broker.listen, "GET", POLLING, &[PAGE], &[])
        .unwrap()
        .status
}

pub(crate) fn text<'a>(record: &'a Record, field: &str) -> &'a str {
    record.field(field).as_str().unwrap_or_default()
}

#[test]
fn a_hang_up_is_answered_with_what_changed() {
    let broker = unwatched("").start();
    assert_eq!(page_status(&broker), 403);
    assert_eq!(upgrade_status(broker.listen, "", &[PAGE]), 403);
    let cors = "[server.cors]\norigins = [\"https://app.example\"]\ncredentials = true\n";
    let answer = hang_up(&broker, cors);
    assert!(
        answer.has("by", "SIGHUP") && answer.has("result", "changed"),
        "{answer:?}"
    );
    assert_eq!(
        text(&answer, "changes"),
        "server.cors.credentials: false -> true; server.cors.origins: [] -> [\"https://app.example\"]"
    );
    assert_eq!(page_status(&broker), 200);
    assert_eq!(upgrade_status(broker.listen, "", &[PAGE]), 101);
    // Nothing has changed since, and that is said too.
    let answer = hang_up_as_it_is(&broker);
    assert!(answer.has("result", "unchanged"), "{answer:?}");
    // And back.
    assert!(hang_up(&broker, "").has("result", "changed"));
    assert_eq!(page_status(&broker), 403);
}

#[test]
fn the_log_level_changes_at_once() {
    let broker = unwatched("[telemetry]\nlog = \"warn\"\n").start();
    let connections = |record: &&Record| record.message() == "connected";
    let node = Driver::node();
    let client = node.connect("before", &broker.url("/"), &websocket());
    client.ok("x", json!([]));
    broker.reconfigure("[telemetry]\nlog = \"debug\"\n");
    broker.signal_hangup();
    broker.logs.wait("the answer at the new level", |record| {
        record.message() == "reload asked for"
    });
    assert!(broker.logs.find(connections).is_empty());
    let client = node.connect("after", &broker.url("/"), &websocket());
    client.ok("x", json!([]));
    broker
        .logs
        .wait("a connection", |record| record.message() == "connected");
}

/// A value that is wrong keeps everything from changing: the good ones beside it, and routes.
#[test]
fn a_bad_value_changes_nothing_and_is_named() {
    let broker = unwatched(RELAY).start();
    let cors = "[server.cors]\norigins = [\"*\"]\n";
    let answer = hang_up(
        &broker,
        &format!("[server]\nmax_connections = \"lots\"\n{cors}[[namespace]]\npath = \"/other\"\n"),
    );
    assert!(answer.has("result", "refused"), "{answer:?}");
    assert!(
        text(&answer, "refused").contains("server.max_connections"),
        "{answer:?}"
    );
    assert_eq!(page_status(&broker), 403);
    let node = Driver::node();
    node.connect("a", &broker.url("/"), &websocket());
    let readiness = broker.get("/readyz");
    assert_eq!(readiness.status, 503);
    assert!(
        readiness.text().contains("server.max_connections"),
        "{readiness:?}"
    );
    // The same over the API.
    let refused = broker.post("/api/v1/reload", &json!({}));
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(refused.json()["code"], "reload_failed");
    assert!(
        refused.text().contains("server.max_connections"),
        "{refused:?}"
    );
    // A policy that refuses its settings has the same say as a value that cannot be read.
    let answer = hang_up(
        &broker,
        &format!("{cors}[[policy]]\nname = \"absent\"\nmodule = \"nowhere.wasm\"\n"),
    );
    assert!(answer.has("result", "refused"), "{answer:?}");
    assert_eq!(page_status(&broker), 403);
    assert!(hang_up(&broker, &format!("{RELAY}{cors}")).has("result", "changed"));
    assert_eq!(page_status(&broker), 200);
    assert_eq!(broker.get("/readyz").status, 200);
}

/// Not half of it: the settings, the namespaces and the policies that one change brings are served together.
#[test]
fn several_changes_take_effect_as_one() {
    let broker = Setup::new(RELAY)
        .file("stamp.wasm", policy("fixture-stamp"))
        .start();
    let node = Driver::node();
    let before = node.connect("before", &broker.url("/"), &websocket());
    before.ok("all:x", json!([]));
    broker.reconfigure(&format!(
        "[server.cors]\norigins = [\"https://app.example\"]\n\
         [[policy]]\nname = \"stamp\"\nmodule = \"stamp.wasm\"\n{RELAY}"
    ));
    let applied = broker.logs.wait("the change", |record| {
        record.message() == "reload applied" && !text(record, "changes").is_empty()
    });
    assert_eq!(
        text(&applied, "changes"),
        "policy[stamp]: added; server.cors.origins: [] -> [\"https://app.example\"]"
    );
    // Neither has to be waited for once the other is there.
    assert_eq!(page_status(&broker), 200);
    assert_eq!(broker.policy("stamp")["name"], "stamp");
    before.ok("all:x", json!([]));
}

#[test]
fn what_needs_a_restart_is_named_and_kept() {
    let broker = Setup::new("").without_env("SLUICE_SERVER__LISTEN").file(
        "sluice.toml",
        "[server]\nlisten = \"127.0.0.1:0\"\nmax_connections = 10\n",
    );
    let broker = broker.start();
    broker.reconfigure(
        "[server]\nlisten = \"127.0.0.1:1\"\nping_interval = \"1s\"\nmax_connections = 20\n",
    );
    let told = broker.logs.wait("what is needed", |record| {
        record.message() == "restart needed"
    });
    assert_eq!(text(&told, "keys"), "server.listen, server.ping_interval");
    assert!(
        text(&told, "changes").contains("127.0.0.1:0 -> 127.0.0.1:1"),
        "{told:?}"
    );
    // What waits is not half of a change: the rest has changed, and the old values hold.
    let applied = broker
        .logs
        .wait("the rest", |record| record.message() == "reload applied");
    assert_eq!(
        text(&applied, "changes"),
        "server.max_connections: 10 -> 20"
    );
    assert_eq!(broker.socket().handshake["pingInterval"], 25_000);
    let shown = broker.get("/api/v1/node").json();
    let wanted = json!([
        {"key": "server.listen", "old": "127.0.0.1:0", "new": "127.0.0.1:1"},
        {"key": "server.ping_interval", "old": "25s", "new": "1s"},
    ]);
    assert_eq!(shown["restart_needed"], wanted, "{shown}");
    let readiness = broker.get("/readyz");
    assert_eq!(readiness.status, 200, "{readiness:?}");
    assert_eq!(
        readiness.json()["restart_needed"],
        json!(["server.listen", "server.ping_interval"])
    );
    let waiting = |key| {
        broker
            .metrics()
            .sum("sluice_restart_needed", &[("key", key)])
    };
    assert_eq!(waiting("server.listen"), 1.0);
    let answer = broker.post("/api/v1/reload", &json!({})).json();
    assert_eq!(answer["restart_needed"], wanted, "{answer}");
    assert_eq!(answer["changed"], false, "{answer}");
    let told = ask(&broker, &["reload"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    for words in [
        "needs a restart",
        "server.ping_interval",
        "nothing has changed",
    ] {
        assert!(told.stdout.contains(words), "{told:?}");
    }
    // Taken back in the file, it waits no more.
    broker.reconfigure("[server]\nlisten = \"127.0.0.1:0\"\nmax_connections = 20\n");
    eventually("nothing to wait for", || {
        let shown = broker.get("/api/v1/node").json();
        (shown["restart_needed"] == json!([])).then_some(())
    });
    eventually("its gauge", || {
        (waiting("server.listen") == 0.0).then_some(())
    });
}

/// The bounds that hold are those that are asked for, for whoever comes next.
#[test]
fn limits_change() {
    let broker = unwatched("[server]\nmax_connections = 1\n").start();
    let first = broker.socket();
    let refused = || {
        http::request(broker.listen, "GET", POLLING, &[], &[])
            .unwrap()
            .status
    };
    assert_eq!(refused(), 503);
    let answer = hang_up(
        &broker,
        "[server]\nmax_connections = 10\ndrain_period = \"100ms\"\n",
    );
    assert!(answer.has("result", "changed"), "{answer:?}");
    assert_eq!(refused(), 200);
    drop(first);
    // The drain's as well, which is ten seconds otherwise.
    let logs = broker.logs.clone();
    assert_eq!(broker.stop(), 0);
    // The process has ended; its last lines may still be read.
    logs.wait("a drain of 100 ms", |record| {
        record.message() == "draining" && record.line.contains("100")
    });
}

#[test]
fn how_long_answers_are_waited_for_changes() {
    let broker = unwatched(&format!("[server]\nack_timeout = \"60s\"\n{RELAY}")).start();
    let answer = hang_up(
        &broker,
        &format!("[server]\nack_timeout = \"50ms\"\n{RELAY}"),
    );
    assert_eq!(text(&answer, "changes"), "server.ack_timeout: 60s -> 50ms");
    let node = Driver::node();
    let client = node.connect("silent", &broker.url("/"), &websocket());
    client.ok("all:x", json!([]));
    // The client has no listener that answers, so only the new patience lets the request end in time.
    let body = json!({"namespace": "/", "event": "asked", "args": [], "ack": true});
    let emitted = broker.post("/api/v1/emit", &body);
    assert_eq!(emitted.status, 200, "{emitted:?}");
    assert_eq!(emitted.json()["missing"], 1, "{emitted:?}");
}

/// Who may ask is decided by the tokens of the moment.
#[test]
fn tokens_of_operators_change() {
    let tokens = |first: &str| {
        format!(
            "[admin]\ntoken = \"{first}\"\n[[admin.tokens]]\nname = \"looks\"\ntoken = \"t-looks\"\n"
        )
    };
    let broker = unwatched(&tokens("t-old")).start();
    let status = |method: &str, path: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", &*bearer)];
        http::request(broker.admin(), method, path, &headers, &[])
            .unwrap()
            .status
    };
    assert_eq!(status("GET", "/api/v1/node", "t-old"), 200);
    let answer = hang_up(&broker, &tokens("t-new"));
    assert_eq!(
        text(&answer, "changes"),
        "admin.token: (not shown) -> (not shown)"
    );
    assert_eq!(status("GET", "/api/v1/node", "t-old"), 401);
    assert_eq!(status("POST", "/api/v1/reload", "t-looks"), 403);
    assert_eq!(status("POST", "/api/v1/reload", "t-new"), 200);
    // Not half of it: one that has no name of its own keeps the other from being taken away.
    let twice = tokens("t-new").replace("looks\"\n", "admin\"\n");
    assert!(hang_up(&broker, &twice).has("result", "refused"));
    assert_eq!(status("GET", "/api/v1/node", "t-new"), 200);
    assert_eq!(status("GET", "/api/v1/node", "t-looks"), 200);
    let answer = hang_up(&broker, "[admin]\ntoken = \"t-new\"\n");
    assert_eq!(text(&answer, "changes"), "admin.tokens[looks]: removed");
    assert_eq!(status("GET", "/api/v1/node", "t-looks"), 401);
    assert!(!broker.logs.text().contains("t-new"));
}

#[test]
fn secrets_are_in_no_answer() {
    const HIDDEN: [&str; 2] = ["hush-hush-one-hush-hush", "hush-hush-two-hush-hush"];
    let config = "[admin]\ntoken = \"${TOKEN}\"\n[server.cors]\norigins = [\"${PAGE}\"]\n";
    let env = |secret: &str| format!("TOKEN={secret}\nPAGE=https://{secret}.example\n");
    let broker = unwatched(config).file(".env", env(HIDDEN[0])).start();
    std::fs::write(broker.dir().join(".env"), env(HIDDEN[1])).unwrap();
    let answer = hang_up_as_it_is(&broker);
    assert!(
        text(&answer, "changes").contains("server.cors.origins: (not shown)"),
        "{answer:?}"
    );
    let shown = [broker.logs.text(), answer.line.clone()].concat();
    for secret in HIDDEN {
        assert!(!shown.contains(secret), "{shown}");
    }
    let _: Value = serde_json::from_str(&answer.line).unwrap();
}
