//! What came of the lines of a file, for people or for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::outcome::Verdict;
use super::script::{Played, Shown};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A row a call, and a few lines at the end.
    Table,
    /// An object a call, and one at the end, each on a line of its own.
    Json,
}

/// Characters of the last column: the rest is what `--json` is for.
const DETAIL: usize = 60;

pub(super) struct Report<W> {
    form: Form,
    output: W,
    verdicts: BTreeMap<&'static str, u64>,
    /// Of the calls that were made, in nanoseconds.
    latencies: Vec<u64>,
    dropped: u64,
}

impl<W: Write> Report<W> {
    pub(super) fn new(form: Form, output: W) -> Self {
        Self {
            form,
            output,
            verdicts: BTreeMap::new(),
            latencies: Vec::new(),
            dropped: 0,
        }
    }

    /// Lines that a recording lacks.
    pub(super) fn dropped(&mut self, lines: u64) {
        self.dropped += lines;
    }

    pub(super) fn call(&mut self, call: &Shown<'_>) -> io::Result<()> {
        let outcome = call.outcome;
        if self.verdicts.is_empty() && self.form == Form::Table {
            self.row([
                "line", "socket", "hook", "event", "verdict", "latency", "detail",
            ])?;
        }
        *self.verdicts.entry(outcome.verdict.as_str()).or_default() += 1;
        if !matches!(outcome.verdict, Verdict::NotCalled) {
            self.latencies.push(outcome.ns);
        }
        match self.form {
            Form::Table => self.in_table(call),
            Form::Json => self.as_json(call),
        }
    }

    fn in_table(&mut self, call: &Shown<'_>) -> io::Result<()> {
        let outcome = call.outcome;
        let detail = outcome.verdict.detail().replace(['\n', '\r'], " ");
        let latency = match outcome.verdict {
            Verdict::NotCalled => String::new(),
            _ => duration(outcome.ns),
        };
        self.row([
            &call.number.to_string(),
            &call.socket.to_string(),
            call.hook,
            &short(call.about, 20),
            outcome.verdict.as_str(),
            &latency,
            &short(&detail, DETAIL),
        ])?;
        let Some(unmet) = call.unmet else {
            return Ok(());
        };
        let got = serde_json::to_string(&outcome.show_answer()).map_err(io::Error::from)?;
        let (number, expected) = (call.number, unmet.text());
        writeln!(self.output, "  line {number}: expected {expected}")?;
        writeln!(self.output, "  line {number}: got      {got}")
    }

    fn row(&mut self, cells: [&str; 7]) -> io::Result<()> {
        let [line, socket, hook, event, verdict, latency, detail] = cells;
        let row = format!(
            "{line:>6}  {socket:>6}  {hook:<10}  {event:<20}  {verdict:<10}  {latency:>9}  {detail}"
        );
        writeln!(self.output, "{}", row.trim_end())
    }

    fn as_json(&mut self, call: &Shown<'_>) -> io::Result<()> {
        let mut object = serde_json::to_value(call.outcome.show()).map_err(io::Error::from)?;
        object["line"] = json!(call.number);
        object["socket"] = json!(call.socket);
        object["hook"] = json!(call.hook);
        if !call.about.is_empty() {
            let key = if call.hook == "event" {
                "event"
            } else {
                "room"
            };
            object[key] = json!(call.about);
        }
        if let Some(unmet) = call.unmet {
            // What an expectation wrote is JSON.
            let expected: Value = serde_json::from_str(&unmet.text()).unwrap_or_default();
            object["expected"] = expected;
        }
        writeln!(self.output, "{object}")
    }

    /// Everything together.
    pub(super) fn end(mut self, played: &Played) -> io::Result<()> {
        self.latencies.sort_unstable();
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|part| quantile(&self.latencies, part));
        let failed = self.verdicts.get("failed").copied().unwrap_or_default();
        match self.form {
            Form::Json => {
                let summary = json!({
                    "calls": played.calls,
                    "verdicts": self.verdicts,
                    "latency_ns": { "p50": p50, "p99": p99, "max": max },
                    "failed": failed,
                    "dropped": self.dropped,
                    "expected": played.expected,
                    "unmet": played.unmet,
                });
                writeln!(self.output, "{}", json!({ "summary": summary }))
            }
            Form::Table => {
                let verdicts = self.verdicts.iter();
                let verdicts: Vec<_> = verdicts.map(|(name, n)| format!("{n} {name}")).collect();
                let [p50, p99, max] = [p50, p99, max].map(duration);
                let (calls, expected) = (played.calls, played.expected);
                writeln!(self.output, "\n{calls} calls: {}", verdicts.join(", "))?;
                writeln!(self.output, "latency: p50 {p50}, p99 {p99}, max {max}")?;
                if self.dropped > 0 {
                    let dropped = self.dropped;
                    writeln!(self.output, "the recording lacks {dropped} lines")?;
                }
                let met = expected - played.unmet.len();
                writeln!(self.output, "expectations met: {met} of {expected}")
            }
        }?;
        self.output.flush()
    }
}

/// Of sorted numbers; 0 if there are none.
pub(super) fn quantile(sorted: &[u64], part: f64) -> u64 {
    let last = sorted.len().saturating_sub(1);
    let index = (last as f64 * part).ceil() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

/// A duration in a unit that suits it.
pub(super) fn duration(ns: u64) -> String {
    match ns {
        0..10_000 => format!("{ns} ns"),
        10_000..10_000_000 => format!("{} µs", ns / 1_000),
        _ => format!("{} ms", ns / 1_000_000),
    }
}

fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_was_measured() {
        assert_eq!(quantile(&[], 0.5), 0);
        assert_eq!(quantile(&[7], 0.99), 7);
        let all: Vec<u64> = (1..=101).collect();
        assert_eq!(quantile(&all, 0.5), 51);
        assert_eq!(quantile(&all, 0.99), 100);
        assert_eq!(quantile(&all, 1.0), 101);
    }

    #[test]
    fn a_cell_is_cut_between_characters() {
        assert_eq!(short("äöü", 3), "äöü");
        assert_eq!(short("äöüß", 3), "äö…");
    }
}
