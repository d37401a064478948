//! `cargo xtask bench`: `pipeline` is what an event costs inside the broker, `edge` the broker beside other servers,
//! `cluster` two nodes beside one.

mod cluster;
mod edge;
mod pipeline;

use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct Options {
    /// `pipeline` and `edge`, unless one is named.
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// What an event costs in the pipeline, with policies and without.
    Pipeline(pipeline::Options),
    /// The broker beside a native twin, Node and a bare WebSocket server, under load.
    Edge(edge::Options),
    /// What another node costs: a sender on one and its receivers on another, beside all of them on one.
    Cluster(cluster::Options),
}

pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.part {
        Some(Part::Pipeline(options)) => pipeline::run_all(options),
        Some(Part::Edge(options)) => edge::run(options),
        Some(Part::Cluster(options)) => cluster::run(options),
        None => {
            pipeline::run_all(&pipeline::Options::default())?;
            edge::run(&edge::Options::default())
        }
    }
}
