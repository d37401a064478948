//! The client prints the same with both servers.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{example, start, token, url};
use crate::shared::SECRET;

/// The Node server. Ends with the test.
struct Before(Child, String);

impl Before {
    fn start() -> Self {
        let mut child = Command::new("node")
            .arg(example().join("before/server.js"))
            .env("PORT", "0")
            .env("JWT_SECRET", SECRET)
            .env_remove("REDIS_URL")
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("a line").unwrap();
        // It logs; nobody reads on, and it must not wait for that.
        std::thread::spawn(move || lines.for_each(drop));
        let port = first.strip_prefix("Server running on port ");
        let port = port.unwrap_or_else(|| panic!("not running: {first}"));
        Self(child, format!("http://127.0.0.1:{port}"))
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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
    let before = Before::start();
    let expected = play(&before.1);
    let cluster = start(1);
    let seen = play(&url(&cluster[0], ""));
    assert_eq!(expected.len(), 16, "{expected:?}");
    for (expected, seen) in expected.iter().zip(&seen) {
        assert_eq!(expected, seen);
    }
    assert_eq!(expected.len(), seen.len());
}
