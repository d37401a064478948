//! The table, in Markdown: what was aimed at first, then every scenario.

use std::path::Path;

use anyhow::{Context, Result};

use super::results::{Results, Spread};
use super::scenarios::{Column, SCENARIOS, Scenario};
use super::targets::Judged;
use crate::workspace::write_if_changed;

const BEGIN: &str = "<!-- results: written by `cargo xtask bench edge --write-docs` -->";
const END: &str = "<!-- end of the results -->";

pub(super) fn markdown(results: &Results, judged: &[Judged]) -> String {
    let mut text = String::from("| aimed at | | came out | |\n|---|---|---:|---|\n");
    for target in judged {
        let mark = if target.met() { "met" } else { "**missed**" };
        text.push_str(&format!(
            "| {} | {} | {} | {mark} |\n",
            target.text,
            target.bound(),
            number(target.value, 2, 1.0)
        ));
    }
    for scenario in SCENARIOS {
        section(results, scenario, &mut text);
    }
    text
}

fn section(results: &Results, scenario: &Scenario, text: &mut String) {
    let servers = results.servers(scenario.name);
    if servers.is_empty() {
        return;
    }
    text.push_str(&format!(
        "\n**`{}`** {}\n\n| |",
        scenario.name, scenario.title
    ));
    for column in scenario.columns {
        text.push_str(&format!(" {} |", column.heading));
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(scenario.columns.len()));
    text.push('\n');
    for kind in servers {
        text.push_str(&format!("| {} |", kind.title()));
        for column in scenario.columns {
            let spread = results.spread(scenario.name, kind, column.path);
            text.push_str(&format!(" {} |", cell(spread, column)));
        }
        text.push('\n');
    }
}

/// The median, and the least and the greatest where they are not the same.
fn cell(spread: Option<Spread>, column: &Column) -> String {
    let Some(spread) = spread else {
        return String::new();
    };
    let show = |value: f64| number(value, column.digits, column.divisor);
    let (least, median, greatest) = (
        show(spread.least),
        show(spread.median),
        show(spread.greatest),
    );
    if least == greatest {
        median
    } else {
        format!("{median} ({least}–{greatest})")
    }
}

fn number(value: f64, digits: usize, divisor: f64) -> String {
    /// What the load generator says in place of a time for what did not happen.
    const NEVER: f64 = 1e9;
    if value >= NEVER {
        return "never".to_owned();
    }
    format!("{:.*}", digits, value / divisor)
}

/// Replaces what stands between the two marks of a document.
pub(super) fn write_docs(path: &Path, table: &str) -> Result<()> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    write_if_changed(path, between(&text, table)?.as_bytes())
}

fn between(text: &str, table: &str) -> Result<String> {
    let (before, rest) = text
        .split_once(BEGIN)
        .with_context(|| format!("no line {BEGIN}"))?;
    let (_, after) = rest
        .split_once(END)
        .with_context(|| format!("no line {END}"))?;
    Ok(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::servers::Kind;
    use super::super::targets;
    use super::*;

    #[test]
    fn results_and_targets_are_shown() {
        let mut results = Results::default();
        for (kind, rate) in [
            (Kind::Sluice, 500_000),
            (Kind::Sluice, 520_000),
            (Kind::Twin, 170_000),
        ] {
            results.add(
                "echo",
                kind,
                &json!({ "rate": rate, "cpu_us": 2.0, "lost": 0 }),
            );
        }
        let table = markdown(&results, &targets::judge(&results));
        assert!(table.contains("| ≥ 1.5 | 3.00 | met |"), "{table}");
        assert!(
            table.contains("| Sluice, four policies | 510.0 (500.0–520.0) | 2.00 |"),
            "{table}"
        );
        assert!(!table.contains("connects"), "{table}");
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = between(&text, "new\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(between(&new, "new\n").unwrap(), new);
        between("no marks", "new").unwrap_err();
    }
}
