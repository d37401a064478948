//! Users and tokens are kept out from one moment to the next: on one node, on all, and on those that come later.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Cluster, Driver, Refusal, Setup, eventually, http, jwt};

use crate::shared::{RELAY, SECRET, mark, own_code};

fn config() -> String {
    format!(
        "[server]\nreactors = 2\n\
         [[policy]]\nname = \"jwt-auth\"\nconfig = {{ secret = \"{SECRET}\" }}\n\
         {RELAY}\n[[namespace]]\npath = \"/other\"\n"
    )
}

fn setup() -> Setup {
    Setup::new(&config()).modules(&["jwt-auth"])
}

/// A token of this user that was issued a while ago.
fn token(user: &str, id: &str) -> String {
    let claims = json!({"sub": user, "jti": id, "iat": jwt::now() - 60, "exp": jwt::now() + 3600});
    jwt::sign(&claims, SECRET)
}

fn with(token: &str) -> Value {
    json!({"transports": ["websocket"], "auth": {"token": token}})
}

fn connect(node: &Driver, broker: &Broker, name: &str, token: &str) -> Client {
    node.connect(name, &broker.url("/"), &with(token))
}

fn refused(node: &Driver, broker: &Broker, name: &str, token: &str) -> Refusal {
    let refused = node.try_connect(name, &broker.url("/"), &with(token));
    refused.err().unwrap_or_else(|| panic!("{name} was let in"))
}

