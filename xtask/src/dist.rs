//! `cargo xtask dist`: what is put on a machine, as one archive.
//!
//! ```text
//!     sluice-VERSION-ARCH-linux/
//!         bin/sluice            policies/*.wasm         systemd/sluice.{service,env}
//!         etc/sluice.toml       to start with           etc/default.toml        every key
//!         share/completions/    share/man/man1/
//!         INSTALL.md README.md CHANGELOG.md LICENSE-* SHA256SUMS
//!         docs/  examples/deploy/  plugins/*/README.md  …  what these lead to
//! ```
//!
//! The same sources make the same archive, byte for byte, as far as the compiler makes the same programs: files are in
//! order, belong to nobody in particular, and are as old as the last commit.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::workspace::{cargo, folder_of, metadata, output, program, root, target};
use crate::{policies, setup, workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// The profile that the broker is built in; `dev` is for trying this command out.
    #[arg(long, default_value = "release")]
    profile: String,
    /// Links the C library in, so that the broker runs where there is none, as in an empty container. Wants the C library as
    /// an archive: Debian's libc6-dev has it, elsewhere it is glibc-static.
    #[arg(long = "static")]
    is_static: bool,
}

/// What is copied from the sources, and where it lies in the archive.
const COPIED: [(&str, &str); 8] = [
    ("examples/deploy/systemd/INSTALL.md", "INSTALL.md"),
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("examples/deploy/sluice.toml", "etc/sluice.toml"),
    (
        "examples/deploy/systemd/sluice.service",
        "systemd/sluice.service",
    ),
    ("examples/deploy/systemd/sluice.env", "systemd/sluice.env"),
];

const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "sluice.bash"),
    ("zsh", "_sluice"),
    ("fish", "sluice.fish"),
];

pub(crate) fn run(options: &Options) -> Result<()> {
    println!("{}", make(options)?.display());
    Ok(())
}

/// As it is made when nothing else is said. Its path.
pub(crate) fn archive() -> Result<PathBuf> {
    make(&Options {
        profile: "release".to_owned(),
        is_static: false,
    })
}

fn make(options: &Options) -> Result<PathBuf> {
    let modules = policies::build_first_party()?;
    let broker = broker(options)?;
    pack(&broker, &modules, &target()?.join("dist"))
}

fn broker(options: &Options) -> Result<PathBuf> {
    if !options.is_static {
        return setup::broker(&options.profile);
    }
    // Only how it is linked differs, so what has been compiled serves both.
    let wanted = ["-C", "target-feature=+crt-static"];
    workspace::run(
        cargo()
            .args(["rustc", "--package", "sluice", "--bin", "sluice"])
            .args(["--profile", &options.profile, "--"])
            .args(wanted),
    )?;
    let folder = folder_of(&options.profile);
    Ok(target()?.join(folder).join("sluice"))
}

/// Makes the archive of a broker and of policies. Its path.
pub(crate) fn pack(broker: &Path, modules: &Path, folder: &Path) -> Result<PathBuf> {
    let name = name()?;
    let stage = folder.join(&name);
    if stage.exists() {
        fs::remove_dir_all(&stage).with_context(|| format!("cannot empty {}", stage.display()))?;
    }
    let sluice = stage.join("bin/sluice");
    copy(broker, &sluice)?;
    // Names of functions and lines, which are most of it.
    workspace::run(program("strip", "").arg(&sluice)).context("`strip` of binutils is wanted")?;
    for policy in policies::first_party()? {
        let file = format!("{policy}.wasm");
        copy(&modules.join(&file), &stage.join("policies").join(&file))?;
    }
    for (from, to) in COPIED {
        copy(&root().join(from), &stage.join(to))?;
    }
    for document in documents()? {
        copy(&root().join(&document), &stage.join(&document))?;
    }
    made_by(&sluice, &stage)?;
    let sums = sums(&stage)?;
    write(&stage.join("SHA256SUMS"), &sums)?;
    compress(folder, &name)
}

/// Folders and files that lie in the archive where they lie in the sources, so that what is written leads where it says.
const DOCUMENTS: [&str; 6] = [
    "ARCHITECTURE.md",
    "docs",
    "examples/deploy",
    "examples/policies/shout",
    "plugin-sdk/README.md",
    "plugin-sdk/src/testing/PROTOCOL.md",
];

/// Those, and what each policy says of its settings; from the root.
fn documents() -> Result<Vec<PathBuf>> {
    let mut documents = Vec::new();
    for path in DOCUMENTS {
        gather(Path::new(path), &mut documents)?;
    }
    for policy in policies::first_party()? {
        documents.push(Path::new("plugins").join(policy).join("README.md"));
    }
    Ok(documents)
}

/// A file, or all that is in a folder.
fn gather(path: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    let there = root().join(path);
    if there.is_file() {
        into.push(path.to_owned());
        return Ok(());
    }
    let unread = || format!("cannot read {}", path.display());
    for entry in fs::read_dir(there).with_context(unread)? {
        gather(&path.join(entry?.file_name()), into)?;
    }
    Ok(())
}

/// What the binary writes about itself.
fn made_by(sluice: &Path, stage: &Path) -> Result<()> {
    let says = |arguments: &[&str]| output(program(sluice, "").args(arguments));
    write(
        &stage.join("etc/default.toml"),
        &says(&["config", "default"])?,
    )?;
    for (shell, file) in COMPLETIONS {
        let script = says(&["completions", shell])?;
        write(&stage.join("share/completions").join(file), &script)?;
    }
    let pages = stage.join("share/man/man1");
    workspace::run(program(sluice, "").args(["manual", "--out"]).arg(&pages))
}

fn name() -> Result<String> {
    let packages = metadata()?["packages"].as_array();
    let broker = packages.and_then(|it| it.iter().find(|package| package["name"] == "sluice"));
    let version = broker.and_then(|package| package["version"].as_str());
    let version = version.context("`cargo metadata` knows no version of sluice")?;
    Ok(format!("sluice-{version}-{}-linux", std::env::consts::ARCH))
}

/// The digests of all files, as `sha256sum --check` reads them.
fn sums(stage: &Path) -> Result<String> {
    let listed = output(program("find", stage).args([".", "-type", "f", "-printf", "%P\\n"]))?;
    let mut files: Vec<_> = listed.lines().collect();
    files.sort_unstable();
    output(program("sha256sum", stage).args(files))
}

fn compress(folder: &Path, name: &str) -> Result<PathBuf> {
    let archive = folder.join(format!("{name}.tar.gz"));
    workspace::run(
        program("tar", folder)
            .args(["--create", "--format=ustar", "--sort=name"])
            .args([
                "--owner=0",
                "--group=0",
                "--numeric-owner",
                "--mode=u=rwX,go=rX",
            ])
            .arg(format!("--mtime=@{}", age()))
            .args(["--use-compress-program=gzip --no-name --best", "--file"])
            .arg(&archive)
            .arg(name),
    )?;
    let sum = output(program("sha256sum", folder).arg(format!("{name}.tar.gz")))?;
    write(&folder.join(format!("{name}.tar.gz.sha256")), &sum)?;
    Ok(archive)
}

/// Seconds since 1970: what whoever builds says, or the last commit. Sources without a history are of no age.
fn age() -> u64 {
    let said = std::env::var("SOURCE_DATE_EPOCH").ok();
    let committed = || output(program("git", "").args(["log", "-1", "--format=%ct"])).ok();
    let age = said.or_else(committed);
    age.and_then(|age| age.trim().parse().ok()).unwrap_or(0)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    ensure!(!text.is_empty(), "{} would be empty", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests;
