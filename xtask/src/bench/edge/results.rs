//! What came out: every report of every round, and the median of each number.

use serde_json::{Map, Value, json};

use super::servers::Kind;
use super::targets::Judged;

#[derive(Default)]
pub(super) struct Results(Vec<Runs>);

/// All rounds of one server in one scenario.
struct Runs {
    scenario: &'static str,
    kind: Kind,
    reports: Vec<Value>,
}

/// A number's median over the rounds, its least and its greatest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Results {
    pub(super) fn add(&mut self, scenario: &'static str, kind: Kind, report: &Value) {
        let known = |runs: &&mut Runs| runs.scenario == scenario && runs.kind == kind;
        match self.0.iter_mut().find(known) {
            Some(runs) => runs.reports.push(report.clone()),
            None => self.0.push(Runs {
                scenario,
                kind,
                reports: vec![report.clone()],
            }),
        }
    }

    /// The servers that have results in a scenario, in the order in which they were run.
    pub(super) fn servers(&self, scenario: &str) -> Vec<Kind> {
        let of = self.0.iter().filter(|runs| runs.scenario == scenario);
        of.map(|runs| runs.kind).collect()
    }

    /// A number of the reports, by its JSON Pointer.
    pub(super) fn spread(&self, scenario: &str, kind: Kind, path: &str) -> Option<Spread> {
        let known = |runs: &&Runs| runs.scenario == scenario && runs.kind == kind;
        let runs = self.0.iter().find(known)?;
        let numbers = runs
            .reports
            .iter()
            .filter_map(|report| report.pointer(path)?.as_f64());
        spread(numbers.collect())
    }

    /// Its median.
    pub(super) fn median(&self, scenario: &str, kind: Kind, path: &str) -> Option<f64> {
        self.spread(scenario, kind, path)
            .map(|spread| spread.median)
    }

    /// Its greatest, for what must not happen even once.
    pub(super) fn greatest(&self, scenario: &str, kind: Kind, path: &str) -> Option<f64> {
        self.spread(scenario, kind, path)
            .map(|spread| spread.greatest)
    }

    pub(super) fn json(&self, judged: &[Judged]) -> Value {
        let mut scenarios = Map::new();
        for runs in &self.0 {
            let scenario = scenarios.entry(runs.scenario).or_insert_with(|| json!({}));
            scenario[runs.kind.name()] = json!(runs.reports);
        }
        let targets: Vec<Value> = judged
            .iter()
            .map(|judged| {
                json!({
                    "target": judged.text,
                    "value": judged.value,
                    "bound": judged.bound(),
                    "met": judged.met(),
                })
            })
            .collect();
        json!({ "scenarios": scenarios, "targets": targets })
    }
}

fn spread(mut numbers: Vec<f64>) -> Option<Spread> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let median = match numbers.len() % 2 {
        0 => (numbers.get(middle.checked_sub(1)?)? + numbers.get(middle)?) / 2.0,
        _ => *numbers.get(middle)?,
    };
    Some(Spread {
        median,
        least: *numbers.first()?,
        greatest: *numbers.last()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        let median = |numbers: &[f64]| spread(numbers.to_vec()).map(|spread| spread.median);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[3.0, 1.0]), Some(2.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn rounds_are_kept_together() {
        let mut results = Results::default();
        for rate in [1.0, 5.0, 2.0] {
            results.add("echo", Kind::Twin, &json!({ "rate": rate }));
        }
        let spread = results.spread("echo", Kind::Twin, "/rate").unwrap();
        assert_eq!(
            (spread.least, spread.median, spread.greatest),
            (1.0, 2.0, 5.0)
        );
        assert_eq!(results.servers("echo"), [Kind::Twin]);
        assert_eq!(results.spread("echo", Kind::Floor, "/rate"), None);
    }
}