fn ok(response: &http::Response) -> Value {
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

fn revoke(broker: &Broker, body: &Value) -> Value {
    ok(&broker.post("/api/v1/revocations", body))
}

fn lift(broker: &Broker, query: &str) -> http::Response {
    broker.delete(&format!("/api/v1/revocations?{query}"))
}

fn list(broker: &Broker) -> Value {
    ok(&broker.get("/api/v1/revocations"))["revocations"].clone()
}

fn is_ended(client: &Client) {
    assert_eq!(own_code(&client.expect("error")[0]), "revoked");
    assert_eq!(client.disconnected(), "io server disconnect");
}

#[test]
fn a_user_is_out_and_may_come_back_with_something_newer() {
    let node = Driver::node();
    let broker = setup().start();
    let old = token("alice", "1");
    let clients = ["a", "b", "c"].map(|name| connect(&node, &broker, name, &old));
    let bob = connect(&node, &broker, "bob", &token("bob", "2"));
    let body = json!({"user": "alice", "reason": "left the company", "ttl": "1h"});
    let made = revoke(&broker, &body);
    assert_eq!(
        (&made["sockets"], &made["reach"]),
        (&json!(3), &json!("node")),
        "{made}"
    );
    clients.iter().for_each(is_ended);
    let refusal = refused(&node, &broker, "again", &old);
    assert_eq!(
        (refusal.code(), &refusal.data["policy"]),
        ("revoked", &Value::Null)
    );
    assert!(!refusal.data.to_string().contains("company"), "{refusal:?}");
    // What is issued from the next second on is another matter; what does not say when it was issued is not.
    let newer = json!({"sub": "alice", "iat": jwt::now() + 1});
    connect(&node, &broker, "newer", &jwt::sign(&newer, SECRET));
    let undated = jwt::sign(&json!({"sub": "alice"}), SECRET);
    assert_eq!(
        refused(&node, &broker, "undated", &undated).code(),
        "revoked"
    );
    let listed = list(&broker);
    assert_eq!(
        (&listed[0]["user"], &listed[0]["reason"]),
        (&json!("alice"), &json!("left the company"))
    );
    let labels = [("reason", "revoked")];
    eventually("three sockets that have ended", || {
        let ended = broker.metrics().sum("sluice_disconnects_total", &labels);
        (ended == 3.0).then_some(())
    });
    // Taken back, and not twice.
    assert_eq!(
        ok(&lift(&broker, "user=alice"))["revocation"]["user"],
        "alice"
    );
    assert_eq!(lift(&broker, "user=alice").status, 404);
    assert_eq!(list(&broker), json!([]));
    connect(&node, &broker, "back", &old);
    mark(&bob, &[&bob]);
}

#[test]
fn a_token_is_out_and_its_user_is_not() {
    let node = Driver::node();
    let broker = setup().start();
    let [one, two] = ["one", "two"].map(|id| token("alice", id));
    let a = connect(&node, &broker, "a", &one);
    let b = connect(&node, &broker, "b", &two);
    let other = node.connect("other", &broker.url("/other"), &with(&one));
    let made = revoke(&broker, &json!({"token_id": "one", "namespace": "/"}));
    assert_eq!(made["sockets"], 1, "{made}");
    is_ended(&a);
    assert_eq!(refused(&node, &broker, "again", &one).code(), "revoked");
    assert_eq!(other.state()["connected"], true);
    let made = revoke(&broker, &json!({"token_id": "one"}));
    assert_eq!(made["sockets"], 1, "{made}");
    is_ended(&other);
    mark(&b, &[&b]);
}

#[test]
fn a_revocation_ends() {
    let node = Driver::node();
    let broker = setup().start();
    let old = token("alice", "1");
    let begin = Instant::now();
    revoke(&broker, &json!({"user": "alice", "ttl": 5}));
    assert_eq!(refused(&node, &broker, "early", &old).code(), "revoked");
    let mut tries = 0;
    eventually("the end of it", || {
        tries += 1;
        let name = format!("try {tries}");
        node.try_connect(&name, &broker.url("/"), &with(&old)).ok()
    });
    assert!(begin.elapsed() >= Duration::from_secs(5));
    assert_eq!(list(&broker), json!([]));
    eventually("nothing that is kept", || {
        (broker.metrics().sum("sluice_revocations", &[]) == 0.0).then_some(())
    });
}

#[test]
fn what_makes_no_sense_is_told_by_field() {
    let broker = setup().start();
    for (body, field) in [
        (json!({}), "user"),
        (json!({"user": "a", "token_id": "b"}), "user"),
        (json!({"user": ""}), "user"),
        (json!({"token_id": "x".repeat(1025)}), "token_id"),
        (json!({"user": "a", "namespace": "chat"}), "namespace"),
        (json!({"user": "a", "ttl": "soon"}), "ttl"),
        (json!({"user": "a", "ttl": 0}), "ttl"),
        (json!({"user": "a", "ttl": "500d"}), "ttl"),
        (
            json!({"user": "a", "ttl": "1h", "until": "2030-01-01T00:00:00Z"}),
            "until",
        ),
        (
            json!({"user": "a", "until": "2001-01-01T00:00:00Z"}),
            "until",
        ),
        (json!({"user": "a", "until": "tomorrow"}), "until"),
        (json!({"user": "a", "reason": "x".repeat(257)}), "reason"),
    ] {
        let answer = broker.post("/api/v1/revocations", &body);
        assert_eq!(answer.status, 422, "{body} {answer:?}");
        assert_eq!(answer.json()["field"], field, "{body} {answer:?}");
    }
    for query in ["", "user=a&token_id=b", "who=a", "user=a&user=b"] {
        assert_eq!(lift(&broker, query).status, 400, "{query}");
    }
    assert_eq!(broker.get("/api/v1/revocations?limit=0").status, 400);
}

#[test]
fn it_holds_on_every_node_and_on_those_that_come_later() {
    let node = Driver::node();
    // A node has reached the cluster if it has heard itself within three heartbeats, and one that comes later is told
    // what it has missed within the time of a survey.
    let mut cluster = Cluster::start_with(3, |_| {
        setup()
            .env("SLUICE_CLUSTER__HEARTBEAT", "1s")
            .env("SLUICE_CLUSTER__NODE_TIMEOUT", "10s")
            .env("SLUICE_CLUSTER__SURVEY_TIMEOUT", "4s")
    });
    let old = token("alice", "1");
    let clients = [0, 1, 2].map(|at| connect(&node, &cluster[at], &format!("a{at}"), &old));
    let [bob, eve] = [("bob", "2"), ("eve", "3")];
    let bob = connect(&node, &cluster[1], "bob", &token(bob.0, bob.1));
    let eve = connect(&node, &cluster[2], "eve", &token(eve.0, eve.1));
    let made = revoke(&cluster[0], &json!({"user": "alice"}));
    assert_eq!(
        (&made["sockets"], &made["reach"]),
        (&json!(3), &json!("cluster")),
        "{made}"
    );
    assert_eq!(made["silent"], Value::Null);
    clients.iter().for_each(is_ended);
    assert_eq!(revoke(&cluster[0], &json!({"token_id": "3"}))["sockets"], 1);
    is_ended(&eve);
    for at in 0..3 {
        let refusal = refused(&node, &cluster[at], &format!("again {at}"), &old);
        assert_eq!(refusal.code(), "revoked");
        assert_eq!(list(&cluster[at]).as_array().map(Vec::len), Some(2));
    }
    // A node that comes later has missed it, and knows it all the same before it serves.
    // The one before it says that it goes: nobody waits for its answers.
    cluster[2].signal_term();
    cluster[2].wait_exit();
    cluster[2].start_again();
    assert_eq!(refused(&node, &cluster[2], "late", &old).code(), "revoked");
    // Taken back on another one.
    ok(&lift(&cluster[1], "user=alice"));
    eventually("a user that may come in everywhere", || {
        let is_in = (0..2).all(|at| list(&cluster[at]).as_array().map(Vec::len) == Some(1));
        is_in.then_some(())
    });
    connect(&node, &cluster[0], "back", &old);
    mark(&bob, &[&bob]);
}

#[test]
fn a_node_that_was_cut_off_learns_what_it_has_missed() {
    let node = Driver::node();
    // The one that is cut off is waited for, and is a member for as long as it is.
    let cluster = Cluster::start_apart_with(2, |_| {
        setup()
            .env("SLUICE_CLUSTER__SURVEY_TIMEOUT", "1s")
            .env("SLUICE_CLUSTER__NODE_TIMEOUT", "30s")
    });
    let old = token("alice", "1");
    let there = connect(&node, &cluster[1], "there", &old);
    let bob = connect(&node, &cluster[1], "bob", &token("bob", "2"));
    revoke(&cluster[0], &json!({"user": "carol"}));
    eventually("the other to know", || {
        (list(&cluster[1])[0]["user"] == "carol").then_some(())
    });
    cluster.cut(1);
    let made = revoke(&cluster[0], &json!({"user": "alice"}));
    assert_eq!(made["silent"], json!([cluster.name(1)]), "{made}");
    assert_eq!(made["sockets"], 0);
    ok(&lift(&cluster[0], "user=carol"));
    // What the one that is cut off is told holds there, and it says so as soon as it knows.
    eventually("a node that knows that nobody hears it", || {
        (cluster[1].get("/readyz").status == 503).then_some(())
    });
    assert_eq!(there.state()["connected"], true);
    let made = revoke(&cluster[1], &json!({"user": "dave"}));
    assert_eq!(made["reach"], "node", "{made}");
    cluster.heal(1);
    is_ended(&there);
    eventually("two nodes that know the same", || {
        let users = |at: usize| {
            let listed = list(&cluster[at]);
            let each = listed.as_array().cloned().unwrap_or_default().into_iter();
            let mut users: Vec<_> = each.map(|it| it["user"].to_string()).collect();
            users.sort();
            users
        };
        (users(0) == users(1) && users(0) == ["\"alice\"", "\"dave\""]).then_some(())
    });
    assert_eq!(refused(&node, &cluster[1], "again", &old).code(), "revoked");
    mark(&bob, &[&bob]);
}

/// The same as the SDK says in a native test.
#[test]
fn whom_a_policy_gives_a_name_that_nobody_could_revoke_is_refused() {
    let node = Driver::node();
    let broker = Setup::new("[[policy]]\nname = \"fixture-gate\"\n")
        .modules(&["fixture-gate"])
        .start();
    for (client, name) in [("empty", String::new()), ("long", "t".repeat(1025))] {
        let auth = json!({"auth": {"token_id": name}});
        let refused = node.try_connect(client, &broker.url("/"), &auth).err();
        let refused = refused.unwrap_or_else(|| panic!("let in with {name:?}"));
        assert_eq!(refused.code(), "token_id_invalid");
        assert_eq!(refused.message, "a token's id has 1 to 1024 bytes");
    }
    let auth = json!({"auth": {"token_id": "t".repeat(1024)}});
    node.connect("client", &broker.url("/"), &auth);
}
