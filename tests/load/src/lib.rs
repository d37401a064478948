//! A load generator that speaks Socket.IO over WebSocket by hand, lean enough to share two cores with the server that
//! it measures.
//!
//! `fleet` holds all sockets on one thread and one poll; `wire` is the frames and packets that they speak, `message` what
//! they send to each other. `ledger` counts what was lost, came twice or in another order; `process` reads what the
//! server spent; `report` is what comes out. `scenario` has one file a scenario, and `token` the tokens that clients
//! present. The servers that Sluice is measured beside are in `examples/` and `node/`; `cargo xtask bench edge` starts
//! them and this.

pub mod fleet;
pub mod ledger;
pub mod message;
pub mod process;
pub mod report;
pub mod scenario;
pub mod token;
pub mod wire;

use std::io;
use std::time::Duration;

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
    #[error("socket {socket} was refused: {answer}")]
    Refused { socket: usize, answer: String },
    #[error("socket {socket} was closed by the server")]
    Gone { socket: usize },
    #[error("the server sent what is no Socket.IO over WebSocket: {0}")]
    Protocol(String),
    #[error("{what} took longer than {limit:?}")]
    Late { what: String, limit: Duration },
    #[error("the server's process {0} cannot be read")]
    Process(u32),
}

/// Longer than any server needs to answer on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub type Result<T, E = LoadError> = std::result::Result<T, E>;
