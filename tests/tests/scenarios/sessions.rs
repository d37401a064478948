//! A socket lasts as long as what it was let in with, or as long as its client shows something newer in time.

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver, eventually, jwt};

use crate::shared::{RELAY, SECRET, mark, own_code};

/// Clients are users by their tokens; `session` is what `[namespace.session]` says.
fn broker(session: &str) -> Broker {
    let config = format!(
        "[server]\nreactors = 2\n\
         [[policy]]\nname = \"jwt-auth\"\n\
         config = {{ secret = \"{SECRET}\", attributes = [\"plan\", \"trial\"], rooms_claim = \"rooms\" }}\n\
         {RELAY}\n[namespace.session]\n{session}\n"
    );
    Broker::start(&config, &["jwt-auth"])
}

const REFRESH: &str = "on_expiry = \"refresh\"\nrefresh_before = \"2s\"";

/// Seconds that a token lasts with which a client connects, is told how to answer, and is asked: time for all of it.
const BRIEF: f64 = 4.5;

/// Seconds from now on, as a token has them.
fn later(seconds: f64) -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("a clock after 1970").as_secs_f64() + seconds
}

/// A token of Alice's that lasts so long.
fn token(seconds: f64) -> String {
    jwt::sign(&json!({"sub": "alice", "exp": later(seconds)}), SECRET)
}

fn shown(token: &str) -> Value {
    json!({"token": token})
}

fn over(transport: &str, token: &str) -> Value {
    json!({"transports": [transport], "auth": shown(token), "reconnection": true, "reconnectionDelay": 50})
}

fn connect(node: &Driver, broker: &Broker, name: &str, token: &str) -> Client {
    node.connect(name, &broker.url("/"), &over("websocket", token))
}

fn refreshes(broker: &Broker, result: &str) -> f64 {
    let labels = [("result", result)];
    broker
        .metrics()
        .sum("sluice_session_refreshes_total", &labels)
}

fn wait_refreshed(broker: &Broker, count: f64) {
    eventually("a session that is refreshed", || {
        (refreshes(broker, "ok") == count).then_some(())
    });
}

fn wait_until(seconds: f64) {
    eventually("time to pass", || (later(0.0) > seconds).then_some(()));
}

fn info(broker: &Broker, client: &Client) -> Value {
    let sid = client.state()["sid"].clone();
    broker
        .get(&format!("/api/v1/sockets/{}", sid.as_str().expect("an id")))
        .json()
}

#[test]
fn a_socket_ends_with_its_token_and_is_told_so() {
    let node = Driver::node();
    let broker = broker("");
    let endless = jwt::sign(&json!({"sub": "bob"}), SECRET);
    let stays = connect(&node, &broker, "stays", &endless);
    let ending = ["websocket", "polling"].map(|transport| {
        let end = later(4.0);
        let options = over(transport, &token(4.0));
        (node.connect(transport, &broker.url("/"), &options), end)
    });
    for (client, end) in &ending {
        let told = client.expect("error");
        assert_eq!(own_code(&told[0]), "token_expired");
        // The client's word for it: it does not come back by itself, with the token that has expired.
        assert_eq!(client.disconnected(), "io server disconnect");
        assert!(later(0.0) >= *end, "it ended too early");
        assert_eq!(client.state()["active"], false);
    }
    let labels = [("reason", "token expired")];
    eventually("two sockets that have ended", || {
        let ended = broker.metrics().sum("sluice_disconnects_total", &labels);
        (ended == 2.0).then_some(())
    });
    let refused = node.try_connect("late", &broker.url("/"), &over("websocket", &token(-1.0)));
    assert_eq!(refused.err().expect("a refusal").code(), "token_expired");
    mark(&stays, &[&stays]);
}

#[test]
fn a_client_that_answers_with_a_newer_token_stays() {
    let node = Driver::node();
    let broker = broker(REFRESH);
    let end = later(BRIEF);
    let clients = ["websocket", "polling"].map(|transport| {
        let options = over(transport, &token(BRIEF));
        let client = node.connect(transport, &broker.url("/"), &options);
        client.answers("token_refresh", json!([shown(&token(3600.0))]));
        client
    });
    for client in &clients {
        let asked = client.expect("token_refresh");
        let left = asked[0]["expires_in_ms"].as_u64().expect("milliseconds");
        assert!((1..=2_500).contains(&left), "{asked:?}");
    }
    wait_refreshed(&broker, 2.0);
    wait_until(end + 0.5);
    let [a, b] = &clients;
    mark(a, &[a, b]);
    let wanted = broker
        .metrics()
        .sum("sluice_session_refreshes_wanted_total", &[]);
    assert_eq!(wanted, 2.0);
}

