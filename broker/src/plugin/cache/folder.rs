//! The folder of the cache: private, and bounded.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{cmp, io};

use super::file::UNFINISHED;

/// The extension of entries.
pub(super) const ENTRY: &str = "compiled";

/// What is kept: some tens of policies in many versions, of two engines.
const MAX_ENTRIES: usize = 256;
const MAX_BYTES: u64 = 1 << 30;

/// What is still unfinished then was left by a process that was ended.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Makes the folder if it is not there.
///
/// # Errors
/// It cannot be made, or others may write to it.
pub(super) fn prepare(dir: &Path) -> Result<(), String> {
    let mut builder = DirBuilder::new();
    // One that is there keeps its mode, which is looked at next.
    let made = builder.recursive(true).mode(0o700).create(dir);
    made.map_err(|error| format!("cannot be made: {error}"))?;
    let of = fs::metadata(dir).map_err(|error| error.to_string())?;
    let user = rustix::process::geteuid().as_raw();
    if of.uid() != user && of.uid() != 0 {
        return Err("belongs to another user than the one that the broker runs as".to_owned());
    }
    if of.mode() & 0o022 != 0 {
        return Err(format!(
            "others may write to it (mode {:o}); expected 700",
            of.mode() & 0o7777
        ));
    }
    Ok(())
}

struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// Removes the entries that were not used for the longest time, as long as there are too many.
pub(super) fn prune(dir: &Path) -> io::Result<()> {
    prune_to(dir, MAX_ENTRIES, MAX_BYTES)
}

fn prune_to(dir: &Path, max_entries: usize, max_bytes: u64) -> io::Result<()> {
    let mut entries = Vec::new();
    for found in fs::read_dir(dir)? {
        let path = found?.path();
        // Another process may remove it at the same time.
        let Ok(of) = fs::symlink_metadata(&path) else {
            continue;
        };
        let used = of.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        match path.extension() {
            Some(kind) if kind == ENTRY => entries.push(Entry {
                path,
                bytes: of.len(),
                used,
            }),
            Some(kind) if kind == UNFINISHED && used.elapsed().is_ok_and(|age| age > ABANDONED) => {
                remove(&path)?;
            }
            _ => {}
        }
    }
    entries.sort_by_key(|entry| cmp::Reverse(entry.used));
    let mut bytes = 0;
    for (position, entry) in entries.iter().enumerate() {
        bytes += entry.bytes;
        if position >= max_entries || bytes > max_bytes {
            remove(&entry.path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(dir: &Path) -> u32 {
        fs::metadata(dir).unwrap().mode() & 0o777
    }

    #[test]
    fn the_folder_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("a/cache");
        prepare(&new).unwrap();
        assert_eq!((mode(&new), mode(&dir.path().join("a"))), (0o700, 0o700));
        for open in [0o777, 0o770, 0o702] {
            fs::set_permissions(&new, fs::Permissions::from_mode(open)).unwrap();
            let refused = prepare(&new).unwrap_err();
            assert!(refused.contains(&format!("mode {open:o}")), "{refused}");
        }
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        prepare(&new).unwrap();
        File::create(dir.path().join("file")).unwrap();
        assert!(prepare(&dir.path().join("file")).is_err());
    }

    #[test]
    fn the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let put = |name: &str, bytes: u64, age: u64| {
            let file = File::create(dir.path().join(name)).unwrap();
            file.set_len(bytes).unwrap();
            file.set_modified(now - Duration::from_secs(age)).unwrap();
        };
        for (name, age) in [("a", 5), ("b", 1), ("c", 3), ("d", 2)] {
            put(&format!("{name}.{ENTRY}"), 10, age);
        }
        put("key", 32, 9);
        put(&format!("x.1.{UNFINISHED}"), 10, 7200);
        put(&format!("x.2.{UNFINISHED}"), 10, 60);
        let left = |max_entries, max_bytes| {
            prune_to(dir.path(), max_entries, max_bytes).unwrap();
            let names = fs::read_dir(dir.path()).unwrap();
            let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names.join(" ")
        };
        assert_eq!(
            left(9, 99),
            "a.compiled b.compiled c.compiled d.compiled key x.2.new"
        );
        assert_eq!(left(3, 99), "b.compiled c.compiled d.compiled key x.2.new");
        assert_eq!(left(9, 25), "b.compiled d.compiled key x.2.new");
    }
}
