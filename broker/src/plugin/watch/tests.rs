use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// A clock that is set by hand, and what has been decided.
struct Bench {
    settling: Settling<u32>,
    start: Instant,
}

impl Bench {
    /// What is there at the start, 1, has been loaded.
    fn new() -> Self {
        let mut bench = Self {
            settling: Settling::new(),
            start: Instant::now(),
        };
        assert!(!bench.see(1, 0), "at rest for no time at all");
        assert!(bench.see(1, 100), "the first look leads to loading");
        bench.loaded(false, 0, 100);
        bench
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn see(&mut self, seen: u32, millis: u64) -> bool {
        self.settling.see(seen, self.at(millis))
    }

    fn loaded(&mut self, failing: bool, took: u64, millis: u64) {
        let now = self.at(millis);
        self.settling
            .loaded(failing, Duration::from_millis(took), now);
    }
}

#[test]
fn nothing_new_is_not_loaded() {
    let mut bench = Bench::new();
    assert!((1..1000).all(|n| !bench.see(1, 100 + n * 200)));
}

#[test]
fn a_change_is_loaded_once_when_it_has_come_to_rest() {
    let mut bench = Bench::new();
    assert!(!bench.see(2, 300));
    assert!(!bench.see(3, 400), "it goes on");
    assert!(!bench.see(3, 499));
    assert!(bench.see(3, 500));
    bench.loaded(false, 0, 500);
    assert!(!bench.see(3, 700));
    assert!(!bench.see(3, 9000));
}

#[test]
fn what_changes_back_is_not_loaded() {
    let mut bench = Bench::new();
    assert!(!bench.see(2, 300));
    assert!(!bench.see(1, 400));
    assert!(!bench.see(2, 2600), "this begins anew");
    assert!(bench.see(2, 2700));
}

#[test]
fn a_change_without_end_is_loaded_all_the_same() {
    let mut bench = Bench::new();
    let at: Vec<_> = (1..=63u32)
        .filter(|n| bench.see(100 + n, 300 + u64::from(*n) * 100))
        .collect();
    assert_eq!(at, [21, 42, 63], "every two seconds");
}

#[test]
fn what_fails_is_tried_again() {
    let mut bench = Bench::new();
    assert!(!bench.see(2, 300));
    assert!(bench.see(2, 400));
    bench.loaded(true, 0, 400);
    assert!(!bench.see(2, 2300));
    assert!(bench.see(2, 2400));
    bench.loaded(true, 500, 2900);
    assert!(!bench.see(2, 7800), "a dear one more rarely");
    assert!(bench.see(2, 7900));
    bench.loaded(true, 0, 7900);
    assert!(!bench.see(3, 8000));
    assert!(bench.see(3, 8100), "a change does not wait for that");
    bench.loaded(false, 0, 8100);
    assert!(!bench.see(3, 60_000), "it has been put right");
}

#[test]
fn a_pending_change_is_looked_at_sooner() {
    let mut bench = Bench::new();
    assert_eq!(bench.settling.pause(), PERIOD);
    bench.see(2, 300);
    assert_eq!(bench.settling.pause(), REST);
}

fn watched(dir: &Path) -> Watched {
    Watched {
        files: [dir.join("sluice.toml")].into(),
        modules: Some(dir.join("policies")),
    }
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("policies")).unwrap();
    fs::write(dir.path().join("sluice.toml"), "").unwrap();
    fs::write(dir.path().join("policies/a.wasm"), "a").unwrap();
    dir
}

#[test]
fn each_change_makes_a_difference() {
    let dir = folder();
    let path = |name: &str| dir.path().join(name);
    let changes: [(&str, &dyn Fn()); 8] = [
        ("the configuration", &|| {
            fs::write(path("sluice.toml"), "x").unwrap();
        }),
        ("a new module", &|| {
            fs::write(path("policies/b.wasm"), "b").unwrap();
        }),
        ("its settings", &|| {
            fs::write(path("policies/b.toml"), "").unwrap();
        }),
        ("its signature", &|| {
            fs::write(path("policies/b.wasm.minisig"), "").unwrap();
        }),
        ("one replaced by one of the same length", &|| {
            fs::write(path("new"), "c").unwrap();
            fs::rename(path("new"), path("policies/b.wasm")).unwrap();
        }),
        ("one removed", &|| {
            fs::remove_file(path("policies/b.wasm")).unwrap()
        }),
        ("the folder removed", &|| {
            fs::remove_dir_all(path("policies")).unwrap()
        }),
        ("the folder made again", &|| {
            fs::create_dir(path("policies")).unwrap()
        }),
    ];
    let mut before = Fingerprint::of(&watched(dir.path()));
    assert_eq!(before, Fingerprint::of(&watched(dir.path())));
    for (what, change) in changes {
        change();
        let after = Fingerprint::of(&watched(dir.path()));
        assert_ne!(before, after, "{what}");
        before = after;
    }
}

#[test]
fn a_turned_link_makes_a_difference() {
    let dir = folder();
    fs::rename(dir.path().join("policies"), dir.path().join("one")).unwrap();
    fs::create_dir(dir.path().join("two")).unwrap();
    fs::write(dir.path().join("two/a.wasm"), "a").unwrap();
    symlink("one", dir.path().join("policies")).unwrap();
    let before = Fingerprint::of(&watched(dir.path()));
    symlink("two", dir.path().join("next")).unwrap();
    fs::rename(dir.path().join("next"), dir.path().join("policies")).unwrap();
    assert_ne!(before, Fingerprint::of(&watched(dir.path())));
}

#[test]
fn other_files_make_none() {
    let dir = folder();
    let before = Fingerprint::of(&watched(dir.path()));
    fs::write(dir.path().join("sluice.log"), "x").unwrap();
    fs::write(dir.path().join("policies/notes.md"), "x").unwrap();
    fs::write(dir.path().join("policies/.a.new"), "x").unwrap();
    assert_eq!(before, Fingerprint::of(&watched(dir.path())));
}