#[test]
fn a_client_that_does_not_answer_is_ended() {
    let node = Driver::node();
    let broker = broker(REFRESH);
    let silent = connect(&node, &broker, "silent", &token(BRIEF));
    let [nothing, late] = ["nothing", "late"].map(|name| {
        let client = connect(&node, &broker, name, &token(BRIEF));
        let answer = match name {
            "nothing" => json!([null]),
            _ => json!([shown(&token(-1.0))]),
        };
        client.answers("token_refresh", answer);
        client
    });
    for client in [&silent, &nothing, &late] {
        client.expect("token_refresh");
    }
    // What it shows is refused, as it would be when it connects.
    let told = late.expect("error");
    assert_eq!(
        (&told[0]["code"], &told[0]["policy"]),
        (&json!("token_expired"), &json!("jwt-auth"))
    );
    for client in [&silent, &nothing, &late] {
        assert_eq!(own_code(&client.expect("error")[0]), "token_expired");
        assert_eq!(client.disconnected(), "io server disconnect");
    }
    assert_eq!(
        (refreshes(&broker, "ok"), refreshes(&broker, "denied")),
        (0.0, 1.0)
    );
}

#[test]
fn what_a_client_shows_takes_the_place_of_what_it_came_with() {
    let node = Driver::node();
    let broker = broker(REFRESH);
    let first = json!({"sub": "alice", "exp": later(60.0), "trial": "yes", "plan": "free", "rooms": ["old"]});
    let a = connect(&node, &broker, "a", &jwt::sign(&first, SECRET));
    let b = connect(&node, &broker, "b", &token(60.0));
    assert_eq!(
        info(&broker, &a)["attributes"],
        json!({"plan": "free", "trial": "yes"})
    );
    let newer = json!({"sub": "alice", "exp": later(120.0), "plan": "pro", "rooms": ["new"]});
    let answer = a.ask(
        "session_refresh",
        json!([shown(&jwt::sign(&newer, SECRET))]),
    );
    let left = answer[0]["expires_in_ms"].as_u64().expect("milliseconds");
    assert!(answer[0]["ok"] == true && left > 60_000, "{answer:?}");
    let now = info(&broker, &a);
    assert_eq!(now["attributes"], json!({"plan": "pro"}), "{now}");
    assert_eq!(now["user"], "alice");
    assert_eq!(
        now["rooms"],
        json!(["new", "old"]),
        "rooms that it is in it stays in"
    );
    b.emit("room:news", json!(["new", 1]));
    assert_eq!(a.expect("room:news"), [json!("new"), json!(1)]);
}

#[test]
fn what_is_no_refresh_changes_nothing() {
    let node = Driver::node();
    let broker = broker(REFRESH);
    let end = later(4.0);
    let denied = |name: &str, args: Value| {
        let client = connect(&node, &broker, name, &token(4.0));
        let denial = client.denied("session_refresh", args);
        (
            denial["code"].as_str().unwrap_or_default().to_owned(),
            client,
        )
    };
    let bob = jwt::sign(&json!({"sub": "bob", "exp": later(60.0)}), SECRET);
    let forged = jwt::sign(
        &json!({"sub": "alice"}),
        "another secret of at least 32 bytes",
    );
    let (code, other) = denied("other", json!([shown(&bob)]));
    assert_eq!(code, "other_user");
    assert_eq!(info(&broker, &other)["user"], "alice");
    assert_eq!(denied("forged", json!([shown(&forged)])).0, "token_invalid");
    assert_eq!(denied("nothing", json!([])).0, "invalid_packet");
    let huge = json!([{"token": "x".repeat(65 << 10)}]);
    assert_eq!(denied("huge", huge).0, "too_large");
    // Its own token still counts, and no longer.
    other.expect("token_refresh");
    assert_eq!(own_code(&other.expect("error")[0]), "token_expired");
    assert!(later(0.0) >= end);
}

#[test]
fn a_storm_of_refreshes_costs_little() {
    let node = Driver::node();
    let broker = broker(REFRESH);
    let a = connect(&node, &broker, "a", &token(60.0));
    let asked = || {
        let labels = [("policy", "jwt-auth"), ("hook", "connect")];
        broker
            .metrics()
            .sum("sluice_policy_verdicts_total", &labels)
    };
    let before = asked();
    let options = json!({"ack": true, "template": {"token": token(120.0)}});
    let flood = a.flood("session_refresh", 300, 10_000, &options).wait();
    let refused = flood.answers.iter().filter(|(_, answer, _)| {
        answer["error"]["code"] == "overloaded" && answer["error"]["message"].is_string()
    });
    // One a second, and the machine may be slow.
    let refused = refused.count();
    let most = 2.0 + flood.elapsed.as_secs_f64();
    assert!(refused >= 250, "{refused}");
    assert!(asked() - before <= most, "{} of {most}", asked() - before);
    let told = flood
        .answers
        .iter()
        .find_map(|(_, answer, _)| answer["error"]["retry_after_ms"].as_u64());
    assert!(told.is_some_and(|ms| (1..=1_000).contains(&ms)), "{told:?}");
    a.ok("all:mark", json!([1]));
}

#[test]
fn without_refreshing_the_event_is_a_client_s_own() {
    let node = Driver::node();
    let broker = broker("on_expiry = \"ignore\"");
    let end = later(4.0);
    let a = connect(&node, &broker, "a", &token(4.0));
    let b = connect(&node, &broker, "b", &token(4.0));
    a.ok("session_refresh", json!(["x"]));
    assert_eq!(b.expect("session_refresh"), [json!("x")]);
    // And whoever is in stays in.
    wait_until(end + 0.5);
    mark(&a, &[&a, &b]);
}
