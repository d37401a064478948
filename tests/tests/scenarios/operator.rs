//! The operator at the command line, and programs that ask in his name: `sluice` as a client of the API.

mod document;
mod pages;
mod tokens;

use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, Exited};

use crate::shared::{RELAY, SECRET, clients, signed_in};

/// Runs a command against a broker; what it prints.
pub(crate) fn ask(broker: &Broker, arguments: &[&str]) -> Exited {
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

fn asks_for_tokens() -> String {
    let asks = "path = \"/\"\npolicies = [\"jwt-auth\"]";
    format!(
        "[[policy]]\nname = \"jwt-auth\"\nconfig = {{ secret = \"{SECRET}\" }}\n{}",
        RELAY.replacen("path = \"/\"", asks, 1)
    )
}

#[test]
fn the_command_line_shows_what_there_is() {
    let node = Driver::node();
    let config = asks_for_tokens();
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
fn the_command_line_keeps_users_out_and_lets_them_in_again() {
    let node = Driver::node();
    let broker = Broker::start(&asks_for_tokens(), &["jwt-auth"]);
    let mallory = node.connect("mallory", &broker.url("/"), &signed_in("mallory"));
    let said = ask(
        &broker,
        &[
            "revoke", "--user", "mallory", "--for", "1h", "--reason", "left",
        ],
    );
    assert!(
        said.stdout.starts_with("user mallory kept out until ")
            && said.stdout.contains("1 sockets ended"),
        "{said:?}"
    );
    assert_eq!(mallory.disconnected(), "io server disconnect");
    let again = node.try_connect("again", &broker.url("/"), &signed_in("mallory"));
    assert_eq!(again.err().expect("kept out").code(), "revoked");
    let listed = table(&broker, &["revoke", "--list"]);
    assert_eq!(listed[0][0], "WHO");
    assert!(listed[1][0].contains("mallory"), "{listed:?}");
    let said = ask(&broker, &["revoke", "--user", "mallory", "--lift"]);
    assert!(said.stdout.contains("let in again"), "{said:?}");
    node.connect("back", &broker.url("/"), &signed_in("mallory"));
}

#[test]
fn the_command_line_says_what_is_wrong_and_how_it_ended() {
    let broker = Broker::start(RELAY, &[]);
    for (arguments, code, word) in [
        (&["emit", "/nowhere", "x"][..], 1, "unknown_namespace"),
        (&["emit", "/", "disconnect"], 1, "reserved_event"),
        (&["emit", "/", "x", "--ack=soon"], 1, "ack.timeout"),
        (&["sockets", "nobody"], 1, "unknown_socket"),
        (&["sockets", "--limit", "0"], 2, "limit"),
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
