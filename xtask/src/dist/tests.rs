#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeSet;

use super::*;

fn prepared(variable: &str) -> PathBuf {
    let value = std::env::var_os(variable);
    value.map_or_else(
        || panic!("{variable} is not set: run `cargo xtask test`"),
        PathBuf::from,
    )
}

/// Unpacked as whoever downloads it does.
fn unpacked(archive: &Path) -> PathBuf {
    let there = archive.parent().unwrap().join("unpacked");
    fs::create_dir(&there).unwrap();
    workspace::run(
        program("tar", &there)
            .args(["--extract", "--gzip", "--strip-components=1", "--file"])
            .arg(archive),
    )
    .unwrap();
    there
}

/// The links of a document lead to what came with it.
fn lead_somewhere(there: &Path, document: &str) {
    let text = fs::read_to_string(there.join(document)).unwrap();
    let folder = there.join(document).parent().unwrap().to_owned();
    for link in text.split("](").skip(1) {
        let link = link.split([')', '#', ' ']).next().unwrap();
        let elsewhere = link.is_empty() || link.contains("://");
        assert!(
            elsewhere || folder.join(link).exists(),
            "{document} leads to {link}, which is not there"
        );
    }
}

#[test]
fn the_archive_holds_what_a_machine_needs() {
    let (broker, modules) = (
        prepared("SLUICE_TEST_BIN"),
        prepared("SLUICE_TEST_POLICIES"),
    );
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let archive = pack(&broker, &modules, folder).unwrap();
    let first = fs::read(&archive).unwrap();
    assert!(fs::metadata(&archive).unwrap().len() < fs::metadata(&broker).unwrap().len());

    let there = unpacked(&archive);
    output(program("sha256sum", &there).args(["--check", "--strict", "SHA256SUMS"])).unwrap();
    let sums = fs::read_to_string(there.join("SHA256SUMS")).unwrap();
    let files: BTreeSet<_> = sums
        .lines()
        .filter_map(|line| line.split("  ").nth(1))
        .collect();
    for wanted in [
        "INSTALL.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "bin/sluice",
        "docs/migration.md",
        "examples/deploy/prometheus/sluice.rules.yml",
        "etc/default.toml",
        "etc/sluice.toml",
        "policies/jwt-auth.wasm",
        "policies/rate-limit.wasm",
        "plugins/rate-limit/README.md",
        "share/completions/_sluice",
        "share/completions/sluice.bash",
        "share/completions/sluice.fish",
        "share/man/man1/sluice-run.1",
        "share/man/man1/sluice.1",
        "systemd/sluice.service",
    ] {
        assert!(files.contains(wanted), "no {wanted} in {files:?}");
    }
    let policies = files.iter().filter(|file| file.starts_with("policies/"));
    assert_eq!(policies.count(), policies::first_party().unwrap().len());

    for document in files.iter().filter(|file| file.ends_with(".md")) {
        lead_somewhere(&there, document);
    }

    // It runs, from there, with what came with it.
    let mut check = program(there.join("bin/sluice"), &there);
    check
        .args(["check", "--config", "etc/sluice.toml"])
        .env("POLICIES", there.join("policies"))
        .env("CLIENT_URL", "https://app.example")
        .env("JWT_SECRET", "0123456789abcdef0123456789abcdef")
        .env("ADMIN_TOKEN", "0123456789abcdef");
    // Those of the tests are no keys of the broker's.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SLUICE_") {
            check.env_remove(name);
        }
    }
    let checked = output(&mut check).unwrap();
    assert!(checked.contains("jwt-auth"), "{checked}");

    // Made again, it is the same.
    pack(&broker, &modules, folder).unwrap();
    assert!(
        first == fs::read(&archive).unwrap(),
        "two archives of the same"
    );
}
