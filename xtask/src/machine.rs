//! `cargo xtask machine`: the archive of `cargo xtask dist` on a Debian of its own, under a real systemd.
//!
//! A virtual machine, because a unit's limits and sandbox are the kernel's and systemd's, and because it is installed where
//! it would be anywhere. Its disk is made once, by debootstrap, and never written to. What is tried is in
//! `tests/machine/unit.sh`. Nothing of this is part of `cargo xtask test`: it wants root, downloads 200 MB the first time, and
//! takes minutes, since processors are emulated unless `--kvm` says otherwise.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::workspace::{self, program, root, target};
use crate::{dist, setup};

#[derive(Args)]
pub(crate) struct Options {
    /// An archive that is there already; without it one is made, as `cargo xtask dist` does.
    #[arg(long)]
    archive: Option<PathBuf>,
    /// Uses the processor's own virtualization.
    #[arg(long)]
    kvm: bool,
}

const SUITE: &str = "bookworm";

/// What a small server has, and what the trial asks with.
const PACKAGES: [&str; 11] = [
    "bash-completion",
    "ca-certificates",
    "curl",
    "dbus",
    "init",
    "kmod",
    "linux-image-cloud-amd64",
    "man-db",
    "openssl",
    "procps",
    "udev",
];

/// By which the trial's own last lines are known among the console's.
const GOOD: &str = "all is as it should be";
const BAD: &str = "FAILED";

/// Longer than it takes with emulated processors on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// The console is the trial's alone: somebody who could log in there would take it away.
const KERNEL: &str = "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=false \
    systemd.mask=serial-getty@ttyS0.service";

/// Runs the trial when the machine has started, and switches it off.
const TRIAL: &str = "[Unit]\n\
    After=multi-user.target\n\
    SuccessAction=poweroff-force\n\
    FailureAction=poweroff-force\n\
    [Service]\n\
    Type=oneshot\n\
    Environment=HOME=/root\n\
    WorkingDirectory=/root\n\
    ExecStart=tar --extract --file /dev/vdb\n\
    ExecStart=bash unit.sh archive.tar.gz\n\
    StandardOutput=tty\n\
    StandardError=tty\n\
    TTYPath=/dev/ttyS0\n\
    [Install]\n\
    WantedBy=multi-user.target\n";

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        std::env::consts::ARCH == "x86_64",
        "the machine that this emulates is an x86_64"
    );
    ensure!(
        rustix::process::geteuid().is_root(),
        "debootstrap has to be root to make a disk"
    );
    setup::of_machines()?;
    let archive = match &options.archive {
        Some(there) => there.clone(),
        None => dist::archive()?,
    };
    let folder = target()?.join("machine");
    make_disk(&folder)?;
    pack(&folder, &archive)?;
    let mut machine = start(&folder, options.kvm)?;
    let outcome = follow(&mut machine);
    // It may have ended already.
    let _ = machine.kill();
    machine.wait().context("the machine does not end")?;
    outcome
}

/// The disk, the kernel and its first root, unless they are there.
fn make_disk(folder: &Path) -> Result<()> {
    let stamp = folder.join("stamp");
    let wanted = format!("{SUITE} {}\n{TRIAL}", PACKAGES.join(","));
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    let system = folder.join("root");
    if system.exists() {
        fs::remove_dir_all(&system).context("cannot remove what was left of another disk")?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    workspace::run(
        program("debootstrap", folder)
            .arg("--variant=minbase")
            .arg(format!("--include={}", PACKAGES.join(",")))
            .args([SUITE, "root"]),
    )?;
    fs::write(system.join("etc/fstab"), "/dev/vda / ext4 defaults 0 1\n")?;
    fs::write(system.join("etc/hostname"), "machine\n")?;
    fs::write(system.join("etc/systemd/system/trial.service"), TRIAL)?;
    workspace::run(program("chroot", folder).args(["root", "systemctl", "enable", "trial"]))?;
    for (pattern, name) in [("vmlinuz-", "vmlinuz"), ("initrd.img-", "initrd")] {
        fs::copy(
            starting_with(&system.join("boot"), pattern)?,
            folder.join(name),
        )?;
    }
    let disk = fs::File::create(folder.join("disk"))?;
    disk.set_len(3 << 30)?;
    workspace::run(program("mkfs.ext4", folder).args(["-q", "-F", "-d", "root", "disk"]))?;
    fs::remove_dir_all(&system)?;
    workspace::write_if_changed(&stamp, wanted.as_bytes())
}

fn starting_with(folder: &Path, start: &str) -> Result<PathBuf> {
    let found = fs::read_dir(folder)?
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with(start));
    let found = found.with_context(|| format!("no {start}* in {}", folder.display()))?;
    Ok(found.path())
}

/// What is tried and the trial, as a disk that is one archive.
fn pack(folder: &Path, archive: &Path) -> Result<()> {
    let stage = folder.join("trial");
    fs::create_dir_all(&stage)?;
    let copy = |from: &Path, name: &str| {
        let copied = fs::copy(from, stage.join(name));
        copied.with_context(|| format!("cannot copy {}", from.display()))
    };
    copy(archive, "archive.tar.gz")?;
    copy(&root().join("tests/machine/unit.sh"), "unit.sh")?;
    workspace::run(
        program("tar", &stage)
            .args(["--create", "--file", "../trial.tar"])
            .args(["archive.tar.gz", "unit.sh"]),
    )
}

fn start(folder: &Path, kvm: bool) -> Result<Child> {
    let (accelerator, processor) = if kvm {
        ("kvm", "host")
    } else {
        ("tcg,thread=multi", "max")
    };
    let mut command = program("qemu-system-x86_64", folder);
    command
        .args(["-accel", accelerator, "-cpu", processor])
        .args(["-m", "3G", "-smp", "2", "-nographic", "-no-reboot"])
        .args(["-nic", "none", "-device", "virtio-rng-pci"])
        .args(["-kernel", "vmlinuz", "-initrd", "initrd"])
        .args(["-append", KERNEL])
        // What it writes is nowhere when it has ended.
        .args(["-drive", "file=disk,if=virtio,format=raw,snapshot=on"])
        .args(["-drive", "file=trial.tar,if=virtio,format=raw,readonly=on"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command.spawn().context("cannot run qemu-system-x86_64")
}

/// Shows the console until the trial has come to an end.
fn follow(machine: &mut Child) -> Result<()> {
    let console = machine.stdout.take().context("no console")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(console).split(b'\n').map_while(Result::ok);
        // Nobody listens any more when time is up.
        lines
            .map(|line| String::from_utf8_lossy(&line).trim_end().to_owned())
            .all(|line| sender.send(line).is_ok())
    });
    let deadline = Instant::now() + PATIENCE;
    let mut has_failed = false;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) => {
                println!("{line}");
                if line.ends_with(GOOD) {
                    return Ok(());
                }
                has_failed |= line.starts_with(BAD);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("it has not come to an end"),
            Err(mpsc::RecvTimeoutError::Disconnected) if has_failed => bail!("the trial failed"),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                bail!("the machine ended before the trial")
            }
        }
    }
}
