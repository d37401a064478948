//! Lines and columns for people, of what a node answers.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use serde_json::Value;

/// What stands where there is nothing to show.
pub(super) const NOTHING: &str = "-";

pub(super) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Columns as wide as their widest cell.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:<width$}  "))
            .collect();
        // Writing to a String cannot fail.
        _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// One line a fact; those that say nothing are left out.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let told = facts.iter().filter(|(_, value)| value != NOTHING);
    let rows: Vec<_> = told.map(|(name, value)| row([name, value])).collect();
    table(&rows)
}

/// A value in one line, without what a terminal would take for a command.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => NOTHING.to_owned(),
        Value::String(text) => text.chars().filter(|c| !c.is_control()).collect(),
        Value::Object(failed) if failed.contains_key("reason") => text(&failed["reason"]),
        other => other.to_string(),
    }
}

pub(super) fn words(list: &Value) -> String {
    let words: Vec<_> = list.as_array().into_iter().flatten().map(text).collect();
    match words.is_empty() {
        true => NOTHING.to_owned(),
        false => words.join(", "),
    }
}

/// How long ago a time was that the node has told, in two units.
pub(super) fn ago(time: &Value) -> String {
    let time = time
        .as_str()
        .and_then(|it| humantime::parse_rfc3339(it).ok());
    match time {
        Some(time) => span(SystemTime::now().duration_since(time).unwrap_or_default()),
        None => NOTHING.to_owned(),
    }
}

/// A time that has passed, in two units.
pub(super) fn span(time: Duration) -> String {
    let whole = humantime::format_duration(Duration::from_secs(time.as_secs())).to_string();
    whole.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// What is not in a list, for the person who reads it.
pub(super) fn left_out(answer: &Value) -> String {
    let mut out = String::new();
    if answer["truncated"] == true {
        out += "there are more: `--limit N` shows so many, `--all` all of them\n";
    }
    for node in answer["silent"].as_array().into_iter().flatten() {
        _ = writeln!(out, "node {} did not answer", text(node));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let rows = [row(["ID", "USER"]), row(["abc", "ä"]), row(["a", "bcd"])];
        assert_eq!(table(&rows), "ID   USER\nabc  ä\na    bcd\n");
        let shown = facts(&[("node", "n".to_owned()), ("x", NOTHING.to_owned())]);
        assert_eq!(shown, "node  n\n");
    }

    #[test]
    fn what_comes_from_clients_cannot_talk_to_a_terminal() {
        assert_eq!(text(&json!("a\u{1b}[2J\nb\u{9b}")), "a[2Jb");
        assert_eq!(words(&json!(["a\r", 1])), "a, 1");
    }

    #[test]
    fn times_are_told_roughly() {
        assert_eq!(span(Duration::from_secs(0)), "0s");
        assert_eq!(span(Duration::from_millis(61_900)), "1m 1s");
        assert_eq!(span(Duration::from_secs(90_061)), "1day 1h");
        assert_eq!(ago(&json!("no time")), NOTHING);
    }

    #[test]
    fn a_list_says_what_is_not_in_it() {
        assert_eq!(left_out(&json!({"truncated": false})), "");
        let told = left_out(&json!({"truncated": true, "silent": ["n2"]}));
        assert_eq!(told.lines().count(), 2, "{told}");
    }
}
