//! Compiles the modules of a start, several at once. While the broker serves, its policies are compiled one after the
//! other: the processors belong to the traffic then.

use std::collections::HashSet;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::engine::Engine;
use super::memo::Memo;
use super::module::{Digest, Module, NotAPolicy};
use super::{folder, signature};
use crate::config::{self, TrustedKey};

/// What is still to be compiled, and what has been.
struct Work {
    open: Vec<Arc<config::Policy>>,
    begun: HashSet<Digest>,
    done: Vec<(Digest, Result<Module, NotAPolicy>)>,
}

/// Puts the modules of these policies into the memo. What cannot be read or may not be loaded is left to whoever makes
/// the policies, who has to say so.
pub(super) fn all(
    engine: &Engine,
    modules: &mut Memo<Module>,
    policies: Vec<Arc<config::Policy>>,
    keys: &[TrustedKey],
) {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(policies.len());
    if threads < 2 {
        return;
    }
    let work = Mutex::new(Work {
        // The last is taken first.
        open: policies.into_iter().rev().collect(),
        begun: HashSet::new(),
        done: Vec::new(),
    });
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| run(engine, &work, keys));
        }
    });
    for (digest, compiled) in work.into_inner().done {
        // An error is the memo's to judge: some are of the moment.
        _ = modules.get(digest, || compiled);
    }
}

/// One thread. It has one module in memory at a time.
fn run(engine: &Engine, work: &Mutex<Work>, keys: &[TrustedKey]) {
    loop {
        // In a statement of its own: the lock is not held any longer.
        let Some(settings) = work.lock().open.pop() else {
            return;
        };
        let Ok(artifact) = folder::read(&settings.module) else {
            continue;
        };
        let digest = Digest::of(&artifact.bytes);
        let is_admitted = signature::admit(&settings, &artifact, digest, keys).is_ok();
        if is_admitted && work.lock().begun.insert(digest) {
            let compiled = Module::compile(engine, &artifact.bytes);
            work.lock().done.push((digest, compiled));
        }
    }
}
