//! `cargo xtask bench edge`: builds every server and the load generator, runs all scenarios with the servers by turns,
//! and prints one table with what was aimed at. Everything is on loopback, and on this machine.
//!
//! `servers` starts and ends them, `scenarios` says what is run against which, `results` keeps what came out, `targets`
//! holds it against what was aimed at, and `table` shows it.

mod results;
mod scenarios;
mod servers;
mod table;
mod targets;

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::workspace::{
    cargo, output, program, root, run as run_command, target, write_if_changed,
};
use crate::{policies, setup};
use results::Results;
use scenarios::{SCENARIOS, Scenario};
use servers::{Kind, Programs};

#[derive(Args, Default)]
pub(crate) struct Options {
    /// One short round, in under two minutes, without what no target is about.
    #[arg(long)]
    quick: bool,
    /// Only these scenarios, by the beginnings of their names.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these servers.
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
    /// How often each server is measured in each scenario [default: 3, or 1 with --quick].
    #[arg(long)]
    rounds: Option<usize>,
    /// Put the table into docs/performance.md.
    #[arg(long)]
    write_docs: bool,
    /// Use what has been built already.
    #[arg(long)]
    no_build: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let chosen = chosen(options)?;
    servers::raise_limits()?;
    servers::take_along()?;
    let programs = build(options, &chosen)?;
    let mut results = Results::default();
    let mut failures = 0;
    let rounds = options.rounds.unwrap_or(if options.quick { 1 } else { 3 });
    for (scenario, kinds) in &chosen {
        for round in 1..=rounds {
            for &kind in kinds {
                eprintln!("{} {round}/{rounds}: {}", scenario.name, kind.name());
                // One that fails takes the others' results with it no more than it must.
                match measure(&programs, scenario, kind, options.quick) {
                    Ok(report) => results.add(scenario.name, kind, &report),
                    Err(error) => {
                        eprintln!("  failed: {error:#}");
                        failures += 1;
                    }
                }
            }
        }
    }
    let judged = targets::judge(&results);
    let about = About::this(rounds)?;
    let table = format!("{about}\n\n{}", table::markdown(&results, &judged));
    println!("{table}");
    let mut json = results.json(&judged);
    json["about"] = about.json();
    let file = target()?.join("bench/edge.json");
    write_if_changed(&file, &serde_json::to_vec_pretty(&json)?)?;
    if options.write_docs {
        table::write_docs(&root().join("docs/performance.md"), &table)?;
    }
    ensure!(
        failures == 0,
        "{failures} of the runs failed; the table is without them"
    );
    Ok(())
}

/// What the numbers are of.
struct About {
    rounds: usize,
    processors: usize,
    commit: String,
}

impl About {
    fn this(rounds: usize) -> Result<Self> {
        let commit = output(program("git", "").args(["describe", "--always", "--dirty"]));
        Ok(Self {
            rounds,
            processors: std::thread::available_parallelism()?.get(),
            // Sources without a history are measured as well.
            commit: commit.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned()),
        })
    }

    fn json(&self) -> Value {
        json!({ "rounds": self.rounds, "processors": self.processors, "commit": self.commit })
    }
}

impl fmt::Display for About {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rounds,
            processors,
            commit,
        } = self;
        write!(
            to,
            "Commit {commit}; {processors} processors, shared with the load generator; medians of {rounds} rounds."
        )
    }
}

/// What is run, against which servers.
fn chosen(options: &Options) -> Result<Vec<(&'static Scenario, Vec<Kind>)>> {
    for name in &options.servers {
        ensure!(
            Kind::ALL.iter().any(|kind| kind.name() == name),
            "there is no server `{name}`"
        );
    }
    let wanted = |scenario: &&Scenario| {
        options.only.is_empty()
            || options
                .only
                .iter()
                .any(|name| scenario.name.starts_with(name))
    };
    let chosen: Vec<_> = SCENARIOS
        .iter()
        .filter(wanted)
        .filter(|scenario| !options.quick || scenario.quick.is_some() || !options.only.is_empty())
        .map(|scenario| {
            let is_asked = |kind: &Kind| match options.servers.is_empty() {
                true => !options.quick || kind.is_in_quick_runs(),
                false => options.servers.iter().any(|name| kind.name() == name),
            };
            (
                scenario,
                scenario.servers.iter().copied().filter(is_asked).collect(),
            )
        })
        .collect();
    ensure!(!chosen.is_empty(), "there is no such scenario");
    Ok(chosen)
}

/// Everything that takes part, in release builds.
fn build(options: &Options, chosen: &[(&Scenario, Vec<Kind>)]) -> Result<Programs> {
    let folder = target()?.join("bench");
    std::fs::create_dir_all(&folder)?;
    let release = target()?.join("release");
    let needs = |which: fn(&Kind) -> bool| chosen.iter().any(|(_, kinds)| kinds.iter().any(which));
    if needs(Kind::is_node) {
        setup::npm("tests/load/node")?;
    }
    let (broker, modules) = if options.no_build {
        (release.join("sluice"), target()?.join("policies"))
    } else {
        // Each in a call of its own: together, cargo would build the broker with what the others need of its libraries.
        run_command(cargo().args([
            "build",
            "--release",
            "--package",
            "sluice-load",
            "--bins",
            "--examples",
        ]))?;
        match needs(Kind::is_sluice) {
            true => (setup::broker("release")?, policies::build_first_party()?),
            false => (PathBuf::new(), PathBuf::new()),
        }
    };
    Ok(Programs {
        broker,
        modules,
        twin: release.join("examples/twin"),
        floor: release.join("examples/floor"),
        load: release.join("sluice-load"),
        folder,
    })
}

/// The policy whose module is replaced where one is.
const REPLACED: &str = "rate-limit";

/// The load generator's report of one scenario against one server, which is started for it and ended.
fn measure(programs: &Programs, scenario: &Scenario, kind: Kind, quick: bool) -> Result<Value> {
    let server = programs.start(kind)?;
    let mut load = Command::new(&programs.load);
    let quick = quick.then_some(scenario.quick).flatten();
    load.args(quick.unwrap_or(scenario.arguments).split_whitespace())
        .args([
            "--address",
            &server.address,
            "--pid",
            &server.pid().to_string(),
        ]);
    if scenario.replaces_a_policy {
        load.arg("--module").arg(programs.module_of(kind, REPLACED));
    }
    if kind.checks() {
        load.args(["--secret", servers::SECRET]);
    }
    let before = match scenario.replaces_a_policy {
        true => server.generation(REPLACED)?,
        false => 0,
    };
    let mut report = report(&mut load)?;
    if scenario.replaces_a_policy {
        report["more"]["reloads"] = json!(server.generation(REPLACED)? - before);
    }
    Ok(report)
}

/// Runs the load generator.
fn report(load: &mut Command) -> Result<Value> {
    let mut child = load.stdout(Stdio::piped()).spawn()?;
    servers::started(&child);
    let mut text = String::new();
    let read = child
        .stdout
        .take()
        .map(|mut stdout| stdout.read_to_string(&mut text));
    let status = child.wait();
    servers::end(&mut child);
    read.transpose()?;
    ensure!(status?.success(), "the load generator failed");
    serde_json::from_str(&text).context("the load generator's report is no JSON")
}
