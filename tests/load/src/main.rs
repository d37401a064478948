//! `sluice-load SCENARIO --address …`: runs one scenario against a server that is up, and prints its report as JSON.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use sluice_load::Result;
use sluice_load::process::Server;
use sluice_load::report::Report;
use sluice_load::scenario::{self, Away, Bench, Pace};

#[derive(Parser)]
#[command(about = "Puts load on a Socket.IO server, and prints what became of it as JSON")]
struct Cli {
    #[command(subcommand)]
    scenario: Scenario,
    /// Where the server listens.
    #[arg(long, global = true, default_value = "127.0.0.1:3000")]
    address: SocketAddr,
    /// The server's process, whose time and memory are measured.
    #[arg(long, global = true)]
    pid: Option<u32>,
    /// Clients present tokens that are signed with this.
    #[arg(long, global = true)]
    secret: Option<String>,
    /// Seconds before anything is measured.
    #[arg(long, global = true, default_value_t = 1.0)]
    warm: f64,
    /// Seconds that are measured.
    #[arg(long, global = true, default_value_t = 3.0)]
    time: f64,
}

#[derive(Subcommand)]
enum Scenario {
    /// Events with acks, in a closed loop.
    Echo {
        #[arg(long, default_value_t = 50)]
        sockets: usize,
        #[arg(long, default_value_t = 8)]
        in_flight: usize,
    },
    /// One sender, a room of many, so many broadcasts in flight.
    Fanout {
        #[arg(long, default_value_t = 500)]
        receivers: usize,
        #[arg(long, default_value_t = 8)]
        window: u64,
        /// The sender is in the room as well.
        #[arg(long)]
        member: bool,
    },
    /// The same with so many deliveries a second.
    Paced {
        #[arg(long, default_value_t = 500)]
        receivers: usize,
        #[arg(long, default_value_t = 25_000)]
        rate: u64,
    },
    /// One sender, a room of many: on one node, or on two.
    Across {
        /// The node that the sender connects to, where it is another.
        #[arg(long, requires_all = ["sender_pid", "nats_pid"])]
        sender: Option<SocketAddr>,
        #[arg(long)]
        sender_pid: Option<u32>,
        #[arg(long)]
        nats_pid: Option<u32>,
        #[arg(long, default_value_t = 500)]
        receivers: usize,
        #[arg(long, default_value_t = 8)]
        window: u64,
        /// Deliveries a second, instead of a window.
        #[arg(long)]
        rate: Option<u64>,
        /// About how long a message is.
        #[arg(long, default_value_t = 128)]
        bytes: usize,
    },
    /// Memory of connections that do nothing.
    Idle {
        #[arg(long, default_value_t = 5000)]
        sockets: usize,
    },
    /// Connections a second.
    Connects {
        #[arg(long, default_value_t = 64)]
        at_once: usize,
    },
    /// All connections break and come back at once, while bystanders exchange events.
    Storm {
        #[arg(long, default_value_t = 10_000)]
        sockets: usize,
    },
    /// One reader of many stops reading.
    Stall {
        #[arg(long, default_value_t = 500)]
        receivers: usize,
    },
    /// Events into so many rooms, one delivery each.
    Rooms {
        #[arg(long, default_value_t = 100_000)]
        rooms: usize,
    },
    /// A policy's module is replaced under load.
    Reload {
        /// The module's file.
        #[arg(long)]
        module: PathBuf,
        #[arg(long, default_value_t = 5)]
        times: usize,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let bench = Bench {
        address: cli.address,
        server: cli.pid.map(Server::new),
        secret: cli.secret,
        warm: Duration::from_secs_f64(cli.warm),
        time: Duration::from_secs_f64(cli.time),
    };
    match run(&bench, &cli.scenario) {
        Ok(report) => {
            println!("{}", serde_json::json!(report));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(bench: &Bench, scenario: &Scenario) -> Result<Report> {
    match *scenario {
        Scenario::Reload { ref module, times } => scenario::reload(bench, module, times),
        Scenario::Storm { sockets } => scenario::storm(bench, sockets),
        Scenario::Stall { receivers } => scenario::stall(bench, receivers),
        Scenario::Rooms { rooms } => scenario::rooms(bench, rooms),
        Scenario::Echo { sockets, in_flight } => scenario::echo(bench, sockets, in_flight),
        Scenario::Fanout {
            receivers,
            window,
            member,
        } => scenario::fanout(bench, receivers, window, member),
        Scenario::Paced { receivers, rate } => scenario::paced(bench, receivers, rate),
        Scenario::Across {
            sender,
            sender_pid,
            nats_pid,
            receivers,
            window,
            rate,
            bytes,
        } => {
            let away = sender.zip(sender_pid.zip(nats_pid));
            let away = away.map(|(address, (node, bus))| Away {
                address,
                node: Server::new(node),
                bus: Server::new(bus),
            });
            let pace = rate.map_or(Pace::Window(window), Pace::Rate);
            scenario::across(bench, away, receivers, pace, bytes)
        }
        Scenario::Idle { sockets } => scenario::idle(bench, sockets),
        Scenario::Connects { at_once } => scenario::connects(bench, at_once),
    }
}
