//! What has been started: never left behind, and stopped in the reverse order.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::ready;
use crate::workspace::program;

/// Longer than any of them takes to start on a slow machine.
const START: Duration = Duration::from_secs(60);
/// A broker closes its clients first, over its drain period.
const STOP: Duration = Duration::from_secs(15);

/// Processes by name, in the order in which they were started.
pub(crate) struct Running {
    children: Vec<(String, Child)>,
    signals: Signals,
    logs: PathBuf,
}

/// What makes the main thread stop waiting.
pub(crate) enum Ending {
    Asked,
    Gone(String),
}

impl Running {
    /// Nothing yet. Logs will be in this folder.
    pub(crate) fn new(logs: &Path) -> Result<Self> {
        Ok(Self {
            children: Vec::new(),
            // Caught before any child is there, so that no Ctrl-C leaves one alone.
            signals: Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be caught")?,
            logs: logs.to_owned(),
        })
    }

    /// Starts a program whose output is its log; its process id.
    pub(crate) fn start(&mut self, name: &str, command: &mut Command) -> Result<u32> {
        let log = self.log(name)?;
        command.stdout(log.try_clone()?).stderr(log);
        self.spawn(name, command).map(|child| child.id())
    }

    /// Starts a broker: what its `ready` line says.
    pub(crate) fn start_ready(&mut self, name: &str, command: &mut Command) -> Result<Value> {
        let log = self.log(name)?;
        command.stdout(Stdio::piped()).stderr(log);
        let child = self.spawn(name, command)?;
        let stdout = child.stdout.take().context("no output")?;
        ready::first_line(stdout, START).with_context(|| self.did_not_start(name))
    }

    /// Starts a program that says something when it serves.
    pub(crate) fn start_line(&mut self, name: &str, command: &mut Command) -> Result<()> {
        self.start(name, command)?;
        let log = self.path(name);
        self.wait_for(name, || {
            let said = std::fs::read_to_string(&log).ok()?;
            said.lines().any(|line| line == "ready").then_some(())
        })
    }

    /// Starts a NATS server with JetStream, on any free port if it is 0; its address.
    pub(crate) fn start_nats(&mut self, server: &Path, port: u16) -> Result<String> {
        // It writes the port that it has found into a file.
        let asked = if port == 0 {
            "-1".to_owned()
        } else {
            port.to_string()
        };
        let mut command = program(server, "");
        command
            .args(["--addr", "127.0.0.1", "--port", &asked])
            .arg("--ports_file_dir")
            .arg(&self.logs)
            .args(["--jetstream", "--store_dir"])
            .arg(&self.logs);
        let process = self.start("nats", &mut command)?;
        let file = self.logs.join(format!("nats-server_{process}.ports"));
        self.wait_for("nats", || {
            let ports: Value = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
            Some(ports["nats"][0].as_str()?.to_owned())
        })
    }

    /// The process of one that was started under this name.
    pub(crate) fn id(&self, name: &str) -> Option<u32> {
        let found = self.children.iter().find(|(known, _)| known == name);
        found.map(|(_, child)| child.id())
    }

    /// Asks until there is an answer, while the program runs.
    pub(crate) fn wait_for<T>(
        &mut self,
        name: &str,
        mut ask: impl FnMut() -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + START;
        loop {
            if let Some(answer) = ask() {
                return Ok(answer);
            }
            if self.gone()?.is_some() || Instant::now() >= deadline {
                bail!(self.did_not_start(name));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for Ctrl-C, or for one of them to end.
    pub(crate) fn wait(&mut self) -> Result<Ending> {
        loop {
            if self.signals.pending().next().is_some() {
                return Ok(Ending::Asked);
            }
            if let Some(name) = self.gone()? {
                return Ok(Ending::Gone(name));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops all, those that were started last first: a node still has its NATS server when it drains.
    pub(crate) fn stop(&mut self) -> Result<()> {
        // Nodes drain side by side.
        for (_, child) in &self.children[1..] {
            kill_process(Pid::from_child(child), Signal::TERM)?;
        }
        let deadline = Instant::now() + STOP;
        while let Some((name, mut child)) = self.children.pop() {
            if self.children.is_empty() {
                kill_process(Pid::from_child(&child), Signal::TERM)?;
            }
            while child.try_wait()?.is_none() {
                if Instant::now() >= deadline {
                    child.kill()?;
                    child.wait()?;
                    bail!("{name} did not stop within {STOP:?} and was killed");
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    fn spawn(&mut self, name: &str, command: &mut Command) -> Result<&mut Child> {
        let child = command
            .stdin(Stdio::null())
            // A Ctrl-C is for this program, which then ends them in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {name}"))?;
        self.children.push((name.to_owned(), child));
        let (_, child) = self.children.last_mut().context("what was just started")?;
        Ok(child)
    }

    fn gone(&mut self) -> Result<Option<String>> {
        for (name, child) in &mut self.children {
            if child.try_wait()?.is_some() {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    fn log(&self, name: &str) -> Result<File> {
        let path = self.path(name);
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))
    }

    fn did_not_start(&self, name: &str) -> String {
        format!("{name} did not start: see {}", self.path(name).display())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for (_, child) in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
