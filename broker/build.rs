//! Puts the SDK into the binary, so that `sluice policy new` needs nothing but the binary.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What a policy's crate needs of the SDK: neither its tests nor what they are built into.
const PARTS: [&str; 6] = [
    "Cargo.toml",
    "README.md",
    "src",
    "wit",
    "macros/Cargo.toml",
    "macros/src",
];

fn main() -> io::Result<()> {
    let root = variable("CARGO_MANIFEST_DIR").join("..");
    let sdk = root.join("plugin-sdk");
    let mut list = String::from("pub(super) const SDK: &[(&str, &str)] = &[\n");
    for part in PARTS {
        println!("cargo::rerun-if-changed={}", sdk.join(part).display());
        let mut files = Vec::new();
        // A part may not be there yet, or not any more.
        find(&sdk.join(part), &mut files)?;
        files.sort();
        for file in files {
            let name = file.strip_prefix(&sdk).unwrap_or(&file);
            // Writing to a String cannot fail.
            _ = writeln!(list, "({name:?}, include_str!({file:?})),");
        }
    }
    list += "];\n";
    for (name, file) in [("WORKSPACE", "Cargo.toml"), ("LOCK", "Cargo.lock")] {
        let file = root.join(file);
        println!("cargo::rerun-if-changed={}", file.display());
        _ = writeln!(
            list,
            "pub(super) const {name}: &str = include_str!({file:?});"
        );
    }
    fs::write(variable("OUT_DIR").join("sdk.rs"), list)
}

fn find(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            find(&entry?.path(), files)?;
        }
    } else if path.is_file() {
        files.push(path.to_owned());
    }
    Ok(())
}

fn variable(name: &str) -> PathBuf {
    env::var_os(name).unwrap_or_default().into()
}
