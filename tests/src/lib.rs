//! The harness of the scenarios: it starts the real binary on free ports and drives it with real clients.
//!
//! - [`Broker`] runs the binary with a configuration of its own and reads its log as records;
//! - [`Driver`] runs the official JavaScript client, or python-socketio, as a process that does what it is told;
//! - [`Browser`] runs Chromium, for pages;
//! - [`raw`] speaks Engine.IO by hand, for what no well-behaved client sends;
//! - [`Nats`] runs a real NATS server, [`Cluster`] some brokers on one, and [`Proxy`] a load balancer before them;
//! - [`Relay`] is a network between two of them that can go dead;
//! - [`Service`] runs a back end of an example;
//! - [`Supervisor`] is told what systemd would be;
//! - [`Backend`] answers what policies ask over HTTP; [`Collector`] is one that takes traces.
//!
//! Nothing here sleeps for a while and hopes: every wait names what it waits for and ends with [`PATIENCE`].
//! What `cargo xtask test` prepares is found through the `SLUICE_TEST_*` variables.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness fails the test that uses it by panicking"
)]

mod backend;
mod broker;
mod browser;
mod bus;
mod client;
mod cluster;
mod collector;
mod driver;
pub mod http;
pub mod jwt;
mod logs;
mod metrics;
mod nats;
mod process;
mod promtool;
pub mod proxy;
pub mod raw;
mod relay;
mod service;
mod setup;
mod supervisor;
mod wait;
mod wires;

pub use backend::{Asked, Backend};
pub use broker::Broker;
pub use browser::Browser;
pub use bus::{Bus, Published, Subscription};
pub use client::{Client, Flood};
pub use cluster::Cluster;
pub use collector::{Collector, Span};
pub use driver::{Driver, Notice, Pending, Refusal};
pub use logs::{Logs, Record};
pub use metrics::Metrics;
pub use nats::Nats;
pub use promtool::promtool;
pub use proxy::Proxy;
pub use relay::Relay;
pub use service::Service;
pub use setup::{Exited, Setup};
pub use supervisor::Supervisor;
pub use wait::{PATIENCE, eventually};

use std::path::PathBuf;

/// What `cargo xtask test` has put into a variable.
///
/// # Panics
///
/// When it has not: the message says which command to run.
pub fn prepared(variable: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(value) => PathBuf::from(value),
        None => panic!(
            "{variable} is not set: run `cargo xtask test`, which prepares what the scenarios need"
        ),
    }
}

/// The bytes of a policy that `cargo xtask test` has built.
pub fn policy(name: &str) -> Vec<u8> {
    let path = prepared("SLUICE_TEST_POLICIES").join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask test`", path.display()))
}
