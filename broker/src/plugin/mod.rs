//! Policies: WebAssembly components that operators drop in and replace while traffic flows.
//!
//! `module` is a file that was found to be a policy, `policy` is a module with settings, `instance` runs it on one
//! thread. `host` and `wasi` are all that a policy can reach. `registry` makes the policies that a configuration asks
//! for, `reload` does so again when a file changes. Nothing here knows sockets or routes.

mod bindings;
mod engine;
mod host;
mod instance;
mod module;
mod policy;
mod registry;
mod reload;
mod wasi;
mod watch;

pub(crate) use bindings::types::DisconnectReason;
pub(crate) use engine::Engine;
pub(crate) use policy::{Admission, Policy, Source, prune};
pub(crate) use registry::{Failed, Registry};
pub(crate) use reload::{Outcome, Reload};
pub(crate) use watch::Watch;
