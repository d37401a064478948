//! All set-up of the project: what is missing is installed, what is stale is built, then the thing asked for runs.
//!
//! `workspace` knows where things are and runs programs; `setup` installs; `policies` builds the modules; `dev` and
//! `test` are the two commands that the README opens with; `dist` packs what is put on a machine, `machine` tries it on one; `cluster` runs the
//! example of three nodes; `bench` measures; `page` serves the example's page; `probe` asks it; `ready` reads the line by
//! which a server says that it serves; `running` is what has been started.

mod bench;
mod cluster;
mod dev;
mod dist;
mod machine;
mod page;
mod policies;
mod probe;
mod ready;
mod running;
mod setup;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, show and test Sluice")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the chat example: broker, policies, page, and tokens to open it with.
    Dev(dev::Options),
    /// Run the cluster example: three nodes on NATS, two back ends and a load balancer.
    Cluster(cluster::Options),
    /// Install what the tests need and run all of them.
    Test(test::Options),
    /// Measure what an event costs inside the broker, and the broker beside other servers.
    Bench(bench::Options),
    /// Pack broker, policies, unit, completions and man pages into target/dist.
    Dist(dist::Options),
    /// Try that archive in a virtual machine, under systemd: its installation, limits, sandbox, watchdog and drain.
    Machine(machine::Options),
    /// Build all policies (first-party, examples, fixtures of the tests) into target/policies.
    Policies,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Dev(options) => dev::run(&options),
        Command::Cluster(options) => cluster::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Dist(options) => dist::run(&options),
        Command::Machine(options) => machine::run(&options),
        Command::Policies => policies::build_all().map(|folder| println!("{}", folder.display())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
