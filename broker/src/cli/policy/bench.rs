//! `sluice policy bench`: what calls of a policy cost.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::terms::Terms;
use crate::cli::Exit;
use crate::replay::{self, Benched, Script};

/// Beyond this, threads only wait for each other.
const MAX_THREADS: usize = 256;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Bench {
    #[command(flatten)]
    terms: Terms,
    /// Measure these calls, as `sluice policy test` plays them; by default a typical one for each of the policy's rules
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// How many threads call at once
    #[arg(long, value_name = "N", default_value = "1")]
    threads: NonZeroUsize,
    /// How long each hook and event is measured
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = humantime::parse_duration)]
    time: Duration,
    /// Show the numbers as JSON
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(super) fn run(&self) -> Result<String, Exit> {
        if self.threads.get() > MAX_THREADS {
            return Err(Exit::Usage(format!("--threads: at most {MAX_THREADS}")));
        }
        let player = self.terms.load(None)?;
        let script = self.events.clone().map(Script::File);
        let config = self.terms.config().unwrap_or_else(|| json!({}));
        let bench = replay::Bench {
            threads: self.threads.get(),
            time: self.time,
        };
        let benched = bench
            .run(&player, script.as_ref(), config)
            .map_err(|error| self.terms.exit(error))?;
        Ok(match self.json {
            // Numbers and names always serialize.
            true => serde_json::to_string(&benched).unwrap_or_default() + "\n",
            false => table(&benched),
        })
    }
}

fn table(benched: &Benched) -> String {
    let mut text = format!(
        "{:<10}  {:<20}  {:<10}  {:>9}  {:>9}  {:>9}  {:>12}\n",
        "hook", "event", "verdict", "mean ns", "p50 ns", "p99 ns", "calls"
    );
    for row in &benched.calls {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:<10}  {:<20}  {:<10}  {:>9.0}  {:>9}  {:>9}  {:>12}",
            row.hook, row.event, row.verdict, row.mean_ns, row.p50_ns, row.p99_ns, row.calls
        );
    }
    let instance = &benched.instance;
    let _ = write!(
        text,
        "\nempty call       {:.0} ns\nnew instance     {} µs\nits memory       {} KiB\ncompilation      {} ms\n",
        benched.empty_call_ns,
        instance.new_ns / 1_000,
        instance.memory_bytes / 1024,
        instance.compile_us / 1_000,
    );
    text
}
