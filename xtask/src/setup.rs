//! Installs what is missing. Every step is skipped when what it would install is already there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::{cargo, folder_of, output, program, root, run, target, write_if_changed};

const WASM: &str = "wasm32-wasip2";

/// Packages of Debian's, and the program by which each is known to be there.
const LOAD_BALANCERS: [(&str, &str); 2] = [("nginx", "nginx"), ("haproxy", "haproxy")];

/// The target that policies are built for.
pub(crate) fn wasm_target() -> Result<()> {
    let sysroot = output(program("rustc", "").args(["--print", "sysroot"]))?;
    if Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(WASM)
        .is_dir()
    {
        return Ok(());
    }
    run(program("rustup", "").args(["target", "add", WASM]))
        .with_context(|| format!("the compilation target {WASM} is missing and cannot be added"))
}

/// The npm packages of a folder, exactly those of its lock file.
pub(crate) fn npm(folder: &str) -> Result<()> {
    let folder = root().join(folder);
    let lock =
        std::fs::read(folder.join("package-lock.json")).context("cannot read package-lock.json")?;
    let stamp = folder.join("node_modules/.sluice-stamp");
    if is_stamped(&stamp, &lock) {
        return Ok(());
    }
    run(program("npm", &folder).args(["ci", "--no-audit", "--no-fund"]))
        .context("npm packages cannot be installed (is Node.js there?)")?;
    write_if_changed(&stamp, &lock)
}

/// A Python environment with the test client and the NATS server. The folder of its programs.
pub(crate) fn python() -> Result<PathBuf> {
    let wanted = root().join("tests/clients/requirements.txt");
    let requirements = std::fs::read(&wanted).context("cannot read requirements.txt")?;
    let venv = target()?.join("venv");
    let programs = venv.join("bin");
    let stamp = venv.join("sluice-stamp");
    if is_stamped(&stamp, &requirements) {
        return Ok(programs);
    }
    // A virtual environment, because the system's own Python may refuse packages (PEP 668).
    run(program("python3", "")
        .args(["-m", "venv", "--clear"])
        .arg(&venv))
    .context("a virtual environment cannot be made (is Python 3 there, with its venv module?)")?;
    run(program(programs.join("pip"), "")
        .args(["install", "--quiet", "--requirement"])
        .arg(&wanted))?;
    write_if_changed(&stamp, &requirements)?;
    Ok(programs)
}

/// The load balancers of the cluster example.
pub(crate) fn load_balancers() -> Result<()> {
    system_packages(&LOAD_BALANCERS)
}

/// Those, and what else the scenarios run.
pub(crate) fn of_scenarios() -> Result<()> {
    const OTHERS: [(&str, &str); 3] = [
        ("caddy", "caddy"),
        ("prometheus", "promtool"),
        ("chromium", "chromium"),
    ];
    system_packages(&[&LOAD_BALANCERS[..], &OTHERS].concat())
}

/// What makes a virtual machine's disk, and what runs it.
pub(crate) fn of_machines() -> Result<()> {
    system_packages(&[
        ("debootstrap", "debootstrap"),
        ("qemu-system-x86", "qemu-system-x86_64"),
    ])
}

fn system_packages(wanted: &[(&str, &str)]) -> Result<()> {
    // A user's path may be without the folder of servers.
    let is_there = |(_, program): &(&str, &str)| {
        let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/bin"];
        folders
            .iter()
            .any(|folder| Path::new(folder).join(program).is_file())
    };
    if wanted.iter().all(is_there) {
        return Ok(());
    }
    let packages: Vec<_> = wanted.iter().map(|(package, _)| *package).collect();
    let install = || {
        run(program("apt-get", "")
            .args(["install", "--yes", "--no-install-recommends"])
            .args(&packages)
            // No service of theirs is wanted, and no question can be answered.
            .envs([("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1")]))
    };
    install()
        // The lists of packages may be old, or not there at all.
        .or_else(|_| run(program("apt-get", "").arg("update")).and_then(|()| install()))
        .with_context(|| {
            let wanted = packages.join(", ");
            format!("some of {wanted} are missing and cannot be installed: do it by hand")
        })
}

/// Whether network namespaces can be made here: containers may forbid it.
pub(crate) fn has_network_namespaces() -> bool {
    // Its own: somebody else may be looking at the same time.
    let name = format!("sluice-probe-{}", std::process::id());
    let ip = |what: &str| {
        let done = program("ip", "").args(["netns", what, &name]).output();
        done.is_ok_and(|done| done.status.success())
    };
    ip("add") && ip("delete")
}

/// The broker, in a profile of cargo's. Its path.
pub(crate) fn broker(profile: &str) -> Result<PathBuf> {
    run(cargo().args(["build", "--package", "sluice", "--profile", profile]))?;
    Ok(target()?.join(folder_of(profile)).join("sluice"))
}

/// A stamp is a copy of the lock file that was installed.
fn is_stamped(stamp: &Path, lock: &[u8]) -> bool {
    std::fs::read(stamp).is_ok_and(|installed| installed == lock)
}
