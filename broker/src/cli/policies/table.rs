//! What the node answers, for people.

use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::table::{NOTHING, row, table, text, words};

/// One line a policy.
pub(super) fn list(policies: &Value) -> String {
    let mut rows = vec![row([
        "NAME",
        "VERSION",
        "GENERATION",
        "SINCE",
        "CALLS",
        "DENIED",
        "FAILED",
        "P99",
        "STATE",
    ])];
    for policy in policies.as_array().into_iter().flatten() {
        rows.push(row([
            &text(&policy["name"]),
            &text(&policy["version"]),
            &text(&policy["generation"]),
            &text(&policy["since"]),
            &sum(policy, "verdicts", None).to_string(),
            &sum(policy, "verdicts", Some("deny")).to_string(),
            &sum(policy, "traps", None).to_string(),
            &p99(policy),
            &state(policy),
        ]));
    }
    table(&rows)
}

/// A policy in full.
pub(super) fn show(policy: &Value) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        if value != NOTHING {
            // Writing to a String cannot fail.
            _ = writeln!(out, "{name:<12}{value}");
        }
    };
    for name in [
        "name",
        "version",
        "digest",
        "contract",
        "generation",
        "since",
        "mode",
        "source",
        "failed",
    ] {
        line(name, &text(&policy[name]));
    }
    line("hooks", &words(&policy["hooks"]));
    line("namespaces", &words(&policy["namespaces"]));
    line("state", &state(policy));
    for (hook, calls) in policy["calls"].as_object().into_iter().flatten() {
        let verdicts = [&calls["verdicts"], &calls["traps"]];
        let counts = verdicts.into_iter().filter_map(Value::as_object).flatten();
        let counts: Vec<_> = counts
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        let times = format!(
            "p50 {} p99 {}",
            time(&calls["p50_seconds"]),
            time(&calls["p99_seconds"])
        );
        line(hook, &format!("{} {times}", counts.join(", ")));
    }
    candidate(&policy["candidate"], "candidate", &mut out);
    candidate(&policy["last_trial"], "last trial", &mut out);
    let mut rows = vec![row(["GENERATION", "VERSION", "DIGEST", "SINCE", "ENDED"])];
    for past in policy["history"].as_array().into_iter().flatten() {
        let cells = ["generation", "version", "digest", "since", "ended"];
        rows.push(cells.map(|cell| text(&past[cell])).to_vec());
    }
    _ = write!(out, "\n{}", table(&rows));
    out
}

