//! Sluice, a standalone Socket.IO event broker.
//!
//! An event's way is `edge` → `session` → `pipeline` → `router` → `fanout`; ARCHITECTURE.md draws it. The crate is the
//! binary's: what it makes public is for `main.rs` and the benchmarks only.

mod admin;
mod adminui;
mod admission;
mod app;
mod authorities;
mod backend;
mod batch;
#[doc(hidden)]
pub mod bench;
mod catalogue;
pub mod cli;
mod cluster;
mod config;
mod drain;
mod edge;
mod event;
mod fanout;
mod feed;
mod glob;
mod hex;
mod lossy;
mod moment;
mod nats;
mod node;
mod packet;
mod pipeline;
mod plugin;
mod record;
mod redact;
mod replay;
mod revocation;
mod rollout;
mod router;
mod session;
mod sharing;
mod state;
mod tally;
mod telemetry;
mod tls;
