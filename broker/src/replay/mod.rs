//! Playing events against a policy without a broker: in the real engine, with sockets that exist on paper only and a
//! clock that is set.
//!
//! `line` is the format of what is played, one JSON object a line; `socket` keeps what is known of the sockets in it.
//! A `player` has the policy answer, and an `outcome` is what came of a call. `script` plays a file and holds it
//! against what the file expects, `report` shows that; `serve` answers the SDK's tests; `bench` measures. Nothing here
//! knows connections, routes or other policies.

mod bench;
mod expect;
mod line;
mod outcome;
mod player;
mod report;
mod script;
mod serve;
mod socket;

pub(crate) use bench::{Bench, Benched};
pub(crate) use player::{NotReady, Player, Terms};
pub(crate) use report::Form;
pub(crate) use script::{Played, Script, ScriptError, Update};
pub(crate) use serve::serve;
