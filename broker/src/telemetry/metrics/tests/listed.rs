//! The list of metrics that operators read is the list of metrics that there are.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::filled;

thread_local! {
    static ADDED: RefCell<BTreeSet<String>> = RefCell::default();
}

/// A metric has been made. A family without a series is not exposed, so it would be missing from the list unnoticed.
pub(in super::super) fn added(name: &str) {
    ADDED.with_borrow_mut(|added| added.insert(name.to_owned()));
}

#[derive(Default)]
struct Listed<'a> {
    kind: &'a str,
    help: &'a str,
    labels: BTreeSet<&'a str>,
}

/// What the exposition says of itself, by name.
fn listed(text: &str) -> BTreeMap<&str, Listed<'_>> {
    let mut all: BTreeMap<&str, Listed<'_>> = BTreeMap::new();
    let mut last = "";
    for line in text.lines() {
        if let Some((name, help)) = line
            .strip_prefix("# HELP ")
            .and_then(|it| it.split_once(' '))
        {
            last = name;
            all.entry(name).or_default().help = help;
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|it| it.split_once(' '))
        {
            all.entry(name).or_default().kind = kind;
        } else if let Some((labels, _)) =
            line.split_once('{').and_then(|(_, it)| it.rsplit_once('}'))
        {
            let names = labels
                .split("\",")
                .filter_map(|label| label.split('=').next());
            let of = all.entry(last).or_default();
            of.labels.extend(names.filter(|name| *name != "le"));
        }
    }
    all
}

fn table(text: &str) -> String {
    let mut table = "| metric | type | labels | |\n|---|---|---|---|\n".to_owned();
    for (name, of) in listed(text) {
        let labels: Vec<_> = of.labels.iter().map(|label| format!("`{label}`")).collect();
        let help = of.help.trim_end_matches('.');
        let _ = writeln!(
            table,
            "| `{name}` | {} | {} | {help} |",
            of.kind,
            labels.join(", ")
        );
    }
    table
}

const BEGIN: &str = "<!-- The list is written by the test that compares it: UPDATE_DOCS=1 cargo test -p sluice --lib listed -->\n\n";
const END: &str = "\n<!-- end of the list -->\n";

#[test]
fn the_list_in_the_documentation_is_that_of_the_metrics() {
    let (metrics, _store) = filled();
    let text = metrics.render(false);
    let there: BTreeSet<_> = listed(&text).into_keys().collect();
    ADDED.with_borrow(|added| {
        for name in added {
            let of = [format!("sluice_{name}"), format!("sluice_{name}_total")];
            assert!(
                of.iter().any(|name| there.contains(&**name)),
                "nothing in `filled` makes a series of `{name}`"
            );
        }
    });
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let document = std::fs::read_to_string(path).expect("docs/metrics.md");
    let (before, rest) = document.split_once(BEGIN).expect("the begin of the list");
    let (list, after) = rest.split_once(END).expect("the end of the list");
    let table = table(&text);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let document = [before, BEGIN, &table, END, after].concat();
        std::fs::write(path, document).expect("docs/metrics.md can be written");
        return;
    }
    assert!(list == table, "docs/metrics.md should list:\n{table}");
}

#[test]
fn every_metric_says_what_it_is_and_ends_with_its_unit() {
    let (metrics, _store) = filled();
    for (name, of) in listed(&metrics.render(false)) {
        assert!(!of.help.is_empty(), "{name}");
        assert_eq!(name.ends_with("_total"), of.kind == "counter", "{name}");
        let counted = name.trim_end_matches("_total");
        if of.kind == "histogram" {
            assert!(counted.ends_with("_seconds"), "{name}");
        }
        for word in ["_ms", "_millis", "_milliseconds", "_kb", "_percent"] {
            assert!(!counted.ends_with(word), "{name}");
        }
    }
}
