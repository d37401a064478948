//! `cargo xtask bench cluster`: a sender on one node and 500 receivers on another, beside all of them on one node, by
//! turns; and what a third node, which has no member, receives of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::running::Running;
use crate::workspace::{cargo, output, program, run as run_command, target};
use crate::{probe, setup};

#[derive(Args)]
pub(crate) struct Options {
    /// How often each is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[arg(long, default_value_t = 500)]
    receivers: usize,
    /// Seconds that are measured in each round.
    #[arg(long, default_value_t = 3.0)]
    time: f64,
    /// Use what has been built already.
    #[arg(long)]
    no_build: bool,
}

/// How the sender goes, and the generator's arguments for it.
const PACES: [(&str, &[&str]); 3] = [
    ("8 in flight", &["--window", "8"]),
    ("64 in flight", &["--window", "64"]),
    ("25,000 deliveries/s", &["--rate", "25000"]),
];

const CONFIG: &str = "tests/load/relay.toml";

/// A broker that is up.
struct Node {
    address: SocketAddr,
    admin: SocketAddr,
    process: u32,
}

/// What one round has shown.
#[derive(Clone, Copy)]
struct Shown {
    rate: f64,
    cpu: f64,
    /// Of the sender's node and of the NATS server.
    parts: Option<(f64, f64)>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let nats = setup::python()?.join("nats-server");
    let (broker, load) = build(options)?;
    let folder = target()?.join("bench/cluster");
    std::fs::create_dir_all(&folder)?;
    let mut running = Running::new(&folder)?;
    let url = running.start_nats(&nats, 0)?;
    let bus = running.id("nats").context("no NATS server")?;
    let [near, far, idle] =
        ["near", "far", "idle"].map(|name| node(&mut running, &broker, name, Some(&url)));
    let (near, far, idle) = (near?, far?, idle?);
    let alone = node(&mut running, &broker, "alone", None)?;
    for node in [&near, &far, &idle] {
        running.wait_for("the cluster", || {
            (metric(node, "sluice_cluster_nodes").ok()? == 3.0).then_some(())
        })?;
    }
    println!(
        "| {} receivers | one node | two nodes | ratio |",
        options.receivers
    );
    println!("|---|---:|---:|---:|");
    for (name, pace) in PACES {
        let mut one = Vec::new();
        let mut two = Vec::new();
        for round in 1..=options.rounds {
            eprintln!("{name} {round}/{}", options.rounds);
            one.push(measure(&load, options, pace, &alone, None)?);
            two.push(measure(&load, options, pace, &far, Some((&near, bus)))?);
        }
        show(name, &one, &two);
    }
    let bytes = metric(&idle, "sluice_cluster_received_bytes_total")?;
    let sent = metric(&near, "sluice_cluster_sent_total")?;
    println!("\nThe third node, without members, has received {bytes} bytes of {sent} events.");
    running.stop()
}

fn build(options: &Options) -> Result<(PathBuf, PathBuf)> {
    let release = target()?.join("release");
    if options.no_build {
        return Ok((release.join("sluice"), release.join("sluice-load")));
    }
    // In a call of its own: together, cargo would build the broker with what the other needs of its libraries.
    run_command(cargo().args(["build", "--release", "--package", "sluice-load", "--bins"]))?;
    Ok((setup::broker("release")?, release.join("sluice-load")))
}

/// Starts a broker with one reactor: a second one would be another node's equal, and share the work with the first.
fn node(running: &mut Running, broker: &Path, name: &str, nats: Option<&str>) -> Result<Node> {
    let mut command = program(broker, "");
    command
        .args(["run", "--config", CONFIG])
        .env("SLUICE_SERVER__REACTORS", "1")
        .envs(nats.map(|url| ("SLUICE_CLUSTER__NATS_URL", url)));
    let ready = running.start_ready(name, &mut command)?;
    let address = |what: &str| {
        let text = ready[what].as_str();
        text.and_then(|text| text.parse().ok())
            .with_context(|| format!("{name} does not say its `{what}`"))
    };
    Ok(Node {
        address: address("listen")?,
        admin: address("admin")?,
        process: running.id(name).context("what was just started")?,
    })
}

fn measure(
    load: &Path,
    options: &Options,
    pace: &[&str],
    receivers: &Node,
    sender: Option<(&Node, u32)>,
) -> Result<Shown> {
    let mut command = program(load, "");
    command.arg("across").args(pace).args([
        "--address",
        &receivers.address.to_string(),
        "--pid",
        &receivers.process.to_string(),
        "--receivers",
        &options.receivers.to_string(),
        "--time",
        &options.time.to_string(),
    ]);
    if let Some((node, bus)) = sender {
        command.args([
            "--sender",
            &node.address.to_string(),
            "--sender-pid",
            &node.process.to_string(),
            "--nats-pid",
            &bus.to_string(),
        ]);
    }
    let report: Value = serde_json::from_str(&output(&mut command)?)
        .context("the load generator's report is no JSON")?;
    let number = |value: &Value| value.as_f64().context("a number is missing in the report");
    for what in ["lost", "duplicated", "reordered", "refused"] {
        ensure!(
            report[what] == 0,
            "{} events were {what}: {report}",
            report[what]
        );
    }
    let more = &report["more"];
    Ok(Shown {
        rate: number(&report["rate"])?,
        cpu: number(&report["cpu_us"])?,
        parts: sender
            .map(|_| anyhow::Ok((number(&more["node_us"])?, number(&more["bus_us"])?)))
            .transpose()?,
    })
}

/// A metric without labels.
fn metric(node: &Node, name: &str) -> Result<f64> {
    let text = probe::request(node.admin, "GET", "/metrics", "")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|rest| rest.trim().parse().ok());
    value.with_context(|| format!("{name} is not in the metrics"))
}

fn show(name: &str, one: &[Shown], two: &[Shown]) {
    let rates = [one, two].map(|shown| median(shown, |it| it.rate));
    let cpus = [one, two].map(|shown| median(shown, |it| it.cpu));
    println!(
        "| {name}: deliveries/s | {:.0} | {:.0} | {:.2}× |",
        rates[0],
        rates[1],
        rates[1] / rates[0]
    );
    println!(
        "| {name}: CPU µs a delivery, of the brokers | {:.3} | {:.3} | {:.2}× |",
        cpus[0],
        cpus[1],
        cpus[0] / cpus[1]
    );
    let parts = |which: fn((f64, f64)) -> f64| median(two, |it| it.parts.map_or(0.0, which));
    println!(
        "| {name}: of that the sender's node; NATS besides | | {:.3}; {:.3} | |",
        parts(|(node, _)| node),
        parts(|(_, bus)| bus)
    );
}

fn median(shown: &[Shown], of: impl Fn(&Shown) -> f64) -> f64 {
    let mut values: Vec<_> = shown.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
