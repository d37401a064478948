//! The client prints the same with both servers.

use std::process::Command;

use serde_json::Value;
use sluice_tests::Service;

use super::{example, start, token, url};
use crate::shared::SECRET;

/// The Node server, and its address.
fn before() -> (Service, String) {
    let (server, said) = Service::run(
        Command::new("node")
            .arg(example().join("before/server.js"))
            .env("PORT", "0")
            .env("JWT_SECRET", SECRET)
            .env_remove("REDIS_URL"),
    );
    let port = said.strip_prefix("Server running on port ");
    let port = port.unwrap_or_else(|| panic!("not running: {said}"));
    (server, format!("http://127.0.0.1:{port}"))
}

/// What the client prints, step by step.
fn play(url: &str) -> Vec<Value> {
    let tokens = ["alice", "bob", "carol"].map(token);
    let played = Command::new("node")
        .arg(example().join("client.mjs"))
        .arg(url)
        .args(tokens)
        .output()
        .expect("Node");
    let printed = String::from_utf8_lossy(&played.stdout).into_owned();
    assert!(played.status.success(), "{printed}{played:?}");
    printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_client_sees_no_difference() {
    let (_server, at) = before();
    let expected = play(&at);
    let cluster = start(1);
    let seen = play(&url(&cluster[0], ""));
    assert_eq!(expected.len(), 16, "{expected:?}");
    for (expected, seen) in expected.iter().zip(&seen) {
        assert_eq!(expected, seen);
    }
    assert_eq!(expected.len(), seen.len());
}
