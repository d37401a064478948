//! What Prometheus reads is what Prometheus takes, and what the examples ask for is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sluice_tests::{Cluster, Driver, Metrics, Setup, eventually, promtool};

use crate::shared::{RELAY, clients};

const LIMITED: &str = r#"
    [[policy]]
    name = "rate-limit"
    config = { limit = "5 per minute" }
    [[namespace]]
    path = "/"
    policies = ["rate-limit"]
    [[namespace.route]]
    event = "all:*"
    to = "all"
"#;

fn repository(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(repository(file)).expect(file)
}

/// The names in docs/metrics.md, which a test of the broker's holds against what it exposes. Histograms have three.
fn documented() -> BTreeSet<String> {
    let document = read("docs/metrics.md");
    let rows = document.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        Some((
            cells.next()?.trim().trim_end_matches('`').to_owned(),
            cells.next()?.trim(),
        ))
    });
    let mut names = BTreeSet::new();
    for (name, kind) in rows {
        if kind == "histogram" {
            names.extend(["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")));
        } else {
            names.insert(name);
        }
    }
    assert!(names.len() > 50, "{names:?}");
    names
}

/// The names of metrics in an expression.
fn named(expression: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !is_word(c));
    let ours = words.filter(|word| word.starts_with("sluice_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// All texts under a key, however deep.
fn texts<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == key => found.push(text),
                    _ => texts(value, key, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, key, found)),
        _ => {}
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&read("examples/deploy/grafana/sluice.json")).expect("JSON")
}

/// The queries of the dashboard, with something in the place of its variables.
fn queries(dashboard: &Value) -> Vec<String> {
    let mut found = Vec::new();
    texts(dashboard, "expr", &mut found);
    let filled = found.iter().map(|query| {
        query
            .replace("$__rate_interval", "1m")
            .replace("$job", "sluice")
            .replace("$instance", ".*")
    });
    filled.collect()
}

#[test]
fn prometheus_takes_what_it_is_given() {
    let node = Driver::node();
    let cluster = Cluster::start_with(2, |_| Setup::new(LIMITED).modules(&["rate-limit"]));
    let [a, b] = clients(&node, &cluster[0], ["a", "b"]);
    for _ in 0..3 {
        a.ok("all:hello", json!(["all"]));
    }
    b.disconnect();
    let known = documented();
    let metrics = eventually("the end of a socket", || {
        let metrics = cluster[0].metrics();
        let ended = metrics.sum("sluice_connection_duration_seconds_count", &[]);
        (ended >= 1.0).then_some(metrics)
    });
    for line in metrics.text().lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(known.contains(name), "{name} is not in docs/metrics.md");
    }
    let said = promtool(&["check", "metrics"], metrics.text());
    assert_eq!(said.trim(), "", "promtool has something to say");
}

#[test]
fn traffic_and_its_latency_are_measured() {
    let node = Driver::node();
    let broker = Setup::new(RELAY).start();
    let before = broker.metrics();
    assert_eq!(before.sum("sluice_ready", &[]), 1.0);
    let [a, b] = clients(&node, &broker, ["a", "b"]);
    let text = "x".repeat(1000);
    for _ in 0..20 {
        a.ok("all:hello", json!([text]));
    }
    let metrics = broker.metrics();
    let over = |transport| [("transport", transport)];
    // Through the broker once, and to the one other client.
    assert!(metrics.sum("sluice_received_bytes_total", &over("websocket")) > 20_000.0);
    assert!(metrics.sum("sluice_sent_bytes_total", &over("websocket")) > 20_000.0);
    assert_eq!(
        metrics.sum("sluice_event_duration_seconds_count", &[]),
        20.0
    );
    let polling = json!({"transports": ["polling"]});
    let c = node.connect("c", &broker.url("/"), &polling);
    c.ok("all:hello", json!([text]));
    let metrics = broker.metrics();
    assert!(metrics.sum("sluice_received_bytes_total", &over("polling")) > 1000.0);
    assert!(metrics.sum("sluice_sent_bytes_total", &over("polling")) > 0.0);
    b.disconnect();
    eventually("the duration of a connection", || {
        let metrics = broker.metrics();
        let ended = metrics.sum("sluice_connection_duration_seconds_count", &[]);
        (ended >= 1.0).then_some(())
    });
    assert_eq!(metrics.sum("sluice_send_queue_bytes", &[]), 0.0);
    process_is_shown(&metrics);
}

