//! Notices changes of files, and says so when they have come to rest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// A copy writes in many steps, and an editor renames: what changes again within this is one change.
const REST: Duration = Duration::from_millis(100);

/// A file that is written to without a pause is looked at all the same after this.
const LONGEST: Duration = Duration::from_secs(2);

pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    pub(crate) fn new() -> notify::Result<Self> {
        // One place is enough: that something changed is all there is to say.
        let (changed, changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is no change, and reloads read. An error may hide a change.
            let is_change = event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_)));
            if is_change {
                let _ = changed.try_send(());
            }
        })?;
        Ok(Self {
            watcher,
            changes,
            folders: BTreeSet::new(),
        })
    }

    /// Follows these files, and what appears in these folders. Files are watched through their folders, because a
    /// file that is replaced is another file.
    pub(crate) fn follow(&mut self, paths: &[PathBuf]) {
        let folders: BTreeSet<PathBuf> = paths.iter().map(|path| folder_of(path)).collect();
        for gone in self.folders.difference(&folders) {
            // It may be gone from the disk as well.
            let _ = self.watcher.unwatch(gone);
        }
        for new in folders.difference(&self.folders) {
            if let Err(error) = self.watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %new.display(), %error, "cannot watch for changes");
            }
        }
        self.folders = folders;
    }

    /// Waits for a change, and then until it has come to rest. False: there will be no more.
    pub(crate) async fn changed(&mut self) -> bool {
        if self.changes.recv().await.is_none() {
            return false;
        }
        let rest = async {
            while let Ok(Some(())) = tokio::time::timeout(REST, self.changes.recv()).await {}
        };
        let _ = tokio::time::timeout(LONGEST, rest).await;
        true
    }
}

fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
