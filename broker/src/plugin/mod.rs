//! Policies: WebAssembly components that operators drop in and replace while traffic flows.
//!
//! `module` is a file that was found to be a policy; `activate` makes a `policy` of it, with settings; an `instance`
//! runs it on one thread, where `slots` keeps it and `budget` bounds what its failures cost; a `breaker` sees to it that
//! one which keeps failing is not called for a while. `host` and `wasi` are all that a policy can reach, by the version
//! of the `contract` that it was built against; `clock` is its time, and a `rehearsal` all that it has while events are
//! played to it. `registry`
//! makes the policies that a configuration asks for (`folder` finds those that were dropped in, `signature` tells which
//! may be loaded, `memo` keeps what is compiled, and `cache` does so on disk), and `reload` does so again when `watch`
//! sees that a file has changed, or when an operator asks through `control`.
//! Nothing here knows sockets or routes.

mod activate;
mod advance;
mod asking;
mod bindings;
mod breaker;
mod budget;
mod cache;
mod clock;
mod contract;
mod control;
mod empty;
mod engine;
mod failed;
mod fetch;
mod folder;
mod host;
pub(crate) mod inspect;
mod instance;
mod memo;
mod module;
mod policy;
mod precompile;
mod registry;
mod rehearsal;
mod reload;
pub(crate) mod signature;
mod slots;
mod tally;
mod trial;
mod wasi;
mod watch;

pub(crate) use activate::{Plan, Refused};
pub(crate) use advance::{Advance, whom_counts};
pub(crate) use bindings::types;
pub(crate) use bindings::types::DisconnectReason;
pub(crate) use breaker::BreakerState;
pub(crate) use cache::Cache;
pub(crate) use clock::Clock;
pub(crate) use control::{
    Answer as CommandAnswer, Command, CommandError, Control, Done, Mailbox, control,
};
pub(crate) use empty::Empty;
pub(crate) use engine::Engine;
pub(crate) use failed::Failed;
pub(crate) use fetch::Request;
pub(crate) use folder::{Artifact, MAX_MODULE, read as read_module};
pub(crate) use host::LONGEST_TOKEN;
pub(crate) use instance::Fault;
pub(crate) use module::{Digest, Module, NotAPolicy};
pub(crate) use policy::{Admission, Asked, Policy, Source};
pub(crate) use registry::{Before, ChangeError, End, Past, PastTrial, Persisted, Registry};
pub(crate) use rehearsal::{Rehearsal, Upstream};
pub(crate) use reload::{Commit, Follower, Live, Outcome, Reload};
pub(crate) use slots::prune;
pub(crate) use tally::{PATIENCE as TALLY_PATIENCE, StrictCounters};
pub(crate) use trial::{About, Answer, Comparison, Kind, Said, Sample, Tally, Trial, WHOLE};
pub(crate) use watch::{Fingerprint, Settling, Watched};
