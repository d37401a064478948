//! `cargo xtask bench pipeline`: what an event costs, with policies and without, in one run, and what was aimed at.

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use crate::policies;
use crate::workspace::{cargo, run, target};

#[derive(Args, Default)]
pub(crate) struct Options {
    /// Arguments for the benchmarks (criterion), such as a filter.
    arguments: Vec<String>,
}

/// What a case may cost, as a multiple of an empty call.
const AIMS: [(&str, f64); 3] = [
    ("policies/rate-limit", 2.2),
    ("policies/chain, passing", 12.0),
    ("policies/chain, replacing", 20.0),
];

/// The cases of the table, by their folders.
const CASES: [&str; 16] = [
    "call/empty component",
    "call/recorded",
    "policies/none",
    "policies/not interested",
    "policies/empty policy",
    "policies/rate-limit",
    "policies/rate-limit, called",
    "native/rate-limit",
    "policies/validate, passing",
    "native/validate, passing",
    "policies/validate, replacing",
    "native/validate, replacing",
    "policies/chain, passing",
    "policies/chain, replacing",
    "threads/1",
    "threads/2",
];

pub(crate) fn run_all(options: &Options) -> Result<()> {
    let modules = policies::build_all()?;
    run(cargo()
        .args(["bench", "--package", "sluice", "--bench", "pipeline", "--"])
        .args(&options.arguments)
        .env("SLUICE_TEST_POLICIES", modules))?;
    print!("{}", table()?);
    Ok(())
}

/// The figures of the last run of each case, beside each other.
fn table() -> Result<String> {
    let empty = nanoseconds(CASES[0])?;
    let mut table =
        String::from("\ncase                               ns a call   × an empty call\n");
    for case in CASES {
        let Ok(ns) = nanoseconds(case) else { continue };
        let aim = AIMS.iter().find(|(name, _)| *name == case);
        let aim = aim.map_or_else(String::new, |(_, aim)| format!("   (aim: {aim})"));
        table.push_str(&format!("{case:<34}{ns:>10.1}{:>18.2}{aim}\n", ns / empty));
    }
    if let (Some(chain), Some(apart)) = (times("threads"), times("threads/apart")) {
        table.push_str(&format!(
            "\ntwo threads give {chain:.2} times one (aim: 1.9); {apart:.2} where they have nothing in common\n"
        ));
    }
    Ok(table)
}

/// What two threads give, by what one does.
fn times(case: &str) -> Option<f64> {
    let of = |threads| nanoseconds(&format!("{case}/{threads}")).ok();
    Some(2.0 * of(1)? / of(2)?)
}

/// The median of a case's last run.
fn nanoseconds(case: &str) -> Result<f64> {
    let file = target()?
        .join("criterion")
        .join(case)
        .join("new/estimates.json");
    let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let estimates: Value = serde_json::from_slice(&text)?;
    estimates["median"]["point_estimate"]
        .as_f64()
        .with_context(|| format!("{} has no median", file.display()))
}
