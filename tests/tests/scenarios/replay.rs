//! Events that are played against a policy without a broker, and what calls cost.

mod recorded;

use serde_json::{Value, json};
use sluice_tests::{Exited, Setup};

const CONFIG: &str = r#"{"deny":[{"event":"all:bad*","code":"bad_word","message":"Mind your tongue"}],"drop":["all:void"]}"#;

const EVENTS: &str = r#"{"hook":"connect","auth":{"user":"ann","rooms":["one"]},"expect":{"verdict":"accept","identity":{"user":"ann"}}}

{"hook":"event","event":"all:bad one","args":[1.0],"expect":{"verdict":"deny","code":"bad_word"}}
{"hook":"event","event":"all:fine","args":["x"],"expect":{"verdict":"drop"}}
{"hook":"disconnect","reason":"client"}
"#;

fn test(setup: &Setup, more: &[&str]) -> Exited {
    let file = "policies/fixture-gate.wasm";
    setup.run(&[&["policy", "test", file, "--config", CONFIG][..], more].concat())
}

fn objects(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn what_differs_from_what_is_expected_is_told_with_its_line() {
    let setup = Setup::new("")
        .modules(&["fixture-gate"])
        .file("events.jsonl", EVENTS);
    let told = test(&setup, &["--events", "events.jsonl"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(
        told.stdout
            .contains(r#"line 4: expected {"verdict":"drop"}"#),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout
            .contains(r#"line 4: got      {"verdict":"not_called"}"#),
        "{}",
        told.stdout
    );
    assert!(
        told.stderr.contains("1 of 3") && told.stderr.contains("line 4"),
        "{}",
        told.stderr
    );

    // As data: an object a call, then the summary.
    let told = test(&setup, &["--events", "events.jsonl", "--json"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    let objects = objects(&told.stdout);
    assert_eq!(objects.len(), 5);
    assert_eq!(objects[1]["denial"]["code"], "bad_word");
    assert_eq!(objects[1]["line"], 3);
    assert_eq!(objects[2]["expected"], json!({"verdict": "drop"}));
    let summary = &objects[4]["summary"];
    assert_eq!(summary["calls"], 4);
    assert_eq!(summary["unmet"], json!([4]));
    assert!(summary["latency_ns"]["p99"].as_u64() > Some(0), "{summary}");

    // Written into the file, it is what is expected from now on, and everything else stays as it was.
    let told = test(&setup, &["--events", "events.jsonl", "--update"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let updated = std::fs::read_to_string(setup.dir().join("events.jsonl")).unwrap();
    assert!(
        updated.contains(r#"{"hook":"event","event":"all:bad one","args":[1.0],"expect":{"verdict":"deny","denial":{"code":"bad_word","message":"Mind your tongue","disconnect":false}}}"#),
        "{updated}"
    );
    let told = test(&setup, &["--events", "events.jsonl"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(
        told.stdout.contains("expectations met: 4 of 4"),
        "{}",
        told.stdout
    );
}

/// 78: it is the policy or its configuration; 2: it is the command line or the events.
#[test]
fn exit_codes_say_what_is_wrong() {
    let setup = Setup::new("")
        .modules(&["fixture-gate", "fixture-refuse"])
        .file("events.jsonl", EVENTS)
        .file(
            "wrong.jsonl",
            "{\"hook\":\"connect\"}\n{\"hook\":\"event\",\"evnt\":\"x\"}\n",
        )
        .file("core.wasm", b"\0asm\x01\0\0\0");
    let run = |arguments: &[&str]| setup.run(&[&["policy", "test"], arguments].concat());
    let events = ["--events", "events.jsonl"];
    for module in ["core.wasm", "nowhere.wasm", "policies/fixture-refuse.wasm"] {
        let told = run(&[&[module][..], &events].concat());
        assert_eq!(told.code, Some(78), "{told:?}");
        assert!(told.stderr.contains(module), "{told:?}");
    }
    let gate = "policies/fixture-gate.wasm";
    let told = run(&[
        gate,
        "--events",
        "events.jsonl",
        "--config",
        r#"{"den":[]}"#,
    ]);
    assert_eq!(told.code, Some(78), "{told:?}");
    assert!(told.stderr.contains("den"), "{told:?}");
    let told = run(&[gate, "--events", "wrong.jsonl"]);
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(
        told.stderr.contains("wrong.jsonl:2") && told.stderr.contains("evnt"),
        "{told:?}"
    );
    for wrong in [
        &[gate][..],
        &[gate, "--events", "-", "--update"],
        &[gate, "--serve", "--json"],
    ] {
        assert_eq!(run(wrong).code, Some(2), "{wrong:?}");
    }
}

/// What the SDK's tests write and read.
#[test]
fn a_line_in_is_a_line_out() {
    let setup = Setup::new("").modules(&["fixture-gate"]);
    let lines = [
        r#"{"hook":"event","event":"x"}"#,
        r#"{"configure":{"drop":["all:void"]},"at_ms":1000}"#,
        r#"{"configure":{"unheard":1}}"#,
        r#"{"at_ms":2000,"hook":"connect","socket":7,"auth":{"user":"ann","rooms":["one"]}}"#,
        r#"{"hook":"event","socket":7,"event":"all:void","args":["x"],"wants_ack":true}"#,
        r#"{"at_ms":1,"hook":"disconnect","reason":"client"}"#,
        "no JSON",
    ];
    let answered = setup.run_with_input(
        &["policy", "test", "policies/fixture-gate.wasm", "--serve"],
        &(lines.join("\n") + "\n"),
    );
    assert_eq!(answered.code, Some(0), "{answered:?}");
    let answers = objects(&answered.stdout);
    assert_eq!(answers.len(), lines.len(), "{answered:?}");
    assert!(
        answers[0]["error"]
            .as_str()
            .unwrap()
            .contains("no configuration")
    );
    let configured = &answers[1]["configured"];
    assert_eq!(configured["name"], "fixture-gate");
    assert!(
        configured["interests"]["events"][0]["name"].is_string(),
        "{configured}"
    );
    assert!(
        answers[2]["refused"].as_str().unwrap().contains("unheard"),
        "{}",
        answers[2]
    );
    assert_eq!(answers[3]["verdict"], "accept");
    assert_eq!(answers[3]["identity"]["rooms"], json!(["one"]));
    assert!(answers[3]["ns"].as_u64() > Some(0), "{}", answers[3]);
    assert_eq!(answers[4]["verdict"], "drop");
    assert!(
        answers[5]["error"]
            .as_str()
            .unwrap()
            .contains("does not go back")
    );
    assert!(answers[6]["error"].is_string());
}

#[test]
fn what_calls_cost_is_measured() {
    let setup = Setup::new("")
        .modules(&["fixture-gate"])
        .file("events.jsonl", EVENTS);
    let file = "policies/fixture-gate.wasm";
    let bench = [
        "policy", "bench", file, "--time", "20ms", "--config", CONFIG,
    ];
    for (more, rows) in [
        (&["--events", "events.jsonl", "--threads", "2"][..], 4),
        (&[], 1),
    ] {
        let told = setup.run(&[&bench[..], &["--json"], more].concat());
        assert_eq!(told.code, Some(0), "{told:?}");
        let told: Value = serde_json::from_str(&told.stdout).unwrap();
        assert!(told["calls"].as_array().unwrap().len() >= rows, "{told}");
        for row in told["calls"].as_array().unwrap() {
            assert!(row["mean_ns"].as_f64() > Some(0.0), "{row}");
            assert!(row["p50_ns"].as_u64() <= row["p99_ns"].as_u64(), "{row}");
        }
        assert!(told["empty_call_ns"].as_f64() > Some(0.0), "{told}");
        assert!(told["instance"]["new_ns"].as_u64() > Some(0), "{told}");
        assert!(
            told["instance"]["memory_bytes"].as_u64() >= Some(1 << 16),
            "{told}"
        );
    }
    let told = setup.run(&bench);
    assert!(told.stdout.contains("empty call"), "{told:?}");
}

/// As in a broker: the fifth is not made.
#[test]
fn a_call_makes_as_many_requests_as_one_in_a_broker_may() {
    let line = |again: u32, socket: u32| {
        format!(r#"{{"hook":"connect","socket":{socket},"auth":{{"ask":"/who","again":{again}}}}}"#)
    };
    let events = format!(
        "{}\n{}\n{}\n",
        r#"{"http":{"url":"http://backend/who","status":200,"body":"ann"}}"#,
        line(3, 1),
        line(4, 2)
    );
    let setup = Setup::new("")
        .modules(&["fixture-asker"])
        .file("events.jsonl", &events);
    let file = "policies/fixture-asker.wasm";
    let config = r#"{"url":"http://backend"}"#;
    let told = setup.run(&[
        "policy",
        "test",
        file,
        "--config",
        config,
        "--events",
        "events.jsonl",
        "--json",
    ]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let calls = objects(&told.stdout);
    assert_eq!(calls[0]["verdict"], "accept", "{}", calls[0]);
    assert_eq!(calls[0]["http"].as_array().map(Vec::len), Some(4));
    assert_eq!(calls[1]["denial"]["code"], "refused", "{}", calls[1]);
    assert_eq!(calls[1]["http"].as_array().map(Vec::len), Some(4));
}
