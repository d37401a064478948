//! `cargo xtask test`: everything that proves the product, on a machine that has nothing of ours.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::workspace::{self, cargo, root};
use crate::{policies, setup};

#[derive(Args)]
pub(crate) struct Options {
    /// Run only tests whose name contains this.
    filter: Option<String>,
    /// Arguments for the test runner, after `--`.
    #[arg(last = true)]
    runner: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::npm("tests/clients")?;
    setup::npm("examples/cluster")?;
    setup::npm("examples/guide")?;
    let python = setup::python()?;
    setup::of_scenarios()?;
    let modules = policies::build_all()?;
    let broker = setup::broker("dev")?;
    compiled(options, &broker, &modules)?;
    // Documentation tests first: cargo ends them with an empty summary, and the last one printed should count. Only
    // the SDK has any: it is what others write code against.
    if options.filter.is_none() {
        workspace::run(cargo().args(["test", "--package", "sluice-plugin-sdk", "--doc"]))?;
    }
    let mut tests = cargo();
    let mut left_out = Vec::new();
    if !setup::has_network_namespaces() {
        eprintln!(
            "note: no network namespaces can be made here; scenarios `on_wires` are left out"
        );
        left_out = vec!["--skip", "on_wires"];
    }
    tests
        .args([
            "test",
            "--workspace",
            "--no-fail-fast",
            "--lib",
            "--bins",
            "--tests",
        ])
        .args(&options.filter)
        .arg("--")
        .args(left_out)
        .args(&options.runner)
        .env("SLUICE_TEST_BIN", &broker)
        .env("SLUICE_TEST_POLICIES", &modules)
        .env(
            "SLUICE_TEST_NODE_CLIENT",
            root().join("tests/clients/driver.mjs"),
        )
        .env("SLUICE_TEST_PYTHON", python.join("python"))
        .env(
            "SLUICE_TEST_PYTHON_CLIENT",
            root().join("tests/clients/driver.py"),
        )
        .env("SLUICE_TEST_NATS", python.join("nats-server"));
    workspace::run(&mut tests)
}

/// The policies' own tests once more, of the compiled policies in the broker's engine.
fn compiled(options: &Options, broker: &Path, modules: &Path) -> Result<()> {
    let mut tests = cargo();
    tests.args(["test", "--no-fail-fast", "--lib", "--tests"]);
    for policy in policies::tested()? {
        tests.args(["--package", &policy]);
    }
    tests
        .args(&options.filter)
        .arg("--")
        .args(&options.runner)
        .env("SLUICE_TEST_COMPONENT", modules)
        // Each test starts a process of its own, and compiling takes longer than the test.
        .env(
            "SLUICE_PLUGINS__CACHE",
            workspace::target()?.join("policy-cache"),
        )
        .env("SLUICE_BIN", broker);
    workspace::run(&mut tests)
}
