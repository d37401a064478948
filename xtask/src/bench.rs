//! `cargo xtask bench`: what an event costs, with policies and without, in one run.

use anyhow::Result;
use clap::Args;

use crate::policies;
use crate::workspace::{cargo, run};

#[derive(Args)]
pub(crate) struct Options {
    /// Arguments for the benchmarks (criterion), such as a filter.
    arguments: Vec<String>,
}

pub(crate) fn run_all(options: &Options) -> Result<()> {
    let modules = policies::build_first_party()?;
    run(cargo()
        .args(["bench", "--package", "sluice", "--bench", "pipeline", "--"])
        .args(&options.arguments)
        .env("SLUICE_TEST_POLICIES", modules))
}