fn process_is_shown(metrics: &Metrics) {
    let of = |name| metrics.sum(name, &[]);
    assert!(of("process_resident_memory_bytes") > 1e6);
    assert!(of("process_virtual_memory_bytes") >= of("process_resident_memory_bytes"));
    assert!(of("process_memory_limit_bytes") > of("process_resident_memory_bytes"));
    assert!(of("process_open_fds") > 3.0 && of("process_open_fds") < of("process_max_fds"));
    assert!(of("process_threads") > 2.0);
    let now = std::time::SystemTime::now();
    let now = now
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let age = now - of("process_start_time_seconds");
    assert!((0.0..600.0).contains(&age), "{age}");
}

#[test]
fn the_alerts_fire_when_they_should() {
    let folder = repository("examples/deploy/prometheus");
    let path = |file: &str| folder.join(file).to_str().unwrap().to_owned();
    promtool(&["check", "config", &path("prometheus.yml")], "");
    promtool(&["test", "rules", &path("sluice.rules.test.yml")], "");
    let rules = read("examples/deploy/prometheus/sluice.rules.yml");
    let tests = read("examples/deploy/prometheus/sluice.rules.test.yml");
    let alerts: Vec<_> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(alerts.len() > 15, "{alerts:?}");
    for alert in &alerts {
        assert!(tests.contains(alert), "{alert} is not tested");
    }
    for what in ["severity: ", "summary: ", "runbook: "] {
        let count = rules
            .lines()
            .filter(|line| line.trim().starts_with(what))
            .count();
        assert_eq!(count, alerts.len(), "{what}");
    }
}

#[test]
fn what_rules_and_dashboard_ask_for_is_exposed() {
    let known = documented();
    let rules = read("examples/deploy/prometheus/sluice.rules.yml");
    let dashboard = dashboard();
    for text in queries(&dashboard).iter().chain([&rules]) {
        for name in named(text) {
            assert!(known.contains(&name), "there is no metric {name}: {text}");
        }
    }
}

#[test]
fn the_dashboard_is_one_that_grafana_takes() {
    let dashboard = dashboard();
    assert!(
        dashboard["schemaVersion"].as_u64() >= Some(38),
        "Grafana 10"
    );
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(
        variables
            .iter()
            .any(|it| it["name"] == "datasource" && it["type"] == "datasource")
    );
    let panels = dashboard["panels"].as_array().unwrap();
    let rows = panels.iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<_> = rows.filter_map(|row| row["title"].as_str()).collect();
    for wanted in [
        "Traffic",
        "Latency and queues",
        "Policies",
        "Cluster",
        "NATS and back ends",
        "Process",
    ] {
        assert!(rows.contains(&wanted), "{rows:?}");
    }
    let ids: BTreeSet<_> = panels
        .iter()
        .filter_map(|panel| panel["id"].as_u64())
        .collect();
    assert_eq!(ids.len(), panels.len(), "each has a number of its own");
    for panel in panels {
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{panel}");
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        }
    }
    // Prometheus reads every query, as the rule of a file.
    let rules: Vec<_> = queries(&dashboard)
        .into_iter()
        .enumerate()
        .map(|(number, query)| json!({"record": format!("query:{number}"), "expr": query}))
        .collect();
    assert!(rules.len() > 50);
    let file = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queries.yml");
    std::fs::write(&path, file.to_string()).unwrap();
    promtool(&["check", "rules", path.to_str().unwrap()], "");
}
