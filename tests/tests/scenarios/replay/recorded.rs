//! Events that are recorded from a broker that serves, to be played.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use sluice_tests::{Broker, Driver, raw};

use super::{CONFIG, objects};
use crate::operator::ask;
use crate::shared::RELAY;

/// A recording that has begun: its head has been read.
struct Recording(TcpStream);

impl Recording {
    fn begin(broker: &Broker, wanted: &Value) -> Self {
        let mut stream = raw::connect(broker.admin());
        let body = wanted.to_string();
        let request = format!(
            "POST /api/v1/record HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            broker.admin(),
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head);
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        assert!(head.contains("application/x-ndjson"), "{head}");
        Self(stream)
    }

    /// The lines, once it is over.
    fn end(mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }
}

fn serving() -> Broker {
    let config = r#"
        [[policy]]
        name = "fixture-gate"
        [policy.config]
        deny = [{ event = "all:bad*", code = "bad_word", message = "Mind your tongue" }]
        drop = ["all:void"]
    "#;
    Broker::start(&format!("{config}{RELAY}"), &["fixture-gate"])
}

#[test]
fn what_is_recorded_comes_to_the_same_when_it_is_played() {
    let node = Driver::node();
    let broker = serving();
    let everything = json!({"limit": 6, "redact": "none", "auth": true, "headers": ["user-agent"]});
    let recording = Recording::begin(&broker, &everything);
    let busy = broker.post("/api/v1/record", &json!({}));
    assert_eq!(busy.status, 409, "{busy:?}");
    assert_eq!(busy.json()["code"], "recording");
    let auth = json!({"user": "ann", "rooms": ["one"]});
    let options = json!({"transports": ["websocket"], "auth": auth});
    let ann = node.connect("ann", &broker.url("/"), &options);
    ann.denied("all:bad one", json!([{"$bin": "AAEC"}]));
    ann.ok("all:void", json!([1]));
    ann.ok("all:fine", json!(["ü", 1.5]));
    ann.ok("join", json!(["r"]));
    ann.disconnect();
    let text = recording.end();
    let lines = objects(&text);
    assert_eq!(lines.len(), 6, "{text}");
    let outcomes = ["accept", "deny", "drop", "pass", "pass", "pass"];
    for (line, outcome) in lines.iter().zip(outcomes) {
        assert_eq!(line["outcome"], outcome, "{text}");
        assert_eq!(line["socket"], 1, "{text}");
    }
    assert_eq!(lines[0]["auth"], auth);
    assert_eq!(lines[1]["user"], "ann");
    assert_eq!(lines[1]["rooms"], json!(["one"]));
    assert_eq!(lines[1]["attachments"], json!(["AAEC"]));
    assert_eq!(lines[3]["args"], json!(["ü", 1.5]));

    std::fs::write(broker.dir().join("recorded.jsonl"), &text).unwrap();
    let file = "policies/fixture-gate.wasm";
    let test = [
        "policy", "test", file, "--config", CONFIG, "--json", "--events",
    ];
    let played = broker.run(&[&test[..], &["recorded.jsonl"]].concat());
    assert_eq!(played.code, Some(0), "{played:?}");
    for (played, line) in objects(&played.stdout).iter().zip(&lines) {
        if line["hook"] == "event" || line["hook"] == "connect" {
            // An event that the policy is not interested in passes.
            let verdict = match &played["verdict"] {
                verdict if verdict == "not_called" => &json!("pass"),
                verdict => verdict,
            };
            assert_eq!(verdict, &line["outcome"], "{played} {line}");
        }
    }
    // Another may begin now, also from the command line.
    let told = ask(&broker, &["record", "--seconds", "1", "--hook", "connect"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(told.stdout, "");
    let told = ask(&broker, &["record", "--limit", "0"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stderr.contains("1 to 100000"), "{told:?}");
}

#[test]
fn what_clients_say_is_taken_out_unless_it_is_asked_for() {
    let node = Driver::node();
    let broker = serving();
    let recording = Recording::begin(&broker, &json!({"limit": 2, "events": ["all:*"]}));
    let auth = json!({"user": "ann", "secret": "hunter2"});
    let url = broker.url("/?code=hunter2");
    let options =
        json!({"transports": ["websocket"], "auth": auth, "extraHeaders": {"cookie": "hunter2"}});
    let ann = node.connect("ann", &url, &options);
    ann.ok("other", json!(["hunter2"]));
    ann.ok(
        "all:said",
        json!([{"password": "hunter2", "n": 7}, {"$bin": "aHVudGVyMg=="}]),
    );
    let text = recording.end();
    assert!(
        !text.contains("hunter2") && !text.contains("aHVudGVyMg"),
        "{text}"
    );
    let lines = objects(&text);
    assert_eq!(lines[0]["auth"], Value::Null);
    assert_eq!(lines[0]["headers"], Value::Null);
    assert_eq!(lines[1]["args"][0], json!({"password": "xxxxxxx", "n": 7}));

    let recording = Recording::begin(
        &broker,
        &json!({"limit": 1, "hooks": ["event"], "redact": ["/0/password"]}),
    );
    ann.ok("all:said", json!([{"password": "hunter2", "n": "seven"}]));
    let lines = objects(&recording.end());
    assert_eq!(
        lines[0]["args"],
        json!([{"password": "xxxxxxx", "n": "seven"}])
    );
    assert_eq!(lines[0]["user"], "ann");

    for (wrong, field) in [
        (json!({"seconds": 301}), "seconds"),
        (json!({"limit": 0}), "limit"),
        (json!({"redact": "some"}), "redact"),
        (json!({"second": 1}), "second"),
        (json!({"hooks": ["evnt"]}), "hooks[0]"),
    ] {
        let told = broker.post("/api/v1/record", &wrong);
        assert_eq!(told.status, 422, "{told:?}");
        assert_eq!(told.json()["field"], field, "{told:?}");
    }
}
