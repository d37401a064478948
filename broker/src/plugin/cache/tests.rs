//! What a second start takes from the cache, and what it does not.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

/// The empty component.
const MODULE: &[u8] = b"\0asm\x0d\0\x01\0";

struct Bench {
    dir: tempfile::TempDir,
    engine: Engine,
}

impl Bench {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            engine: Engine::default(),
        }
    }

    fn cache(&self) -> Cache {
        Cache::open(&self.dir.path().join("cache")).unwrap()
    }

    /// Where a start has the module from.
    fn start(&self) -> Compiled {
        let cache = self.cache();
        let digest = Digest::of(MODULE);
        let (_, compiled) = take_or_compile(&self.engine, Some(&cache), digest, MODULE).unwrap();
        compiled
    }

    fn entry(&self) -> PathBuf {
        self.cache().path(&self.engine, Digest::of(MODULE))
    }
}

#[test]
fn a_module_is_compiled_once() {
    let bench = Bench::new();
    assert_eq!(bench.start(), Compiled::Fresh);
    assert_eq!(bench.start(), Compiled::Cache);
    let mode = fs::metadata(bench.entry()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let names = fs::read_dir(bench.dir.path().join("cache")).unwrap();
    assert_eq!(names.count(), 2, "the key and the entry");
}

/// Whatever is changed, the entry is not used, and replaced by a good one.
#[test]
fn a_changed_entry_is_not_used() {
    let bench = Bench::new();
    bench.start();
    let good = fs::read(bench.entry()).unwrap();
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let bad = [
        Vec::new(),
        good[..20].to_vec(),
        good[..good.len() - 1].to_vec(),
        [&good[..], b"x"].concat(),
        changed(3),
        changed(MAGIC.len()),
        changed(MAGIC.len() + CODE_BYTES),
        changed(good.len() - 1),
    ];
    for bytes in bad {
        fs::write(bench.entry(), bytes).unwrap();
        assert_eq!(bench.start(), Compiled::Fresh);
        assert_eq!(fs::read(bench.entry()).unwrap(), good);
    }
    assert_eq!(bench.start(), Compiled::Cache);
}

#[test]
fn an_entry_counts_for_its_module_its_engine_and_its_key() {
    let bench = Bench::new();
    bench.start();
    let cache = bench.cache();
    let entry = fs::read(bench.entry()).unwrap();
    let [digest, other] = [Digest::of(MODULE), Digest::of(b"other")];
    assert!(cache.verified(&bench.engine, digest, &entry).is_some());
    assert!(cache.verified(&bench.engine, other, &entry).is_none());
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true);
    let engine = Engine::new(&config).unwrap();
    assert_ne!(fingerprint(&engine), fingerprint(&bench.engine));
    assert!(cache.verified(&engine, digest, &entry).is_none());
    assert_ne!(cache.path(&engine, digest), bench.entry());
    fs::remove_file(file::key_path(&cache.dir)).unwrap();
    assert_eq!(bench.start(), Compiled::Fresh, "another key");
}

#[test]
fn a_link_or_a_folder_is_no_entry() {
    let bench = Bench::new();
    bench.start();
    let elsewhere = bench.dir.path().join("elsewhere");
    fs::rename(bench.entry(), &elsewhere).unwrap();
    symlink(&elsewhere, bench.entry()).unwrap();
    assert_eq!(bench.start(), Compiled::Fresh);
    assert!(fs::symlink_metadata(bench.entry()).unwrap().is_file());
    fs::remove_file(bench.entry()).unwrap();
    fs::create_dir(bench.entry()).unwrap();
    assert_eq!(bench.start(), Compiled::Fresh, "and nothing breaks");
}

#[test]
fn a_key_that_others_can_read_or_that_is_none_is_refused() {
    let bench = Bench::new();
    let cache = bench.cache();
    assert_eq!(bench.cache().key, cache.key, "it stays");
    let key = file::key_path(&cache.dir);
    let refused = || Cache::open(&cache.dir).unwrap_err().to_string();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(refused().contains("others may read"), "{}", refused());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "short").unwrap();
    assert!(refused().contains("not the key"), "{}", refused());
    fs::remove_file(&key).unwrap();
    fs::write(bench.dir.path().join("theirs"), [0; 32]).unwrap();
    symlink(bench.dir.path().join("theirs"), &key).unwrap();
    assert!(refused().contains("/key: "), "{}", refused());
}

#[test]
fn starts_at_the_same_time_have_one_key() {
    let dir = tempfile::tempdir().unwrap();
    folder::prepare(dir.path()).unwrap();
    let keys: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| file::key(dir.path())))
            .collect();
        starts
            .into_iter()
            .map(|it| it.join().unwrap().unwrap())
            .collect()
    });
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
}
