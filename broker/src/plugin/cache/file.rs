//! The files of the cache: entries and the key, private to the broker's user.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(super) const KEY_BYTES: usize = 32;

/// Follows the name of a file that is being written.
pub(super) const UNFINISHED: &str = "new";

pub(super) fn key_path(dir: &Path) -> PathBuf {
    dir.join("key")
}

/// The key of a folder, made at random where there is none.
///
/// # Errors
/// It cannot be read or made, or others can read it.
pub(super) fn key(dir: &Path) -> Result<[u8; KEY_BYTES], String> {
    let path = key_path(dir);
    for _ in 0..2 {
        match read_key(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            read => return read.map_err(|error| error.to_string()),
        }
        let key: [u8; KEY_BYTES] = rand::random();
        let unfinished = unfinished(&path);
        // As a whole or not at all, and never over the key of another process that starts at the same time.
        let made = write_new(&unfinished, &[&key]).and_then(|()| fs::hard_link(&unfinished, &path));
        _ = fs::remove_file(&unfinished);
        match made {
            Ok(()) => return Ok(key),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("it comes and goes".to_owned())
}

fn read_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let wrong =
        |reason: &str| io::Error::other(format!("{reason}; remove it, and a new one is made"));
    let mut file = open(path)?;
    let of = file.metadata()?;
    if of.len() != KEY_BYTES as u64 {
        return Err(wrong("it is not the key of a cache"));
    }
    if of.uid() != rustix::process::geteuid().as_raw() || of.mode() & 0o077 != 0 {
        return Err(wrong("others may read it or write to it"));
    }
    let mut key = [0; KEY_BYTES];
    file.read_exact(&mut key)?;
    Ok(key)
}

/// The bytes of an entry; `None` where there is none.
///
/// # Errors
/// Why what is there cannot be an entry.
pub(super) fn read(path: &Path, max: u64) -> Result<Option<Vec<u8>>, String> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let of = file.metadata().map_err(|error| error.to_string())?;
    if of.len() > max {
        return Err(format!("it has more than {max} bytes"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(of.len()).unwrap_or_default());
    file.take(max)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    Ok(Some(bytes))
}

/// Of neither a link nor a pipe, of which opening waits for who writes to it, anything is expected. The folder is the
/// broker's own, so nobody else puts one there in between.
fn open(path: &Path) -> io::Result<File> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    File::open(path)
}

/// Writes a file in one step: a reader sees all of it, or what was there before.
pub(super) fn replace(path: &Path, pieces: &[&[u8]]) -> io::Result<()> {
    let unfinished = unfinished(path);
    let written = write_new(&unfinished, pieces).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        _ = fs::remove_file(&unfinished);
    }
    written
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:016x}.{UNFINISHED}", rand::random::<u64>()));
    name.into()
}

fn write_new(path: &Path, pieces: &[&[u8]]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    pieces.iter().try_for_each(|piece| file.write_all(piece))
}

/// Notes that an entry was of use. That it could not be noted makes it go earlier, and nothing else.
pub(super) fn touch(path: &Path) {
    _ = open(path).and_then(|file| file.set_modified(SystemTime::now()));
}