fn candidate(trial: &Value, title: &str, out: &mut String) {
    if trial.is_null() {
        return;
    }
    let percent = match trial["percent"].as_u64() {
        Some(percent) => format!(" {percent} %"),
        None => String::new(),
    };
    let ended = match trial["outcome"].as_str() {
        Some(outcome) => format!(" {outcome} ({})", text(&trial["cause"])),
        None => String::new(),
    };
    _ = writeln!(
        out,
        "\n{title}: {}{percent} generation {} version {}{ended}",
        text(&trial["mode"]),
        text(&trial["generation"]),
        text(&trial["version"]),
    );
    for side in ["enforcing", "candidate"] {
        let of = |name: &str| text(&trial[side][name]);
        let (calls, denials, failures) = (of("calls"), of("denials"), of("failures"));
        _ = writeln!(
            out,
            "  {side:<10} calls {calls} denied {denials} failed {failures}"
        );
    }
    let of = |name: &str| text(&trial["comparison"][name]);
    if trial["comparison"].is_object() {
        let (same, differs, failed) = (of("same"), of("differs"), of("failed"));
        _ = writeln!(
            out,
            "  verdicts   same {same} differ {differs} failed {failed}"
        );
    }
    for sample in trial["samples"].as_array().into_iter().flatten() {
        let said = |side: &str| {
            let said = &sample[side];
            [&said["verdict"], &said["code"], &said["content"]]
                .map(text)
                .into_iter()
                .filter(|it| it != NOTHING)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let (enforcing, candidate) = (said("enforcing"), said("candidate"));
        _ = writeln!(
            out,
            "  {} {} {}: {enforcing} -> {candidate} {}",
            text(&sample["at"]),
            text(&sample["hook"]),
            text(&sample["about"]),
            sample["arguments"].as_str().unwrap_or_default(),
        );
    }
}

/// What came of a change.
pub(super) fn change(answer: &Value) -> String {
    let what = match answer["changed"].as_bool() {
        Some(true) => "changed",
        _ => "unchanged",
    };
    if answer["generation"].is_null() {
        return format!("{what}\n");
    }
    let mut out = format!(
        "{what}: generation {} version {} {}\n",
        text(&answer["generation"]),
        text(&answer["version"]),
        text(&answer["digest"])
    );
    if let Some(reason) = answer["not_persisted"].as_str() {
        _ = writeln!(out, "it does not serve after a restart: {reason}");
    }
    out
}

fn sum(policy: &Value, what: &str, only: Option<&str>) -> u64 {
    let hooks = policy["calls"].as_object().into_iter().flatten();
    let counts = hooks
        .filter_map(|(_, calls)| calls[what].as_object())
        .flatten();
    let wanted = counts.filter(|(kind, _)| only.is_none_or(|only| only == *kind));
    wanted.filter_map(|(_, count)| count.as_u64()).sum()
}

/// The slowest hook's.
fn p99(policy: &Value) -> String {
    let hooks = policy["calls"].as_object().into_iter().flatten();
    let times = hooks.filter_map(|(_, calls)| calls["p99_seconds"].as_f64());
    let slowest = times.reduce(f64::max);
    slowest.map_or(NOTHING.to_owned(), |seconds| time(&seconds.into()))
}

fn time(seconds: &Value) -> String {
    match seconds.as_f64() {
        Some(s) if s < 1e-3 => format!("{:.1}µs", s * 1e6),
        Some(s) => format!("{:.1}ms", s * 1e3),
        None => NOTHING.to_owned(),
    }
}

fn state(policy: &Value) -> String {
    let trial = &policy["candidate"];
    let mut state = match (&policy["failed"], policy["version"].is_null()) {
        (Value::Null, _) => text(&policy["mode"]),
        (_, true) => "not loaded".to_owned(),
        (_, false) => "failed to follow its files".to_owned(),
    };
    match (trial["mode"].as_str(), &trial["percent"]) {
        (Some(mode), Value::Null) => state += &format!(", {mode}"),
        (Some(mode), percent) => state += &format!(", {mode} {percent} %"),
        (None, _) => {}
    }
    state
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy() -> Value {
        json!({
            "name": "chat", "version": "1.0.0", "generation": 2, "mode": "enforce",
            "since": "2026-01-01T00:00:00.000Z",
            "calls": {
                "event": {"verdicts": {"pass": 7, "deny": 2}, "traps": {"trap": 1}, "p99_seconds": 0.00012},
                "connect": {"verdicts": {"pass": 1}, "traps": {}},
            },
            "history": [{"generation": 2, "version": "1.0.0"}, {"generation": 1, "ended": "replaced"}],
            "candidate": {"mode": "canary", "percent": 10, "generation": 3, "enforcing": {"calls": 9}},
        })
    }

    #[test]
    fn a_policy_is_a_line() {
        let shown = list(&json!([policy(), {"name": "bad", "failed": {"reason": "x"}}]));
        let lines: Vec<Vec<_>> = shown
            .lines()
            .map(|it| it.split_whitespace().collect())
            .collect();
        assert_eq!(lines[1][..3], ["chat", "1.0.0", "2"]);
        assert_eq!(lines[1][4..8], ["10", "2", "1", "120.0µs"]);
        assert!(shown.contains("enforce, canary 10 %"), "{shown}");
        assert!(shown.contains("not loaded"), "{shown}");
    }

    #[test]
    fn a_policy_is_shown_with_its_past() {
        let shown = show(&policy());
        assert!(
            shown.contains("candidate: canary 10 % generation 3"),
            "{shown}"
        );
        assert!(shown.contains("replaced"), "{shown}");
    }

    #[test]
    fn a_change_says_what_serves() {
        assert_eq!(change(&json!({"changed": false})), "unchanged\n");
        let shown = change(&json!({
            "changed": true, "generation": 2, "version": "1\u{1b}[2J", "digest": "sha256:00",
            "not_persisted": "it is a link",
        }));
        assert_eq!(
            shown,
            "changed: generation 2 version 1[2J sha256:00\nit does not serve after a restart: it is a link\n"
        );
    }
}
