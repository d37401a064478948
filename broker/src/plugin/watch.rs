//! Notices changes of files, and says when they have come to rest.
//!
//! Files are looked at again and again instead of being announced by the kernel: announcements belong to the folder
//! that was opened, not to its path, so they go silent when a folder is replaced or a link is turned, they do not
//! come over a network, and there can be too many watches. A look is a few system calls.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::signature;

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(200);

/// A copy writes in many steps: what changes again within this is one change.
const REST: Duration = Duration::from_millis(100);

/// A file that is written to without a pause is loaded all the same after this.
const LONGEST: Duration = Duration::from_secs(2);

/// What failed is tried again after this although nothing has changed: its cause may lie where nobody looks.
const RETRY: Duration = Duration::from_secs(2);

/// Trying again takes at most one part in this of a thread.
const RETRY_SHARE: u32 = 10;

/// What is to be looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    pub files: BTreeSet<PathBuf>,
    /// A folder of modules. Only modules, and the settings and signatures beside them, count: a log may be written
    /// there as well.
    pub modules: Option<PathBuf>,
}

/// The state of files at a moment. Links are followed, so one that is turned makes a difference.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(BTreeMap<PathBuf, Option<Stat>>);

/// What changes when a file is written to or is another file. The time of change tells of writers that set the time
/// of modification back.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    /// Asks the file system, which may take its time: not to be done on a reactor.
    pub(crate) fn of(watched: &Watched) -> Self {
        let mut seen: BTreeMap<_, _> = watched
            .files
            .iter()
            .map(|file| (file.clone(), stat(file)))
            .collect();
        if let Some(folder) = &watched.modules {
            match modules(folder) {
                Ok(modules) => {
                    for module in modules {
                        let settings = module.with_extension("toml");
                        let signature = signature::file_of(&module);
                        for file in [settings, signature, module] {
                            let state = stat(&file);
                            seen.insert(file, state);
                        }
                    }
                }
                Err(_) => _ = seen.insert(folder.clone(), None),
            }
        }
        Self(seen)
    }
}

/// The paths in a folder that are named like modules.
pub(super) fn modules(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut modules = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "wasm") {
            modules.push(path);
        }
    }
    modules.sort();
    Ok(modules)
}

/// `None`: there is no such file, or nobody can tell.
fn stat(file: &Path) -> Option<Stat> {
    let of = std::fs::metadata(file).ok()?;
    Some(Stat {
        device: of.dev(),
        inode: of.ino(),
        length: of.len(),
        modified: (of.mtime(), of.mtime_nsec()),
        changed: (of.ctime(), of.ctime_nsec()),
    })
}

/// Decides from what is seen when to load.
#[derive(Debug)]
pub(crate) struct Settling<F> {
    /// What was seen before the last loading. Nothing at first: what changed between the process's start and its
    /// first look is noticed because the first look always leads to loading.
    loaded: Option<F>,
    pending: Option<Pending<F>>,
    /// When to load again although nothing changes.
    retry: Option<Instant>,
}

/// A change that has not come to rest.
#[derive(Debug)]
struct Pending<F> {
    seen: F,
    since: Instant,
    /// When the first of the changes was seen.
    first: Instant,
}

impl<F: PartialEq> Settling<F> {
    pub(crate) fn new() -> Self {
        Self {
            loaded: None,
            pending: None,
            retry: None,
        }
    }

    /// Whether it is time to load, given what is seen now.
    pub(crate) fn see(&mut self, seen: F, now: Instant) -> bool {
        if self.loaded.as_ref() == Some(&seen) {
            self.pending = None;
            return self.retry.is_some_and(|at| now >= at);
        }
        let (since, first) = match &self.pending {
            Some(pending) if pending.seen == seen => (pending.since, pending.first),
            Some(pending) => (now, pending.first),
            None => (now, now),
        };
        let is_time = now - since >= REST || now - first >= LONGEST;
        if is_time {
            self.loaded = Some(seen);
            self.pending = None;
        } else {
            self.pending = Some(Pending { seen, since, first });
        }
        is_time
    }

    /// After loading, which took this long: whether there is something to try again.
    pub(crate) fn loaded(&mut self, failing: bool, took: Duration, now: Instant) {
        self.retry = failing.then(|| now + RETRY.max(took * RETRY_SHARE));
    }

    /// Until the next look.
    pub(crate) fn pause(&self) -> Duration {
        match self.pending {
            Some(_) => REST,
            None => PERIOD,
        }
    }
}

#[cfg(test)]
mod tests;
