//! What one node tells the others of a request that may be repeated: that it is done, and what it came to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::emit::Emitted;
use super::emitter::TheirAck;
use super::repeats::Repeats;

pub(super) const TOPIC: &str = "done";

/// What is more stays on this node: letters are small.
const MAX_BYTES: usize = 128 << 10;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Done {
    key: Arc<str>,
    /// Whose print it is.
    build: String,
    print: u64,
    deliveries: u64,
    silent: Vec<String>,
    missing: Option<u64>,
    acks: Option<Vec<TheirAck>>,
}

/// A node of another build may take the print of the same request differently.
fn build() -> String {
    format!("{} {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH)
}

impl Done {
    /// `None`: it is too much to tell.
    pub(super) fn of(key: &Arc<str>, print: u64, emitted: &Emitted) -> Option<Self> {
        let its = (emitted.size() <= MAX_BYTES).then(|| emitted.clone())?;
        let acks = |acks: Vec<_>| acks.into_iter().map(TheirAck::from).collect();
        Some(Self {
            key: key.clone(),
            build: build(),
            print,
            deliveries: its.deliveries,
            silent: its.silent,
            missing: its.missing,
            acks: its.acks.map(acks),
        })
    }

    pub(super) fn note(self, repeats: &Repeats) {
        let print = (self.build == build()).then_some(self.print);
        let sound = |acks: Vec<TheirAck>| {
            let sound = acks.into_iter().filter(TheirAck::is_sound);
            sound.map(Into::into).collect()
        };
        let emitted = Emitted {
            deliveries: self.deliveries,
            silent: self.silent,
            missing: self.missing,
            acks: self.acks.map(sound),
        };
        repeats.heard(&self.key, print, emitted);
    }
}
